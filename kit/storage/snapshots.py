"""Published snapshots: immutable version folders and one pointer per data product.

    <storage>/products/<product>/<version>/<port>/*.parquet   never changed once published
    <storage>/products/<product>/<version>/manifest.json      what the snapshot is made of and how it was audited
    <storage>/products/<product>/current.json                 the pointer: which version readers see
    <storage>/products/<product>/{catalog,local}.yaml         the same for Intake, written from the pointer's snapshot

A product moves with one atomic replacement of its pointer, all ports at once. A reader resolves the pointer once and
stays on the snapshot it found.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from kit.core import (
    Busy,
    KitError,
    NotPublished,
    OnStep,
    PublishConflict,
    UnknownName,
    lock,
    no_step,
    read_json,
    sha256,
    sync_path,
    time_id,
    to_json,
    write_durably,
)
from kit.storage import intake

POINTER = "current.json"
MANIFEST = "manifest.json"
_STAGING = ".staging"


@dataclass(frozen=True)
class Snapshot:
    """One published version of a data product. `manifest` is its record, as JSON values."""

    product: str
    version: str
    folder: Path
    manifest: dict[str, Any]

    @property
    def created_at(self) -> datetime:
        """When it was published, UTC."""
        return datetime.fromisoformat(self.manifest["created_at"])

    @property
    def fingerprint(self) -> str:
        """A digest of all that went into it."""
        return str(self.manifest["fingerprint"])

    def port(self, name: str) -> dict[str, Any]:
        """Rows, files, checksum and contract version of one port; raises `UnknownName`."""
        ports: dict[str, dict[str, Any]] = self.manifest["ports"]
        if name not in ports:
            raise UnknownName(
                f"snapshot {self.version} of '{self.product}' has no port '{name}'; it has: {', '.join(sorted(ports))}"
            )
        return ports[name]

    def files(self, port: str) -> list[Path]:
        """The Parquet files of one port."""
        return [self.folder / port / name for name in sorted(self.port(port)["files"])]


@dataclass(frozen=True)
class Pointer:
    """Which version readers see. `rejected` are the fingerprints of what was rolled back from."""

    version: str
    moved_at: datetime
    by: str
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pruned:
    """What `Store.prune` did with one old version: `kept_because` is None when it was removed."""

    version: str
    kept_because: str | None


class Store:
    """The published snapshots below one storage folder."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage

    def folder(self, product: str) -> Path:
        """Where the snapshots of one product lie."""
        return self.storage / "products" / product

    # Reading

    def pointer(self, product: str) -> Pointer | None:
        """The product's pointer, or None when nothing was ever published."""
        path = self.folder(product) / POINTER
        if not path.exists():
            return None
        data = read_json(path)
        return Pointer(data["version"], datetime.fromisoformat(data["moved_at"]), data["by"], tuple(data["rejected"]))

    def current(self, product: str) -> Snapshot | None:
        """The snapshot readers see now, or None; raises `KitError` when the pointer leads nowhere."""
        while pointer := self.pointer(product):
            try:
                return self.snapshot(product, pointer.version)
            except UnknownName:
                # Between the two reads the pointer may have moved on and its old version been pruned.
                if self.pointer(product) == pointer:
                    raise KitError(
                        f"the current snapshot {pointer.version} of '{product}' is missing from {self.folder(product)}; "
                        f"go back with `kit rollback {product} VERSION` or build anew with `kit run {product} --force`"
                    ) from None
        return None

    def snapshot(self, product: str, version: str) -> Snapshot:
        """One version by name; raises `UnknownName` listing those there are."""
        folder = self.folder(product) / version
        if version.startswith(".") or "/" in version or not (folder / MANIFEST).is_file():
            there = ", ".join(self.versions(product)) or "none"
            raise UnknownName(f"'{product}' has no snapshot '{version}'; there are: {there}")
        return Snapshot(product, version, folder, read_json(folder / MANIFEST))

    def versions(self, product: str) -> list[str]:
        """The names of all published versions, newest first."""
        folder = self.folder(product)
        if not folder.is_dir():
            return []
        found = [path.name for path in folder.iterdir() if not path.name.startswith(".") and (path / MANIFEST).is_file()]
        return sorted(found, reverse=True)

    def history(self, product: str) -> list[Snapshot]:
        """All published versions, newest first."""
        return [self.snapshot(product, version) for version in self.versions(product)]

    def open(self, product: str, version: str | None = None) -> "Lease":
        """The current (or the named) snapshot, held so that it is not pruned; raises `NotPublished`, `UnknownName`."""
        while True:
            snapshot = self.current(product) if version is None else self.snapshot(product, version)
            if snapshot is None:
                raise NotPublished(f"'{product}' has no published snapshot yet; build it with `kit run {product}`")
            try:
                return Lease(snapshot)
            except (FileNotFoundError, BlockingIOError):
                if version is not None:
                    raise UnknownName(f"snapshot '{version}' of '{product}' has just been pruned") from None

    # Writing

    @contextmanager
    def building(self, product: str) -> Iterator[None]:
        """Be the only process that builds this product; raises `Busy` naming the other one."""
        path = self.folder(product) / ".build.lock"
        with lock(path, wait=False) as held:
            if not held:
                raise Busy(
                    f"'{product}' is being built by process {path.read_text() or '?'}; wait for it, or stop it and run again"
                )
            yield

    def stage(self, product: str, ports: list[str]) -> Path:
        """An empty folder for the next snapshot, with a folder per port; what killed builds left is removed.

        Call it inside `building`.
        """
        staging = self.folder(product) / _STAGING
        shutil.rmtree(staging, ignore_errors=True)
        for port in ports:
            (staging / port).mkdir(parents=True)
        return staging

    def publish(
        self, product: str, staging: Path, manifest: dict[str, Any], *, parent: str | None, step: OnStep = no_step
    ) -> Snapshot:
        """Make the staged ports the product's current snapshot, all at once, so that it survives a power loss.

        `manifest` is completed by version, time, files and checksums. `parent` is the version the build began from:
        if readers have been moved to another one since, nothing is published and `PublishConflict` is raised.
        """
        step("publish begun")
        created = datetime.now(UTC)
        version = time_id(created)
        for port, entry in manifest["ports"].items():
            files = sorted((staging / port).glob("*.parquet"))
            for path in (*files, staging / port):
                sync_path(path)
            step(f"{port} synced")
            entry["files"] = {path.name: sha256(path) for path in files}
            entry["bytes"] = sum(path.stat().st_size for path in files)
            step(f"{port} hashed")
        manifest = {"product": product, "version": version, "parent": parent, "created_at": created.isoformat(), **manifest}
        write_durably(staging / MANIFEST, to_json(manifest), step)
        with lock(self.folder(product) / ".pointer.lock", wait=True):
            step("pointer locked")
            now = self.pointer(product)
            if (now.version if now else None) != parent:
                raise PublishConflict(
                    f"'{product}' moved from snapshot {parent or 'none'} to {now.version if now else 'none'} while this "
                    f"build ran; nothing was published. Run `kit run {product}` again."
                )
            step("parent checked")
            folder = self.folder(product) / version
            staging.rename(folder)
            step("version renamed")
            sync_path(folder.parent)
            step("version synced")
            snapshot = Snapshot(product, version, folder, manifest)
            self._point(snapshot, "publish", [], step)
            step("pointer durable")
        return snapshot

    def rollback(self, product: str, version: str) -> Snapshot:
        """Move readers back (or forth) to a published version; raises `UnknownName` or `KitError`.

        What was current is remembered as rejected, so that the same code and inputs are not published again unasked.
        """
        with lock(self.folder(product) / ".pointer.lock", wait=True):
            target = self.snapshot(product, version)
            pointer = self.pointer(product)
            if pointer and pointer.version == version:
                raise KitError(f"'{product}' is already at snapshot {version}; `kit history` lists the others")
            for port, entry in target.manifest["ports"].items():
                for name, digest in entry["files"].items():
                    path = target.folder / port / name
                    if not path.is_file() or sha256(path) != digest:
                        raise KitError(f"snapshot {version} of '{product}' is damaged ({port}/{name}); choose another one")
            rejected = set(pointer.rejected) if pointer else set()
            if pointer and pointer.version in self.versions(product):
                rejected.add(self.snapshot(product, pointer.version).fingerprint)
            self._point(target, "rollback", sorted(rejected - {target.fingerprint}))
        return target

    def repair_catalogs(self, product: str) -> None:
        """Write the product's catalog anew where a process killed after moving the pointer left the old one."""
        with lock(self.folder(product) / ".pointer.lock", wait=True):
            self._mend(product)

    def prune(self, product: str, keep: int) -> list[Pruned]:
        """Remove versions beyond the newest `keep`, except the current one and those being read.

        Returns what became of each version beyond `keep`. Raises `KitError` when `keep` is below 1.
        """
        if keep < 1:
            raise KitError(f"cannot keep {keep} snapshots; keep at least 1")
        result = []
        with lock(self.folder(product) / ".pointer.lock", wait=True):
            for leftover in self.folder(product).glob(".pruned-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            self._mend(product)
            pointer = self.pointer(product)
            for version in self.versions(product)[keep:]:
                if pointer and version == pointer.version:
                    result.append(Pruned(version, "it is current"))
                    continue
                folder = self.folder(product) / version
                with (folder / MANIFEST).open("rb") as manifest:
                    try:
                        fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        result.append(Pruned(version, "it is being read"))
                        continue
                    # Renamed first: a version is there whole or not at all.
                    gone = folder.rename(folder.with_name(f".pruned-{version}"))
                shutil.rmtree(gone)
                result.append(Pruned(version, None))
        return result

    def _point(self, snapshot: Snapshot, by: str, rejected: list[str], step: OnStep = no_step) -> None:
        manifest = snapshot.manifest
        ports = {
            name: {"path": f"{snapshot.version}/{name}", **{key: entry[key] for key in ("rows", "contract_version", "files")}}
            for name, entry in manifest["ports"].items()
        }
        pointer = {
            "product": snapshot.product,
            "version": snapshot.version,
            "moved_at": datetime.now(UTC).isoformat(),
            "by": by,
            "rejected": rejected,
            "run_id": manifest["run_id"],
            "inputs": manifest["inputs"],
            "ports": ports,
        }
        write_durably(self.folder(snapshot.product) / POINTER, to_json(pointer), step)
        # The pointer is the truth and moves first: a catalog that lags names an older snapshot, which is whole.
        for path, text in self._catalogs(snapshot):
            write_durably(path, text, step)

    def _mend(self, product: str) -> None:
        try:
            snapshot = self.current(product)
        except KitError:
            return  # its files are lost, which the next build says
        for path, text in self._catalogs(snapshot) if snapshot else ():
            if not path.is_file() or path.read_bytes() != text.encode():
                write_durably(path, text)

    def _catalogs(self, snapshot: Snapshot) -> list[tuple[Path, str]]:
        folder = self.folder(snapshot.product)
        return [
            (folder / intake.CATALOG, intake.of_snapshot(snapshot.manifest)),
            (folder / intake.LOCAL, intake.of_snapshot(snapshot.manifest, str(folder.resolve()))),
        ]


class Lease:
    """A snapshot that cannot be pruned while this is open; a context manager.

    The hold is a shared lock on the manifest, which the operating system frees when the process ends.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._file: IO[bytes] = (snapshot.folder / MANIFEST).open("rb")
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._file.fileno()), (snapshot.folder / MANIFEST).stat()):
                raise FileNotFoundError
        except OSError:
            self._file.close()
            raise

    def __enter__(self) -> Snapshot:
        return self.snapshot

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the snapshot go."""
        self._file.close()


_held: dict[tuple[str, str], Lease] = {}
"""What this process holds until it ends, by product and version."""


def hold_until_exit(lease: Lease) -> Snapshot:
    """Hold a snapshot until the process ends, since frames over it are read lazily; each is held once."""
    snapshot = lease.snapshot
    if _held.setdefault((snapshot.product, snapshot.version), lease) is not lease:
        lease.close()
    return snapshot
