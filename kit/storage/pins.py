"""Pins: the inputs of a product, each fixed to one snapshot for a whole build."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.contracts import Version
from kit.core import NotPublished
from kit.mesh import DataProduct, InputPort, resolve_version
from kit.storage.partition_inputs import whole_content
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store


@dataclass(frozen=True)
class Pin:
    """One input port fixed to one snapshot for a whole build."""

    port: str
    snapshot: Snapshot

    @property
    def files(self) -> list[Path]:
        """The Parquet files of the pinned port."""
        return self.snapshot.files(self.port.partition(".")[2])

    @property
    def content(self) -> str:
        """The digest of the whole pinned port."""
        return whole_content(self.snapshot.port(self.port.partition(".")[2]))

    def to_json(self) -> dict[str, Any]:
        """Return the manifest's record of the input."""
        port = self.snapshot.port(self.port.partition(".")[2])
        return {"version": self.snapshot.version, "contract_version": port["contract_version"], "files": port["files"]}


def pin_inputs(store: Store, product: DataProduct, held: ExitStack) -> dict[str, Pin]:
    """Pin every input to the provider's current snapshot, which is locked against pruning until `held` is closed.

    Returns pins by the names that the product has for its inputs; all ports of one provider come from one snapshot.
    Raises `NotPublished` or `KitError`.
    """
    snapshots: dict[str, Snapshot] = {}
    pins = {}
    for item in product.inputs:
        if item.product not in snapshots:
            snapshots[item.product] = held.enter_context(store.open(item.product))
        pins[item.name] = Pin(f"{item.product}.{serving_port(product, item, snapshots[item.product])}", snapshots[item.product])
    return pins


def serving_port(product: DataProduct, item: InputPort, snapshot: Snapshot) -> str:
    """Return the port of a snapshot that serves an input of a product; raises `NotPublished` when none does.

    A snapshot may be older than the contracts: until the provider's next build the port has its old version.
    """
    offered = {name: Version.parse(entry["contract_version"]) for name, entry in snapshot.manifest["ports"].items()}
    port = item.name.partition(".")[2]
    serving = resolve_version(port, item.version, {name: version for name, version in offered.items() if version})
    if serving is None:
        raise NotPublished(
            f"'{product.name}' reads {item.name} {item.version}, but the current snapshot of '{item.product}' has "
            f"{f'version {offered[port]}' if port in offered else 'no such port'}; run `kit run {item.product}` first"
        )
    return serving
