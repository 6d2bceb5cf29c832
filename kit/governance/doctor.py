"""`kit doctor`: what is missing or wrong on this machine and in this mesh, and how to put it right."""

import fcntl
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.core import Config, KitError
from kit.governance.check import problems
from kit.mesh import Mesh
from kit.storage import POINTER_FILE, Store

_MINIMUM_FREE_GB = 2
_DISTRIBUTION = "data-mesh-kit"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fix` is empty when it is well."""

    what: str
    seen: str
    fix: str = ""


def examine() -> list[Finding]:
    """Look at everything a build needs, cheapest first."""
    return list(_findings())


def _findings() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", version, "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer")
    yield _packages()
    yield Finding(
        "git", shutil.which("git") or "not found", "" if shutil.which("git") else "install git; snapshots note its commit"
    )
    try:
        config = Config.load()
    except KitError as error:
        yield Finding("mesh", "none", str(error))
        return
    yield Finding("mesh", str(config.root))
    storage = _storage(config.storage)
    yield storage
    if not storage.fix:
        yield _disk(config.storage)
    yield from _kernels()
    try:
        mesh = Mesh.load(config.domains, config.cache)
    except KitError as error:
        yield Finding("domains", "none", str(error))
        return
    wrong = problems(config, mesh)
    names = {name for name, _ in wrong}
    healthy = [product.name for product in mesh.products if product.name not in names]
    yield Finding("domains", ", ".join(healthy) or "none")
    for name, message in wrong:
        yield Finding(f"domain {name}" if name in mesh.names else name, "has a problem", message)
    yield from _snapshots(config, mesh)


def _packages() -> Finding:
    """Whether the installed packages are those the kit asks for, in versions it was tested with."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in importlib.metadata.requires(_DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        return Finding("packages", "the kit is not installed", "run `make install`")
    needed = [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})]
    wrong = []
    for item in needed:
        try:
            found = importlib.metadata.version(item.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{item.name} is missing")
            continue
        if not item.specifier.contains(found, prereleases=True):
            wrong.append(f"{item.name} is {found}, wanted {item.specifier}")
    return Finding("packages", "; ".join(wrong) or f"{len(needed)} as asked for", "run `make install`" if wrong else "")


def _storage(storage: Path) -> Finding:
    try:
        storage.mkdir(parents=True, exist_ok=True)
        probe = storage / f".probe-{os.getpid()}"
        with probe.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        probe.rename(probe.with_suffix(".moved")).unlink()
    except OSError as error:
        return Finding("storage", f"{storage}: {error.strerror}", "make the folder writable, or set storage in [tool.kit]")
    return Finding("storage", f"{storage}: writable, with locks")


def _disk(storage: Path) -> Finding:
    free = shutil.disk_usage(storage).free / 1e9
    fix = "" if free >= _MINIMUM_FREE_GB else f"free at least {_MINIMUM_FREE_GB} GB, for instance with `kit prune --keep 1`"
    return Finding("disk", f"{free:.0f} GB free", fix)


def _kernels() -> Iterator[Finding]:
    try:
        found = importlib.metadata.version("ipykernel")
    except importlib.metadata.PackageNotFoundError:
        yield Finding("notebook kernel", "ipykernel is missing", "run `make install`")
        return
    yield Finding("notebook kernel", f"ipykernel {found}, {sys.executable}")


def _snapshots(config: Config, mesh: Mesh) -> Iterator[Finding]:
    store = Store(config.storage)
    published = config.storage / "products"
    for folder in sorted(published.iterdir()) if published.is_dir() else ():
        if folder.name not in mesh.names:
            fix = f"delete {folder} when nobody reads it any more, or bring back domains/{folder.name}"
            yield Finding(f"snapshots of {folder.name}", "there is no such domain", fix)
    for product in mesh.products:
        try:
            snapshot = store.current(product.name)
        except KitError as error:
            yield Finding(f"snapshot {product.name}", f"{POINTER_FILE} leads nowhere", str(error))
            continue
        if snapshot is None:
            continue
        lost = [path for port in snapshot.manifest["ports"] for path in snapshot.files(port) if not path.is_file()]
        if lost:
            fix = f"build it anew with `kit run {product.name} --force`"
            yield Finding(f"snapshot {product.name}", f"{len(lost)} files are missing, first {lost[0]}", fix)
