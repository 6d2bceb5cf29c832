from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.check import Check
from kit.contracts.contract import Contract
from kit.contracts.rule_kinds import Assertion
from kit.contracts.rules import Rule
from kit.quality import audit as module
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.quality.verdicts import Judged, Verdicts, read_verdicts
from tests.support.contracts import contract
from tests.support.files import write

ROWS = {"things": "1", "raw.things": "2", "other": "3"}


@pytest.fixture
def target(tmp_path: Path) -> AuditTarget:
    columns = [("id", "bigint", {"required": True}), ("day", "date", {})]
    write(tmp_path / "things.odcs.yaml", contract("shop.things", "things", columns))
    return AuditTarget("things", Contract.load(tmp_path / "things.odcs.yaml"))


def rule(expectation: str, **kwargs: Any) -> Rule:
    return Rule("a rule", Assertion.from_expectation(expectation, kwargs))


def query(text: str) -> Rule:
    return rule("unexpected_rows_expectation", unexpected_rows_query=text)


UNIQUE = rule("expect_column_values_to_be_unique", column="id")
PASSED = Check("things", "a rule", "contract", True, observed="0 of 3 rows break it")


def held(target: AuditTarget, of: Rule, rows: dict[str, str], again: Rule | None = None, check: Check = PASSED) -> Check | None:
    """The result of a rule that was judged on `ROWS`, for a rule and the rows now."""
    first = Verdicts(ROWS, run_id="first")
    assert first.find(target, "contract", of) is None
    ((key, run_id),) = first.judged.values()
    return Verdicts(rows, {key: Judged(check, key, run_id)} if key else {}, "second").find(target, "contract", again or of)


def test_a_rule_on_the_same_rows_holds(target: AuditTarget) -> None:
    assert held(target, UNIQUE, ROWS) == PASSED
    assert held(target, UNIQUE, {**ROWS, "other": "4", "raw.things": "5"}) == PASSED
    assert held(target, UNIQUE, {**ROWS, "things": "4"}) is None
    assert held(target, UNIQUE, ROWS, replace(UNIQUE, severity="warning")) is None
    assert held(target, UNIQUE, ROWS, rule("expect_column_values_to_be_unique", column="day")) is None


@pytest.mark.parametrize(("changed", "holds"), [("things", False), ("raw.things", False), ("other", True)])
def test_a_query_depends_on_the_tables_it_reads(target: AuditTarget, changed: str, holds: bool) -> None:
    of = query("select * from {batch} where id not in (select id from raw.things)")
    assert (held(target, of, {**ROWS, changed: "9"}) is not None) == holds


@pytest.mark.parametrize(
    "of",
    [
        query("select * from {batch} where day > current_date"),
        query("select * from {batch} where id in (from query_table('other'))"),
        rule("expect_table_row_count_to_equal_other_table", other_table_name="other"),
    ],
)
def test_what_may_differ_another_time_is_judged_again(target: AuditTarget, of: Rule) -> None:
    assert held(target, of, ROWS) is None


def moment(first: str, last: str) -> Rule:
    return rule("expect_column_max_to_be_between", column="day", min_value=first, max_value=last)


@pytest.mark.parametrize(
    ("observed", "first", "holds"),
    [("2024-01-03", "2024-01-02", True), ("2024-01-03", "2024-01-04", False), ("masked", "2024-01-02", False)],
)
def test_the_age_of_the_newest_value_is_measured_by_its_new_bounds(
    target: AuditTarget, observed: str, first: str, holds: bool
) -> None:
    old, new = moment("2024-01-01", "2024-01-09"), moment(first, "2024-01-09")
    assert (held(target, old, ROWS, new, replace(PASSED, observed=observed)) is not None) == holds


def test_results_are_read_from_a_manifest() -> None:
    checks = [PASSED, replace(PASSED, rule="b", observed="could not be evaluated: x"), replace(PASSED, rule="c")]
    manifest = {"checks": [check.to_json() for check in checks], "verdicts": [("k", "r"), ("l", "r"), ("", "r")]}
    assert read_verdicts(manifest) == {"k": Judged(PASSED, "k", "r")}
    assert read_verdicts({"checks": manifest["checks"]}) == {}  # of an earlier kit


def test_an_audit_of_rules_that_all_hold_does_not_start_great_expectations(
    target: AuditTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polars as pl

    pl.DataFrame({"id": [1], "day": [None]}, {"id": pl.Int64, "day": pl.Date}).write_parquet(tmp_path / "things.parquet")
    tables, clock = {"things": [tmp_path / "things.parquet"]}, datetime(2024, 1, 10)
    first = Verdicts(ROWS, run_id="first")
    checks = audit([target], tables, clock, first)
    last = {key: Judged(check, key, run) for check in checks[1:] for key, run in [first.judged[place(check)]]}
    monkeypatch.delattr(module, "source_of") if hasattr(module, "source_of") else None
    assert audit([target], tables, clock, Verdicts(ROWS, last, "second")) == checks


def place(check: Check) -> tuple[str, str, str]:
    return check.table, check.rule, check.origin
