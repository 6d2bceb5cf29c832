import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.contracts.contract import Contract
from kit.quality import quarantine
from kit.quality.audit_target import AuditTarget
from kit.quality.table_checks import check_tables
from tests.support.small_mesh import contract, write

CLOCK = datetime(2024, 1, 10)
LIMIT = "at most 25 % of the rows are set aside"


def checked(folder: Path, prices: list[int], last: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    """Verdict and observation of each check of a table that sets aside prices above 10."""
    aside = {"customProperties": [{"property": "onFailure", "value": "quarantine"}]}
    price = {"required": True, "logicalTypeOptions": {"maximum": 10}, **aside}
    data = json.loads(contract("shop.things", "things", [("price", "bigint", price)], []))
    data["customProperties"] = [{"property": "quarantineLimit", "value": 0.25}, {"property": "maxRowLoss", "value": 0.5}]
    write(folder / "things.odcs.yaml", json.dumps(data))
    split = quarantine.SplitFile(folder / "things.parquet", folder / "aside.parquet")
    pl.DataFrame({"price": prices}).write_parquet(split.stays)
    target = AuditTarget("things", Contract.load(folder / "things.odcs.yaml"))
    quarantine.set_aside(target.contract, split.stays, {}, split)
    checks = check_tables([target], {"things": [split.stays]}, {"things": [split]}, CLOCK, last)
    return {f"{check.rule} {check.verdict}": (check.verdict, check.observed) for check in checks}


def test_rows_are_set_aside_then_the_rest_is_audited(tmp_path: Path) -> None:
    found = checked(tmp_path, [1, 2, 3, 40], {"ports": {"things": {"rows": 3}}})
    assert {name: observed for name, (_, observed) in found.items() if "price" not in name} == {
        f"{LIMIT} passed": "1 of 4 rows",
        "has the contract's 1 columns and types passed": "",
        "has rows, at least 50 % as many as in the last snapshot passed": "3 of 3 rows",
    }
    assert found["price is at most 10 warned"] == ("warned", "1 of 4 rows set aside")
    assert found["price is at most 10 passed"][0] == "passed"


def test_a_small_delivery_fails_beside_the_last_snapshot(tmp_path: Path) -> None:
    found = checked(tmp_path, [1, 2], {"ports": {"things": {"rows": 5}}})
    assert found["has rows, at least 50 % as many as in the last snapshot failed"] == ("failed", "2 of 5 rows")


@pytest.mark.parametrize("prices", [[1, 20, 30], [40]])
def test_nothing_else_is_checked_when_too_many_rows_are_set_aside(tmp_path: Path, prices: list[int]) -> None:
    assert list(checked(tmp_path, prices)) == [f"{LIMIT} failed", "price is at most 10 warned"]
