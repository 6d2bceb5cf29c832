"""Ports read at the version a product declares, fixed to one snapshot each for a whole build."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.contracts import Version
from kit.core import NotPublished
from kit.mesh import DataProduct, InputPort, versions
from kit.storage.snapshots import Snapshot, Store


@dataclass(frozen=True)
class Pin:
    """One input port fixed to one snapshot for a whole build."""

    port: str
    snapshot: Snapshot

    @property
    def files(self) -> list[Path]:
        """The Parquet files of the pinned port."""
        return self.snapshot.files(self.port.partition(".")[2])

    def to_json(self) -> dict[str, Any]:
        """What a manifest says about the input."""
        entry = self.snapshot.port(self.port.partition(".")[2])
        return {"version": self.snapshot.version, "contract_version": entry["contract_version"], "files": entry["files"]}


def pin_inputs(store: Store, product: DataProduct, held: ExitStack) -> dict[str, Pin]:
    """Fix every input to the provider's current snapshot, held against pruning until `held` is closed.

    They go by the names the product has for them; all ports of one provider come from one snapshot. Raises `NotPublished`
    or `KitError`.
    """
    snapshots: dict[str, Snapshot] = {}
    pins = {}
    for item in product.inputs:
        if item.product not in snapshots:
            snapshots[item.product] = held.enter_context(store.open(item.product))
        pins[item.name] = Pin(f"{item.product}.{serving_port(product, item, snapshots[item.product])}", snapshots[item.product])
    return pins


def serving_port(product: DataProduct, item: InputPort, snapshot: Snapshot) -> str:
    """The port of a snapshot that serves an input of a product; raises `NotPublished` when none does.

    A snapshot may be older than the contracts: before the provider's next build the old version still has the name.
    """
    offered = {name: Version.parse(entry["contract_version"]) for name, entry in snapshot.manifest["ports"].items()}
    wanted = item.name.partition(".")[2]
    found = versions.resolve_version(wanted, item.version, {name: version for name, version in offered.items() if version})
    if found is None:
        raise NotPublished(
            f"'{product.name}' reads {item.name} {item.version}, but the current snapshot of '{item.product}' has "
            f"{f'version {offered[wanted]}' if wanted in offered else 'no such port'}; run `kit run {item.product}` first"
        )
    return found
