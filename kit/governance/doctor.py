"""`kit doctor`: problems of this machine and this mesh, and how to fix them."""

import fcntl
import importlib.metadata
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from kit.contracts import Finding
from kit.core import Config, KitError, counted, landlock, missing_entry_points, resources, short
from kit.governance.check import check_mesh
from kit.governance.verification import Verification
from kit.mesh import Context
from kit.storage import remains

_MINIMUM_FREE_GB = 2
_SAMPLE_SECONDS = 2
_CUTS_FILES = 3
"""The version of Landlock from which it prevents that a file is cut."""
_DISTRIBUTION = "data-mesh-kit"


def examine(load: Callable[[], Context]) -> list[Finding]:
    """Check everything that a build needs, cheapest first; a missing mesh to `load` is one of the findings.

    Parts that are in order are findings of severity `info`.
    """
    return list(_findings(load))


def _well(name: str, seen: str) -> Finding:
    return Finding(name, None, None, seen, severity="info")


def _wrong(name: str, seen: str, fix: str) -> Finding:
    return Finding(name, None, None, seen, fix)


def _findings(load: Callable[[], Context]) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _well("Python", version) if sys.version_info >= (3, 11) else _wrong("Python", version, "install Python 3.11 or newer")
    yield _packages()
    git = shutil.which("git")
    yield _well("git", git) if git else _wrong("git", "not found", "install git; snapshots note its commit")
    try:
        context = load()
    except KitError as error:
        yield Finding.from_error("mesh", error)
        return
    config = context.config
    yield _well("mesh", str(config.root))
    storage = _storage(config.storage)
    yield storage
    if storage.severity == "info":
        yield _disk(config.storage)
    yield _memory(config)
    yield _kernel()
    yield _confinement()
    try:
        mesh = context.mesh
    except KitError as error:
        yield Finding.from_error("domains", error)
        return
    findings = [finding for finding in check_mesh(context) if finding.severity == "error"]
    names = {finding.product for finding in findings}
    healthy = [product.name for product in mesh.products if product.name not in names]
    yield _well("domains", ", ".join(healthy) or "none")
    for finding in findings:
        yield replace(finding, product=f"domain {finding.product}") if finding.product in mesh.names else finding
    yield from _published(context, {finding.message for finding in findings})


def _packages() -> Finding:
    """Check that the installed packages have the versions that the kit requires."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in importlib.metadata.requires(_DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        return _wrong("packages", "the kit is not installed", "run `make install`")
    needed = [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})]
    wrong = []
    for item in needed:
        try:
            installed = importlib.metadata.version(item.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{item.name} is missing")
            continue
        if not item.specifier.contains(installed, prereleases=True):
            wrong.append(f"{item.name} is {installed}, required {item.specifier}")
    for group in ("kit.connectors", "kit.listeners"):
        wrong += [f"{name} of {group} is missing" for name in missing_entry_points(group)]
    if wrong:
        return _wrong("packages", "; ".join(wrong), "run `make install`")
    return _well("packages", f"all {len(needed)} in required versions")


def _storage(storage: Path) -> Finding:
    try:
        storage.mkdir(parents=True, exist_ok=True)
        probe = storage / f".probe-{os.getpid()}"
        with probe.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        probe.rename(probe.with_suffix(".moved")).unlink()
    except OSError as error:
        return _wrong("storage", f"{storage}: {error.strerror}", "make the folder writable, or set storage in [tool.kit]")
    return _well("storage", f"{storage}: writable, with locks")


def _disk(storage: Path) -> Finding:
    free = shutil.disk_usage(storage).free / 1e9
    if free >= _MINIMUM_FREE_GB:
        return _well("disk", f"{free:.0f} GB free")
    fix = f"free at least {_MINIMUM_FREE_GB} GB, for instance with `kit prune --keep 1`"
    return _wrong("disk", f"{free:.0f} GB free", fix)


def _memory(config: Config) -> Finding:
    """State what a build may use, and whether it can spill to the disk what needs more memory."""
    found = resources.Resources.of(config)
    text = f"{found.memory / 1e9:.1f} GB for tables, {counted(found.threads, 'thread')}"
    try:
        with resources.limited(config):
            place = resources.spill_folder()
    except OSError as error:
        return _wrong("memory", f"{text}; nothing can be spilled: {error.strerror}", "set spill_folder in [tool.kit]")
    return _well("memory", f"{text}; the rest is spilled to {short(place)}")


def _kernel() -> Finding:
    try:
        version = importlib.metadata.version("ipykernel")
    except importlib.metadata.PackageNotFoundError:
        return _wrong("notebook kernel", "ipykernel is missing", "run `make install`")
    return _well("notebook kernel", f"ipykernel {version}, {sys.executable}")


def _confinement() -> Finding:
    """State whether the system enforces which files notebooks and `ingest.py` open in builds."""
    version = landlock.version()
    if version >= _CUTS_FILES:
        return _well("confinement", f"Landlock {version}: notebooks and ingest.py open declared files only")
    if version:
        seen = f"Landlock {version}: notebooks and ingest.py open declared files only, but can cut others to nothing"
    else:
        seen = "none: notebooks and ingest.py can open all files of this user, and are trusted not to; their text is checked"
    return Finding("confinement", None, None, seen, "build on Linux 6.2 or newer with Landlock", severity="warning")


def _published(context: Context, known: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the storage, of which only a sample is compared with checksums, except the messages `known`."""
    if others := remains.without_domain(context.config, context.mesh.names):
        seen = f"{', '.join(others)}: in the storage, but no domain of this repository; left alone"
        advice = f"if no other repository publishes here, `kit prune {' '.join(others)} --everything` removes all of this"
        yield replace(_well("other products", seen), fix=advice)
    verification = Verification(context.config, time.monotonic() + _SAMPLE_SECONDS)
    for name in random.sample(context.mesh.names, len(context.mesh.names)):
        verification.product(name)
    verification.storage()
    if not verification.findings:
        yield _well("published data", f"{counted(verification.files, 'file')} compared with their checksums")
    for finding in sorted(verification.findings, key=lambda finding: finding.product):
        if finding.message in known:
            continue
        yield replace(finding, product=f"data of {finding.product}") if finding.product in context.mesh.names else finding
