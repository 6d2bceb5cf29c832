"""Volume: a delivery cut short looks right row by row, but is small beside the last snapshot."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.contracts import PROPERTY, Check, Contract
from kit.core import database
from kit.mesh import RAW
from kit.quality.audit import AuditTarget

ROW_LOSS = 0.5
"""The share of its rows a raw source may lose when its contract says nothing of how many there must be."""

NOTE = (
    "A delivery cut short looks like this. If so few rows are right, say so in the contract by the custom property "
    f"{PROPERTY}, the share of rows that may be missing; 1 lets any number pass."
)


def row_loss(subject: AuditTarget) -> float | None:
    """The share of its rows that a table may lose; None when it may lose all."""
    given = subject.contract.max_row_loss
    if given is None and subject.table.startswith(f"{RAW}.") and not _has_least(subject.contract):
        given = ROW_LOSS
    return None if given == 1 else given


def rule(share: float) -> str:
    """How the check of a table's volume is called."""
    return f"has rows, at least {(1 - share) * 100:g} % as many as in the last snapshot"


def checks(subjects: Sequence[AuditTarget], tables: database.Tables, manifest: Mapping[str, Any] | None) -> tuple[Check, ...]:
    """Whether the tables have lost too many rows; `manifest` is the last snapshot's, None when there is none."""
    found = []
    with database.connect() as connection:
        for subject in subjects:
            share = row_loss(subject)
            if share is not None:
                database.add_views(connection, {subject.table: tables[subject.table]})
                (rows,) = connection.execute(f"select count(*) from {database.quoted(subject.table)}").fetchone() or (0,)
                before = _rows(manifest or {}, subject.table)
                passed = rows >= max(1, (1 - share) * before)
                found.append(Check(subject.table, rule(share), "contract", passed, observed=_told(rows, before), note=NOTE))
    return tuple(found)


def _has_least(contract: Contract) -> bool:
    """Whether a contract says how many rows there must be at least, which is more exact."""
    return any(
        rule.type == "expect_table_row_count_to_be_between" and rule.kwargs["min_value"] is not None for rule in contract.rules
    )


def _rows(manifest: Mapping[str, Any], table: str) -> int:
    """How many rows a table had, without those that were set aside; 0 when it was not there."""
    kind, _, name = table.rpartition(".")
    if kind:
        landed = manifest.get("sources", {}).get(name, {})
        return int(landed.get("rows", 0)) - int(landed.get("quarantined") or 0)
    return int(manifest.get("ports", {}).get(name, {}).get("rows", 0))


def _told(rows: int, before: int) -> str:
    return f"{rows:,} of {before:,} rows" if before else f"{rows:,} rows"
