"""Published snapshots as values: one version of a data product, and the pointer to the version that readers see."""

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
class Pointer:
    """The version that readers see. `rejected` are the fingerprints of the snapshots that were rolled back from."""

    version: str
    moved_at: datetime
    by: str
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class PruneResult:
    """One old version that `Store.prune` considered; `kept_because` is None when it was removed."""

    version: str
    kept_because: str | None
