import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.build.expected_checks import expected_checks
from kit.contracts.check import Check
from kit.contracts.contract import Contract
from kit.dbt.project import Project
from kit.quality import volume
from kit.quality.audit_target import AuditTarget
from tests.support.small_mesh import SmallMesh, contract, write

LEAST = {"type": "library", "metric": "rowCount", "mustBeGreaterThan": 9}
MOST = {"type": "library", "metric": "rowCount", "mustBeLessThan": 9}


def subject(folder: Path, table: str, share: float | None = None, *quality: Any) -> AuditTarget:
    data = json.loads(contract("shop.things", "things", [("id", "bigint", {})], list(quality)))
    data["customProperties"] = [] if share is None else [{"property": "maxRowLoss", "value": share}]
    write(folder / "things.odcs.yaml", json.dumps(data))
    return AuditTarget(table, Contract.load(folder / "things.odcs.yaml"))


@pytest.mark.parametrize(
    ("table", "share", "quality", "expected"),
    [
        ("raw.things", None, [], 0.5),
        ("raw.things", None, [MOST], 0.5),
        ("raw.things", None, [LEAST], 0.5),
        ("raw.things", 0.2, [LEAST], 0.2),
        ("raw.things", 1, [], None),
        ("things", None, [], None),
        ("things", 0.1, [], 0.1),
        ("things", 0, [], 0),
    ],
)
def test_how_many_rows_may_be_lost(tmp_path: Path, table: str, share: Any, quality: Any, expected: float | None) -> None:
    assert volume.row_loss(subject(tmp_path, table, share, *quality)) == expected


@pytest.mark.parametrize(
    ("table", "rows", "before", "passed", "observed"),
    [
        ("raw.things", 5, 10, True, "5 of 10 rows"),
        ("raw.things", 4, 10, False, "4 of 10 rows"),
        ("raw.things", 20, 10, True, "20 of 10 rows"),
        ("raw.things", 1, 0, True, "1 row"),
        ("raw.things", 0, 0, False, "0 rows"),
        ("things", 600, 1200, True, "600 of 1,200 rows"),
        ("things", 599, 1200, False, "599 of 1,200 rows"),
    ],
)
def test_a_table_is_held_against_the_last_snapshot(
    tmp_path: Path, table: str, rows: int, before: int, passed: bool, observed: str
) -> None:
    file = tmp_path / "things.parquet"
    pl.DataFrame({"id": range(rows)}, {"id": pl.Int64}).write_parquet(file)
    manifest = {"sources": {"things": {"rows": before + 3, "quarantined": 3}}, "ports": {"things": {"rows": before}}}
    rule = "has rows, at least 50 % as many as in the last snapshot"
    assert volume.checks([subject(tmp_path, table, 0.5)], {table: [file]}, manifest if before else None) == (
        Check(table, rule, "contract", passed, observed=observed, note=volume.NOTE),
    )


def test_a_delivery_cut_short_leaves_the_last_snapshot_served(small: SmallMesh) -> None:
    """Also when it has as many rows as the contract allows."""
    small.replace("domains/shop/sources/sales.odcs.yaml", "      20,\n", "      2,\n")
    promised = expected_checks(small.product("shop"), Project((), ()), small.config.clock())
    rule = "has rows, at least 50 % as many as in the last snapshot"
    assert [(item.table, item.origin, item.severity) for item in promised if item.rule == rule] == [
        ("raw.sales", "contract", "error")
    ]
    version = small.publish("shop")
    header, *rows = small.feed.read_text().splitlines()
    small.feed_rows([header, *rows[7::9]])
    outcome = small.build("shop")
    assert outcome.message.splitlines() == [
        "'shop': 1 check failed, nothing was published",
        f"failed  raw.sales: {rule}  (contract)",
        f"        means:    {volume.NOTE}",
        "        observed: 3 of 30 rows",
    ]
    current = small.store.current("shop")
    assert current is not None
    assert (current.version, current.port("sales")["rows"]) == (version, 30)
