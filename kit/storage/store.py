"""The snapshots of a storage folder: publish, read, roll back and prune.

    <storage>/products/<product>/<version>/<port>/*.parquet   never changed once published
    <storage>/products/<product>/<version>/manifest.json      the record of the snapshot: inputs, files, checks
    <storage>/products/<product>/current.json                 the pointer: the version that readers see
    <storage>/products/<product>/catalog.yaml                 the Intake catalog of the pointer's snapshot

A publication replaces the pointer atomically, for all ports at once. A reader resolves the pointer once and keeps the
snapshot it found.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from kit.core import (
    Busy,
    Damaged,
    InvalidFile,
    KitError,
    MaskError,
    Newer,
    NotPublished,
    PublishConflict,
    StepCallback,
    UnknownName,
    Unreadable,
    counted,
    exists,
    holder,
    ignore_step,
    lock,
    read_record,
    remove_unfinished,
    set_aside,
    sha256,
    short,
    sync_path,
    time_id,
    to_json,
    write_durably,
)
from kit.storage import intake
from kit.storage.exposure import exposed
from kit.storage.runs import Runs
from kit.storage.snapshot import MANIFEST_FILE, Pointer, PruneResult, Rollback, Snapshot
from kit.storage.snapshot_lock import SnapshotLock
from kit.storage.version_name import resolve

POINTER_FILE = "current.json"
_STAGING = ".staging-"
_READ_ONLY, _WRITABLE = 0o444, 0o222


class Store:
    """The published snapshots below one storage folder."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage

    def folder(self, product: str) -> Path:
        """Return the folder of the snapshots of one product."""
        return self.storage / "products" / product

    # Reading

    def read_pointer(self, product: str) -> Pointer | None:
        """Return the product's pointer, or None when nothing was published yet; raises `Damaged`."""
        path, cure = self.folder(product) / POINTER_FILE, "restore it with `kit doctor --fix`"
        try:
            if exists(path):
                return read_record(path, partial(Pointer.from_json, product))
        except (Unreadable, Newer):
            raise
        except InvalidFile as error:
            raise Damaged(f"the pointer of '{product}' is damaged: {error}; {cure}") from None
        # The catalog is written after the first pointer, which nothing deletes.
        if exists(path.with_name(intake.CATALOG)) and self.versions(product):
            raise Damaged(f"the pointer of '{product}' is missing, though it was published: {short(path)}; {cure}")
        return None

    def current(self, product: str) -> Snapshot | None:
        """Return the snapshot that readers see now, or None; raises `Damaged` when pointer or manifest are unusable.

        Its facts of descriptor and contracts are the newest that a build found.
        """
        while pointer := self.read_pointer(product):
            try:
                return self.snapshot(product, pointer.version).described(pointer.facts)
            except UnknownName:
                # Between the two reads the pointer may have moved and its old version may have been pruned.
                if self.read_pointer(product) == pointer:
                    raise Damaged(
                        f"the current snapshot {pointer.version} of '{product}' is missing from {self.folder(product)}; "
                        f"roll back with `kit rollback {product} VERSION` or build again with `kit run {product} --force`"
                    ) from None
        return None

    def snapshot(self, product: str, version: str) -> Snapshot:
        """Return one version by name; raises `UnknownName`, which lists the versions that exist, or `Damaged`."""
        folder = self.folder(product) / version
        if version.startswith(".") or "/" in version or not exists(folder / MANIFEST_FILE):
            known = ", ".join(self.versions(product)) or "none"
            raise UnknownName(f"'{product}' has no snapshot '{version}'; there are: {known}")
        try:
            return Snapshot.load(folder)
        except (Unreadable, Newer):
            raise
        except InvalidFile as error:
            raise Damaged(
                f"snapshot {version} of '{product}' is damaged: {error}; roll back with `kit rollback {product} VERSION` "
                f"or build again with `kit run {product} --force`"
            ) from None

    def versions(self, product: str) -> list[str]:
        """Return the names of all published versions, newest first; raises `InvalidFile` for a folder that cannot be read."""
        folder = self.folder(product)
        try:
            names = [path.name for path in folder.iterdir() if not path.name.startswith(".") and exists(path / MANIFEST_FILE)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror}", folder) from None
        return sorted(names, reverse=True)

    def products(self) -> list[str]:
        """Return the names of all products that were published below the storage folder, sorted."""
        return sorted(path.parent.name for path in (self.storage / "products").glob(f"*/{POINTER_FILE}"))

    def history(self, product: str) -> list[Snapshot]:
        """Return all published snapshots, newest first, without the damaged ones, which `kit verify` names."""
        snapshots = []
        for version in self.versions(product):
            with suppress(InvalidFile, Damaged):
                snapshots.append(self.snapshot(product, version))
        return snapshots

    def resolve(self, product: str, version: str) -> str:
        """Return the version that a person names, see `version_name`; raises `UnknownName`."""
        return resolve(product, version, self.history(product), self.read_pointer(product), datetime.now(UTC))

    def open(self, product: str, version: str | None = None) -> SnapshotLock:
        """Lock the current snapshot, or the one that a person names, against pruning.

        Raises `NotPublished`, `UnknownName`, or `MaskError` for one that shows columns which are hidden today.
        """
        version = None if version is None else self.resolve(product, str(version))
        while True:
            snapshot = self.current(product) if version is None else self.snapshot(product, version)
            if snapshot is None:
                raise NotPublished(f"'{product}' has no published snapshot yet; build it with `kit run {product}`")
            self.refuse_exposed(snapshot)
            try:
                return SnapshotLock(snapshot)
            except (FileNotFoundError, BlockingIOError):
                if version is not None:
                    raise UnknownName(f"snapshot '{version}' of '{product}' has just been pruned") from None

    def exposed(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the columns that a snapshot shows and the newest one of its product hides, whichever is current."""
        for version in self.versions(snapshot.product):
            if version <= snapshot.version:
                break
            with suppress(Damaged, UnknownName):
                return exposed(snapshot, self.snapshot(snapshot.product, version))
        return ()

    def refuse_exposed(self, snapshot: Snapshot) -> None:
        """Raise `MaskError` for a snapshot that shows columns which the newest one hides."""
        if columns := self.exposed(snapshot):
            product = snapshot.product
            raise MaskError(
                f"snapshot {snapshot.version} of '{product}' shows {', '.join(columns)}, which is masked today; "
                f"it is not served. Choose a newer one (`kit history` lists them), or build with `kit run {product}`"
            )

    def refuse_exposed_run(self, product: str, run_id: str) -> None:
        """Raise `MaskError` for a run whose executed notebooks may show columns that are hidden today.

        They show what its snapshot and those that it read show; those of a run without one show what was not hidden then.
        """
        snapshots = self.history(product)
        made = next((snapshot for snapshot in snapshots if snapshot.manifest["run_id"] == run_id), None)
        if made is None:
            names = {product, *(port.partition(".")[0] for snapshot in snapshots[:1] for port in snapshot.manifest["inputs"])}
            for name in sorted(names):
                since = {column: run for newest in self.history(name)[:1]
                         for column, run in newest.manifest.get("hidden_since", {}).items() if run > run_id}  # fmt: skip
                if since:
                    raise MaskError(f"run {run_id} of '{product}' is older than the masks of {', '.join(since)} in '{name}'; "
                                    "its notebooks are not served")  # fmt: skip
            return
        self.refuse_exposed(made)
        for port, pin in made.manifest["inputs"].items():
            with suppress(UnknownName, Damaged):
                self.refuse_exposed(self.snapshot(port.partition(".")[0], pin["version"]))

    # Writing

    def pointer_lock(self, product: str) -> AbstractContextManager[bool]:
        """Lock held while the pointer of a product is read and replaced."""
        return lock(self.folder(product) / ".pointer.lock", wait=True)

    @contextmanager
    def build_lock(self, product: str, *, wait: bool = False) -> Iterator[None]:
        """Lock held while this process builds the product; raises `Busy`, which names the process that holds it.

        With `wait` it is acquired as soon as no other process holds it.
        """
        with self._only_one(product, ".build.lock", wait):
            yield

    @contextmanager
    def run_lock(self, product: str, *, wait: bool = False) -> Iterator[None]:
        """Lock held by a run of several products until it is done with this one; raises `Busy`, as `build_lock` does."""
        with self._only_one(product, ".run.lock", wait):
            yield

    @contextmanager
    def _only_one(self, product: str, name: str, wait: bool) -> Iterator[None]:
        path = self.folder(product) / name
        with lock(path, wait=wait) as held:
            if not held:
                raise Busy(
                    f"'{product}' is being built by process {holder(path)}; "
                    "wait for it with `kit run --wait`, or stop it and run again"
                )
            yield

    def stage(self, product: str, run_id: str, ports: list[str]) -> Path:
        """Return an empty folder for the snapshot of a run, with a folder per port; removes the files of killed builds.

        The caller holds `build_lock`. Each run has a folder of its own: where somebody deletes the file of the lock, two runs
        build at the same time, and neither touches what the other one stages.
        """
        staging = self.folder(product) / f"{_STAGING}{run_id}"
        self.remove_unfinished(product, run_id)
        for port in ports:
            (staging / port).mkdir(parents=True)
        return staging

    def remove_unfinished(self, product: str, run_id: str = "") -> None:
        """Remove the staged files of killed builds, and of the run `run_id`; the caller holds `build_lock`."""
        runs = Runs(self.storage)
        with self.pointer_lock(product):  # under which a run that is alive publishes
            for leftover in self.folder(product).glob(f"{_STAGING}*"):
                staged_by = leftover.name.removeprefix(_STAGING)
                if staged_by == run_id or not runs.is_running(product, staged_by):
                    shutil.rmtree(leftover, ignore_errors=True)

    def publish(
        self,
        product: str,
        staging: Path,
        manifest: dict[str, Any],
        *,
        parent: str | None,
        step: StepCallback = ignore_step,
        last_check: Callable[[], None] = lambda: None,
    ) -> Snapshot:
        """Make the staged ports the product's current snapshot, all at once and durable against a power loss.

        Adds version, time, files and checksums to `manifest`. `parent` is the version that was current when the build
        began; raises `PublishConflict`, and publishes nothing, when another version is current now. `last_check` is called
        under the pointer's lock, as the last thing before readers can see the snapshot: what it raises prevents that.
        """
        step("publish begun")
        kept = self._files(product, parent)
        created = datetime.now(UTC)
        version = time_id(created)
        for port, entry in manifest["ports"].items():
            files = sorted((staging / port).glob("*.parquet"))
            if not files:
                raise KitError(
                    f"the build of '{product}' left no file for '{port}'; nothing was published. Run `kit run {product}` again."
                )
            for path in (*(path for path in files if _place(path) not in kept), staging / port):
                sync_path(path)
            step(f"{port} synced")
            entry["files"] = {path.name: kept.get(_place(path)) or sha256(path) for path in files}
            entry["bytes"] = sum(path.stat().st_size for path in files)
            step(f"{port} hashed")
        manifest = {"product": product, "version": version, "parent": parent, "created_at": created.isoformat(), **manifest}
        write_durably(staging / MANIFEST_FILE, to_json(manifest), step)
        _make_read_only(staging)
        with self.pointer_lock(product):
            step("pointer locked")
            pointer = self.read_pointer(product)
            current = pointer.version if pointer else None
            if current != parent:
                raise PublishConflict(
                    f"'{product}' moved from snapshot {parent or 'none'} to {current or 'none'} while this build ran; "
                    f"nothing was published. Run `kit run {product}` again."
                )
            step("parent checked")
            last_check()
            folder = self.folder(product) / version
            staging.rename(folder)
            step("version renamed")
            sync_path(folder.parent)
            step("version synced")
            snapshot = Snapshot(product, version, folder, manifest)
            self.write_pointer(snapshot, "publish", [], pointer.rollbacks if pointer else (), step)
            step("pointer durable")
        return snapshot

    def _files(self, product: str, version: str | None) -> dict[tuple[int, int], str]:
        """The digests of the files of a snapshot by their places on the disk; its build compared them, and they are durable."""
        with suppress(UnknownName, InvalidFile, Damaged, OSError):
            if version:
                snapshot = self.snapshot(product, version)
                ports = snapshot.manifest["ports"].items()
                return {
                    _place(snapshot.folder / port / name): digest
                    for port, entry in ports
                    for name, digest in entry["files"].items()
                }
        return {}

    def rollback(self, product: str, version: str, *, user: str = "", reason: str = "") -> Snapshot:
        """Move the pointer back (or forward) to a published version; raises `UnknownName` or `KitError`.

        A snapshot that shows columns which are hidden today is refused.
        `user` and `reason` are kept with the pointer. The fingerprint of the version that was current is recorded as
        rejected, so that a build without `--force` does not publish the same code and inputs again.
        """
        version = self.resolve(product, version)
        with self.pointer_lock(product):
            target = self.snapshot(product, version)
            pointer = self.read_pointer(product)
            if pointer and pointer.version == version:
                raise KitError(f"'{product}' is already at snapshot {version}; `kit history` lists the others")
            self.refuse_exposed(target)
            for port in target.manifest["ports"]:
                if problem := target.damage(port):
                    raise Damaged(f"snapshot {version} of '{product}' is damaged: {problem}; choose another one")
            rejected = set(pointer.rejected) if pointer else set()
            with suppress(UnknownName, Damaged):
                if pointer:
                    rejected.add(self.snapshot(product, pointer.version).fingerprint)
            move = Rollback(datetime.now(UTC), version, pointer.version if pointer else "", user, reason)
            rollbacks = (*(pointer.rollbacks if pointer else ()), move)
            self.write_pointer(target, "rollback", sorted(rejected - {target.fingerprint}), rollbacks)
        return target

    def describe(self, snapshot: Snapshot, facts: Mapping[str, Any], commit: str | None) -> bool:
        """Give readers of the current snapshot other facts of descriptor and contracts; return whether it is still current.

        `commit` is the commit of these files. Files, version and manifest of the snapshot stay as they are.
        """
        with self.pointer_lock(snapshot.product):
            pointer = self.read_pointer(snapshot.product)
            if pointer is None or pointer.version != snapshot.version:
                return False
            self._write_pointer(snapshot.described(facts), replace(pointer, facts=facts, facts_commit=commit))
        return True

    def repair_catalog(self, product: str) -> None:
        """Rewrite the product's Intake catalog where a process was killed after it wrote the pointer; remove what it left."""
        with self.pointer_lock(product):
            remove_unfinished(self.folder(product))
            self._repair_catalog(product)

    def prune(self, product: str, keep: int, grace: timedelta = timedelta(), *, dry_run: bool = False) -> list[PruneResult]:
        """Remove versions beyond the newest `keep`, except the current one and those that are being read.

        Those that were current within the time `grace` stay too, for readers that hold no lock. Returns one result per version
        beyond `keep`; with `dry_run` nothing is changed. Raises `KitError` when `keep` is below 1, `Damaged` when the current
        snapshot is, since another one may have to take its place.
        """
        if keep < 1:
            raise KitError(f"cannot keep {keep} snapshots; keep at least 1")
        result = []
        with self.pointer_lock(product):
            if not dry_run:
                for leftover in self.folder(product).glob(".pruned-*"):
                    shutil.rmtree(leftover, ignore_errors=True)
                self._repair_catalog(product)
            current = self.current(product)
            if current:
                current.check(sums=False)
            versions = self.versions(product)
            recent = self._current_since(product, versions, datetime.now(UTC) - grace) if grace else set()
            for version in versions[keep:]:
                if current and version == current.version:
                    result.append(PruneResult(version, "it is current"))
                    continue
                if version in recent:
                    minutes = counted(round(grace / timedelta(minutes=1)), "minute")
                    result.append(PruneResult(version, f"it was current within the last {minutes}"))
                    continue
                result.append(self._delete(product, version, dry_run=dry_run))
        return result

    def delete(self, product: str, versions: Iterable[str]) -> list[PruneResult]:
        """Remove these versions, except the current one and those that are being read; returns one result for each."""
        with self.pointer_lock(product):
            pointer, known = self.read_pointer(product), self.versions(product)
            return [
                PruneResult(version, "it is current") if pointer and version == pointer.version
                else self._delete(product, version)
                for version in versions if version in known
            ]  # fmt: skip

    def _delete(self, product: str, version: str, *, dry_run: bool = False) -> PruneResult:
        folder = self.folder(product) / version
        with (folder / MANIFEST_FILE).open("rb") as manifest:
            try:
                fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return PruneResult(version, "it is being read")
            # Renamed first: a version exists completely or not at all.
            removed = None if dry_run else folder.rename(folder.with_name(f".pruned-{version}"))
        if removed:
            shutil.rmtree(removed)
        return PruneResult(version, None)

    def _current_since(self, product: str, versions: list[str], start: datetime) -> set[str]:
        """Return the versions that were current at any time since `start`, as their names and the rollbacks tell."""
        pointer = self.read_pointer(product)
        moves = [(version, version) for version in versions]  # a version is the time of its publication
        for move in pointer.rollbacks if pointer else ():
            moves += [(time_id(move.at), move.version)]
        moves.sort()
        later = sum(moment >= time_id(start) for moment, _ in moves)
        return {version for _, version in moves[-later - 1 :]}

    def write_pointer(
        self, snapshot: Snapshot, by: str, rejected: list[str], rollbacks: Iterable[Rollback],
        step: StepCallback = ignore_step,
    ) -> None:  # fmt: skip
        """Make a snapshot the current one; the caller holds `pointer_lock`."""
        pointer = Pointer(snapshot.version, datetime.now(UTC), by, tuple(rejected), tuple(rollbacks))
        self._write_pointer(snapshot, pointer, step)

    def _write_pointer(self, snapshot: Snapshot, pointer: Pointer, step: StepCallback = ignore_step) -> None:
        manifest = snapshot.manifest
        ports = {
            name: {"path": f"{snapshot.version}/{name}", **{key: entry[key] for key in ("rows", "contract_version", "files")}}
            for name, entry in manifest["ports"].items()
        }
        data = {
            "product": snapshot.product,
            **pointer.to_json(),
            "run_id": manifest["run_id"],
            "inputs": manifest["inputs"],
            "ports": ports,
        }
        write_durably(self.folder(snapshot.product) / POINTER_FILE, to_json(data), step)
        # The pointer decides and is written first: an outdated catalog names an older snapshot, which is complete.
        with suppress(OSError):  # a full disk: the snapshot is published, and the next build writes its catalog
            self._write_catalog(snapshot, step)

    def _repair_catalog(self, product: str) -> None:
        with suppress(KitError):  # the snapshot is missing, which the next build reports
            if snapshot := self.current(product):
                self._write_catalog(snapshot)

    def _write_catalog(self, snapshot: Snapshot, step: StepCallback = ignore_step) -> None:
        folder, text = self.folder(snapshot.product), intake.snapshot_catalog(snapshot.manifest)
        path = folder / intake.CATALOG
        if path.is_dir():
            set_aside(path)
        if not path.is_file() or path.read_bytes() != text.encode():
            write_durably(path, text, step)
        # Earlier versions of the kit wrote a second catalog, whose paths lead a copy of the folder to the original.
        (folder / "local.yaml").unlink(missing_ok=True)


def _place(path: Path) -> tuple[int, int]:
    """What is the same for all links of a file, and no other file."""
    state = path.stat()
    return state.st_dev, state.st_ino


def _make_read_only(folder: Path) -> None:
    """Take the right to write from all files; one that is linked from an older snapshot may belong to another user."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mode & _WRITABLE:
            with suppress(PermissionError):
                path.chmod(_READ_ONLY)
