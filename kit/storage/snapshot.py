"""Published snapshots as values: one version of a data product, and the pointer to the version that readers see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kit.core import UnknownName

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class Snapshot:
    """One published version of a data product; `manifest` is its `manifest.json`, as JSON values."""

    product: str
    version: str
    folder: Path
    manifest: dict[str, Any]

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
        """Return the Parquet files of one port; raises `UnknownName`."""
        return [self.folder / port / name for name in sorted(self.port(port)["files"])]


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

    `by` is the kind of its last move, `publish` or `rollback`; `rollbacks` are all of the product, oldest first.
    """

    version: str
    moved_at: datetime
    by: str
    rejected: tuple[str, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pointer":
        """Return the pointer that a file contains."""
        moved_at = datetime.fromisoformat(data["moved_at"])
        rollbacks = [Rollback(**{**item, "at": datetime.fromisoformat(item["at"])}) for item in data.get("rollbacks", ())]
        if data["by"] == "rollback" and not rollbacks:  # an earlier kit moved it
            rollbacks = [Rollback(moved_at, data["version"])]
        return cls(data["version"], moved_at, data["by"], tuple(data["rejected"]), tuple(rollbacks))

    @property
    def rolled_back(self) -> Rollback | None:
        """The rollback that made this version current; None after a publication."""
        return self.rollbacks[-1] if self.by == "rollback" else None


@dataclass(frozen=True)
class PruneResult:
    """One old version that `Store.prune` considered; `kept_because` is None when it was removed."""

    version: str
    kept_because: str | None
