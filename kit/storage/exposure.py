"""Columns that a snapshot shows although the newest one hides them: such a snapshot is served no more."""

from typing import Any

from kit.contracts import hides_less
from kit.storage.snapshot import Snapshot


def exposed(snapshot: Snapshot, newest: Snapshot) -> tuple[str, ...]:
    """Return the columns `PORT.COLUMN` that a snapshot publishes with less of a mask than the newest one of its product.

    A quarantine table counts by its name alone, when its rows have columns that the newest snapshot hides.
    """
    found = []
    for name, entry in snapshot.manifest["ports"].items():
        if "quarantine_of" in entry:
            hidden = newest.manifest.get("hidden", [])
            if entry["rows"] and not {*snapshot.manifest.get("hidden", hidden)}.issuperset(hidden):
                found.append(name)
            continue
        today = newest.manifest["ports"].get(name, {})
        columns = {column for column, _, _ in entry.get("about", {}).get("columns", ())}
        for column, kind in today.get("masked", {}).items():
            if column in columns and not _covered(column, kind, entry, today):
                found.append(f"{name}.{column}")
    return tuple(found)


def _covered(column: str, kind: str, entry: dict[str, Any], today: dict[str, Any]) -> bool:
    mask = entry.get("masked", {}).get(column)
    if mask == kind == "generalise":
        to = today.get("generalised", {}).get(column)
        return bool(entry.get("generalised", {}).get(column, to) == to)
    return not hides_less(mask, kind)
