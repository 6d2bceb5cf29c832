"""Published snapshots as values: one version of a data product, and the pointer to the version that readers see."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kit.core import Damaged, InvalidFile, KitError, UnknownName, Unreadable, counted, machine_problem, read_record, sha256
from kit.storage.facts import with_facts

MANIFEST_FILE = "manifest.json"
FORMAT = 1
"""The number of the form in which builds store rows; tables of another form are built anew, whatever kit made them."""

Sound = Callable[[Path, str], bool]
"""Returns whether a file has the content with this digest."""


def _is_sound(path: Path, digest: str) -> bool:
    return sha256(path) == digest


@dataclass(frozen=True)
class Snapshot:
    """One published version of a data product; `manifest` is its `manifest.json`, as JSON values."""

    product: str
    version: str
    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> "Snapshot":
        """Return the snapshot in `<product>/<version>`; raises `InvalidFile` for a manifest that is not its own or damaged."""
        product, version = folder.parent.name, folder.name

        def parse(data: dict[str, Any]) -> Snapshot:
            if (data["product"], data["version"]) != (product, version):
                raise InvalidFile(f"is that of snapshot {data['version']} of '{data['product']}'", folder / MANIFEST_FILE)
            datetime.fromisoformat(data["created_at"])
            for entry in data["ports"].values():
                dict(entry["files"]), entry["rows"], entry["contract_version"]
            for pin in data["inputs"].values():
                str(pin["version"])
            return cls(product, version, folder, data | {name: data[name] for name in ("fingerprint", "run_id")})

        return read_record(folder / MANIFEST_FILE, parse)

    def described(self, facts: Mapping[str, Any]) -> "Snapshot":
        """Return the snapshot with newer facts of descriptor and contracts, if there are any."""
        return replace(self, manifest=with_facts(self.manifest, facts)) if facts else self

    @property
    def created_at(self) -> datetime:
        """The time of publication, UTC."""
        return datetime.fromisoformat(self.manifest["created_at"])

    @property
    def fingerprint(self) -> str:
        """Digest of the code, inputs, contracts and parameters it was made from."""
        return str(self.manifest["fingerprint"])

    def port(self, name: str) -> dict[str, Any]:
        """Return the manifest of one port: rows, files with checksums, contract version; raises `UnknownName`."""
        ports: dict[str, dict[str, Any]] = self.manifest["ports"]
        if name not in ports:
            raise UnknownName(
                f"snapshot {self.version} of '{self.product}' has no port '{name}'; it has: {', '.join(sorted(ports))}"
            )
        return ports[name]

    def contract(self, port: str) -> Path | None:
        """Return the file of the contract that a port had when it was published; None in a snapshot of an earlier kit."""
        path = self.folder / "contracts" / f"{port}.odcs.yaml"
        return path if path.is_file() else None

    def files(self, port: str) -> list[Path]:
        """Return the Parquet files of one port; raises `UnknownName`, or `Damaged` when they have not their published sizes."""
        self.check([port], sums=False)
        return self.paths(port)

    def paths(self, port: str) -> list[Path]:
        """Return the paths of the Parquet files of one port, whatever lies there; raises `UnknownName`."""
        return [self.folder / port / name for name in sorted(self.port(port)["files"])]

    def check(self, ports: Iterable[str] | None = None, *, sums: bool = True, is_sound: Sound = _is_sound) -> None:
        """Raise `Damaged` when files (of some ports, or of all) have not the size and, with `sums`, the content of before."""
        for port in self.manifest["ports"] if ports is None else ports:
            if problem := self.damage(port, sums=sums, is_sound=is_sound):
                raise Damaged(
                    f"snapshot {self.version} of '{self.product}' is damaged: {problem}; roll back with "
                    f"`kit rollback {self.product} VERSION` or build again with `kit run {self.product} --force`"
                )

    @contextmanager
    def reading(self, port: str) -> Iterator[None]:
        """Turn an error of a library that reads the files of a port into `Damaged` when they are not as published."""
        try:
            yield
        except Exception as error:
            self.check([port])
            if problem := machine_problem(error):
                raise KitError(f"{self.product}.{port} cannot be read: {problem}") from None
            raise

    def damage(self, port: str, *, sums: bool = True, is_sound: Sound = _is_sound) -> str:
        """Return what is wrong with the files of a port; empty when they are as published. Raises `Unreadable`."""
        entry, size = self.port(port), 0
        for path in self.paths(port):
            where = f"{port}/{path.name}"
            try:
                if not path.is_file():
                    return f"{where} is {'no file' if path.exists() else 'missing'}"
                size += path.stat().st_size
                if sums and not is_sound(path, entry["files"][path.name]):
                    return f"the content of {where} has changed since it was published"
            except OSError as error:
                raise Unreadable(f"cannot be read: {error.strerror}", path) from None
        published = entry.get("bytes", size)
        if size != published:
            return f"{counted(len(entry['files']), 'file')} of {port} with {size:,} bytes, published were {published:,}"
        return ""


@dataclass(frozen=True)
class Rollback:
    """A move of the pointer to a published version by a person.

    `source` is the version that was current before; it, `user` and `reason` are empty when they are not known.
    """

    at: datetime
    version: str
    source: str = ""
    user: str = ""
    reason: str = ""

    def describe(self) -> str:
        """Return what was rolled back, when, by whom and why, as one line."""
        source = f" from {self.source}" if self.source else ""
        user = f" by {self.user}" if self.user else ""
        return f"rolled back{source}{user} at {self.at:%Y-%m-%d %H:%M} UTC" + (f": {self.reason}" if self.reason else "")

    def to_json(self) -> dict[str, str]:
        """Return the rollback as JSON values."""
        return {**vars(self), "at": self.at.isoformat()}


@dataclass(frozen=True)
class Pointer:
    """The version that readers see. `rejected` are the fingerprints of the snapshots that were rolled back from.

    `by` is the kind of its last move, `publish` or `rollback`; `rollbacks` are all of the product, oldest first. `facts` are
    those of descriptor and contracts that are newer than the snapshot, from the commit `facts_commit`.
    """

    version: str
    moved_at: datetime
    by: str
    rejected: tuple[str, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)
    facts_commit: str | None = field(default=None, compare=False)

    @classmethod
    def from_json(cls, product: str, data: Mapping[str, Any]) -> "Pointer":
        """Return the pointer of a product that a file contains; raises `InvalidFile` for that of another one."""
        if (owner := data.get("product", product)) != product:
            raise InvalidFile(f"it is that of '{owner}'")
        moved_at = datetime.fromisoformat(data["moved_at"])
        rollbacks = [Rollback(**{**item, "at": datetime.fromisoformat(item["at"])}) for item in data.get("rollbacks", ())]
        if data["by"] == "rollback" and not rollbacks:  # an earlier kit moved it
            rollbacks = [Rollback(moved_at, data["version"])]
        facts, commit = data.get("facts", {}), data.get("facts_commit")
        return cls(data["version"], moved_at, data["by"], tuple(data["rejected"]), tuple(rollbacks), facts, commit)

    def to_json(self) -> dict[str, Any]:
        """Return the pointer as JSON values."""
        newer = {"facts": self.facts, "facts_commit": self.facts_commit} if self.facts else {}
        return {
            "version": self.version,
            "moved_at": self.moved_at.isoformat(),
            "by": self.by,
            "rejected": list(self.rejected),
            "rollbacks": [move.to_json() for move in self.rollbacks],
            **newer,
        }

    @property
    def rolled_back(self) -> Rollback | None:
        """The rollback that made this version current; None after a publication."""
        return self.rollbacks[-1] if self.by == "rollback" else None


@dataclass(frozen=True)
class PruneResult:
    """One old version that `Store.prune` considered; `kept_because` is None when it was removed."""

    version: str
    kept_because: str | None


@dataclass(frozen=True)
class Pruned:
    """What was deleted of one product: snapshots, and how many folders of runs and files of raw data.

    `problem` is the reason why nothing could be deleted; `snapshots` are then those that would have been considered.
    """

    snapshots: tuple[PruneResult, ...] = ()
    runs: int = 0
    raw_files: int = 0
    problem: str = ""

    @property
    def deleted(self) -> list[str]:
        """The versions that were deleted."""
        return [item.version for item in self.snapshots if item.kept_because is None]
