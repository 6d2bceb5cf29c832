import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.contracts.check import Check
from kit.contracts.contract import Contract
from kit.quality.audit_target import AuditTarget
from kit.quality.quarantine import SplitFile, set_aside
from kit.quality.table_checks import check_tables
from tests.support.small_mesh import contract, write

CLOCK = datetime(2024, 1, 10)
QUARANTINE = [{"property": "onFailure", "value": "quarantine"}]


def target(folder: Path, limit: float | None = None) -> AuditTarget:
    """The table `things`, whose rule about values sets rows aside when there is a limit, else blocks."""
    more: dict[str, Any] = {"logicalTypeOptions": {"minimum": 0}}
    columns = [
        ("id", "bigint", {"required": True}),
        ("value", "bigint", more | ({"customProperties": QUARANTINE} if limit else {})),
    ]
    data = json.loads(contract("shop.things", "things", columns))
    if limit:
        data["customProperties"] = [{"property": "quarantineLimit", "value": limit}]
    write(folder / "things.odcs.yaml", json.dumps(data))
    return AuditTarget("things", Contract.load(folder / "things.odcs.yaml"))


def checked(folder: Path, of: AuditTarget, values: list[int], last: dict[str, Any] | None = None) -> tuple[Check, ...]:
    file, part = folder / "things.parquet", SplitFile(folder / "stays.parquet", folder / "aside.parquet")
    pl.DataFrame({"id": list(range(len(values))), "value": values}).write_parquet(file)
    kept = set_aside(of.contract, file, {}, part)
    split = {"things": [part._replace(stays=kept)]} if of.contract.quarantining else {}
    return check_tables([of], {"things": [kept]}, split, CLOCK, last)


def shown(checks: tuple[Check, ...]) -> list[tuple[str, bool, str]]:
    return [(check.rule, check.passed, check.severity) for check in checks]


SCHEMA = ("has the contract's 2 columns and types", True, "error")
REQUIRED = ("id is required", True, "error")


@pytest.mark.parametrize("values", [[1, 2], [1, -2]])
def test_a_table_is_audited(tmp_path: Path, values: list[int]) -> None:
    checks = checked(tmp_path, target(tmp_path), values)
    assert shown(checks) == [SCHEMA, REQUIRED, ("value is at least 0", min(values) >= 0, "error")]


def test_the_rows_that_stay_are_audited_when_few_were_set_aside(tmp_path: Path) -> None:
    checks = checked(tmp_path, target(tmp_path, 0.5), [1, 2, -3])
    assert shown(checks) == [
        ("at most 50 % of the rows are set aside", True, "error"),
        ("value is at least 0", False, "warning"),
        SCHEMA,
        REQUIRED,
        ("value is at least 0", True, "error"),
    ]


def test_nothing_else_is_checked_when_too_many_rows_were_set_aside(tmp_path: Path) -> None:
    checks = checked(tmp_path, target(tmp_path, 0.5), [1, -2, -3])
    assert shown(checks) == [
        ("at most 50 % of the rows are set aside", False, "error"),
        ("value is at least 0", False, "warning"),
    ]
    assert checks[0].observed == "2 of 3 rows"


def test_the_volume_is_compared_with_the_last_snapshot(tmp_path: Path) -> None:
    of = target(tmp_path)
    data = json.loads(of.contract.path.read_text())
    write(of.contract.path, json.dumps({**data, "customProperties": [{"property": "maxRowLoss", "value": 0.5}]}))
    of = AuditTarget("things", Contract.load(of.contract.path))
    rule = "has rows, at least 50 % as many as in the last snapshot"
    found = {before: checked(tmp_path, of, [1, 2], {"ports": {"things": {"rows": before}}})[-1] for before in (4, 5)}
    assert {before: (check.rule, check.passed) for before, check in found.items()} == {4: (rule, True), 5: (rule, False)}
