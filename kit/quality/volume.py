"""Volume: the number of rows against the last snapshot, since a delivery cut short looks right row by row."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.contracts import PROPERTY, Check
from kit.core import counted, database
from kit.mesh import RAW
from kit.quality.audit_target import AuditTarget

ROW_LOSS = 0.5
"""The share of its rows that a raw source may lose by default, whatever range its contract has for the number of rows."""

NOTE = (
    "A delivery cut short looks like this. If so few rows are right, say so in the contract by the custom property "
    f"{PROPERTY}, the share of rows that may be missing; 1 lets any number pass."
)


def row_loss(target: AuditTarget) -> float | None:
    """Return the share of its rows that a table may lose; None when it may lose all."""
    share = target.contract.max_row_loss
    if share is None and target.table.startswith(f"{RAW}."):
        share = ROW_LOSS
    return None if share == 1 else share


def rule(share: float) -> str:
    """Return the name of the check of a table's volume."""
    return f"has rows, at least {(1 - share) * 100:g} % as many as in the last snapshot"


def checks(targets: Sequence[AuditTarget], tables: database.Tables, manifest: Mapping[str, Any] | None) -> tuple[Check, ...]:
    """Check that no table lost too many rows; `manifest` is that of the last snapshot, None before the first."""
    found = []
    with database.connect() as connection:
        for target in targets:
            share = row_loss(target)
            if share is not None:
                database.add_views(connection, {target.table: tables[target.table]})
                (rows,) = connection.execute(f"select count(*) from {database.quoted(target.table)}").fetchone() or (0,)
                before = _rows(manifest or {}, target.table)
                passed = rows >= max(1, (1 - share) * before)
                observed = f"{rows:,} of {counted(before, 'row')}" if before else counted(rows, "row")
                found.append(Check(target.table, rule(share), "contract", passed, observed=observed, note=NOTE))
    return tuple(found)


def _rows(manifest: Mapping[str, Any], table: str) -> int:
    """Return the number of rows of a table without those set aside; 0 for a table that is not in the manifest."""
    kind, _, name = table.rpartition(".")
    if kind:
        landed = manifest.get("sources", {}).get(name, {})
        return int(landed.get("rows", 0)) - int(landed.get("quarantined") or 0)
    return int(manifest.get("ports", {}).get(name, {}).get("rows", 0))
