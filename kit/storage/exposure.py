"""Columns that a snapshot shows although the newest one hides them: such a snapshot is served no more."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kit.contracts import Contract, hides_less
from kit.core import KitError
from kit.storage.snapshot import Snapshot


def exposed(snapshot: Snapshot, newest: Snapshot) -> tuple[str, ...]:
    """Return the columns `PORT.COLUMN` that a snapshot publishes with less of a mask than the newest one of its product.

    A quarantine table counts by its name alone, when its rows have columns that the newest snapshot hides.
    """
    found = []
    for name, entry in snapshot.manifest["ports"].items():
        if "quarantine_of" in entry:
            hidden = newest.manifest.get("hidden", [])
            if entry["rows"] and not hidden_columns(snapshot).issuperset(hidden):
                found.append(name)
            continue
        today = newest.manifest["ports"].get(name, {})
        columns = {column for column, _, _ in entry.get("about", {}).get("columns", ())}
        for column, kind in today.get("masked", {}).items():
            if column in columns and not _covered(column, kind, published_masks(snapshot, name).get(column), entry, today):
                found.append(f"{name}.{column}")
    return tuple(found)


def hidden_columns(snapshot: Snapshot) -> frozenset[str]:
    """Return the columns that were hidden when a snapshot was published; of one of an earlier kit those of its ports alone."""
    if "hidden" in snapshot.manifest:
        return frozenset(snapshot.manifest["hidden"])
    contracts = (_contract(snapshot, port) for port in snapshot.manifest["ports"])
    return frozenset(column.name for contract in contracts if contract for column in contract.hidden_columns)


def published_masks(snapshot: Snapshot, port: str) -> Mapping[str, str]:
    """Return the kinds of masks of a port in a snapshot, by column; empty for a port that it does not have."""
    # An earlier kit did not write down those that are inherited.
    contract = None if "hidden" in snapshot.manifest else _contract(snapshot, port)
    inherited = {column.name: column.mask.kind for column in contract.columns if column.mask} if contract else {}
    masked: dict[str, str] = snapshot.manifest["ports"].get(port, {}).get("masked", {})
    return inherited | masked


def _contract(snapshot: Snapshot, port: str) -> Contract | None:
    path = snapshot.contract(port)
    with suppress(KitError):  # a kit with other rules wrote it
        return Contract.load(path) if path else None
    return None


def _covered(column: str, kind: str, mask: str | None, entry: dict[str, Any], today: dict[str, Any]) -> bool:
    if mask == kind == "generalise":
        to = today.get("generalised", {}).get(column)
        return bool(entry.get("generalised", {}).get(column, to) == to)
    return not hides_less(mask, kind)
