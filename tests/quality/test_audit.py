import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.contracts.check import Check, counts, explain
from kit.contracts.consumer_contract import ConsumerContract
from kit.contracts.contract import Contract
from kit.core.errors import InvalidFile
from kit.core.files import to_json
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from tests.support.small_mesh import contract, valid, write

CLOCK = datetime(2024, 1, 10)
GOOD = {"id": [1, 2, 3], "kind": ["a", "b", "a"], "value": [1.0, 2.0, 3.0], "day": ["2024-01-08", "2024-01-09", "2024-01-07"]}
COLUMNS: list[tuple[str, str, dict[str, Any]]] = [
    ("id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
    ("kind", "varchar", {"quality": [valid("a", "b")], "logicalTypeOptions": {"pattern": "^[a-z]{1}$", "maxLength": 3}}),
    ("value", "double", {"logicalTypeOptions": {"minimum": 0, "maximum": 10}}),
    ("day", "date", {"required": True}),
]
RULES: list[dict[str, Any]] = [
    {"name": "volume", "type": "library", "metric": "rowCount", "mustBeBetween": [2, 10]},
    {"name": "sums", "type": "sql", "query": "select sum(value) from ${table} as t where t.id > 0", "mustBeLessOrEqualTo": 100},
    {
        "name": "known to others", "type": "sql", "mustBe": 0,
        "query": "select count(*) from ${table} where id not in (select id from other.ids)",
    },
]  # fmt: skip
LATENCY = [{"property": "latency", "value": 2, "unit": "d", "element": "things.day"}]


LATE = "the newest day is at most 2 days old and not in the future"


class Bench:
    """One table with its contract, to be audited again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contract_text = contract("shop.things", "things", COLUMNS, RULES, LATENCY)
        pl.DataFrame({"id": list(range(100))}).write_parquet(folder / "ids.parquet")

    def audit(self, suite: Path | None = None, **changed: list[Any]) -> tuple[Check, ...]:
        frame = pl.DataFrame({**GOOD, **changed}, strict=False)
        if frame.schema["day"] == pl.String:
            frame = frame.with_columns(pl.col("day").str.to_date())
        frame.write_parquet(self.folder / "things.parquet")
        write(self.folder / "things.odcs.yaml", self.contract_text)
        tables = {"things": [self.folder / "things.parquet"], "other.ids": [self.folder / "ids.parquet"]}
        target = AuditTarget("things", Contract.load(self.folder / "things.odcs.yaml"), extra_suite=suite)
        return audit([target], tables, CLOCK)

    def failed(self, **changed: list[Any]) -> list[tuple[str, str]]:
        return [(check.rule, check.observed) for check in self.audit(**changed) if not check.passed]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_good_data_passes_every_rule(bench: Bench) -> None:
    checks = bench.audit()
    assert [check.rule for check in checks] == [
        "has the contract's 4 columns and types",
        "id is required",
        "id is unique",
        "length of kind is at most 3",
        "kind matches ^[a-z]{1}$",
        "known values: kind is one of 2 values",
        "value is between 0 and 10",
        "day is required",
        "value is finite",
        "volume: rows are between 2 and 10",
        "sums: its query gives <= 100",
        "known to others: its query gives = 0",
        "the newest day is at most 2 days old and not in the future",
    ]
    assert counts(checks) == {"passed": 13, "failed": 0, "warned": 0}


@pytest.mark.parametrize(
    ("changed", "rule", "observed"),
    [
        ({"id": [1, 1, 3]}, "id is unique", "2 of 3 rows break it"),
        ({"id": [1, None, 3]}, "id is required", "1 of 3 rows break it"),
        ({"kind": ["a", "b", "c"]}, "known values: kind is one of 2 values", "1 of 3 rows break it"),
        ({"kind": ["a", "b", "AB"]}, "kind matches ^[a-z]{1}$", "1"),
        ({"kind": ["a", "b", "abcd"]}, "length of kind is at most 3", "1 of 3 rows break it"),
        ({"value": [1.0, 2.0, 11.0]}, "value is between 0 and 10", "1 of 3 rows break it"),
        ({"value": [1.0, 2.0, float("nan")]}, "value is finite", "1"),
        ({"value": [1.0, 2.0, float("inf")]}, "value is finite", "1"),
        ({"id": [1, 2, 300]}, "known to others: its query gives = 0", "1"),
        (
            {"day": ["2024-01-07", "2024-01-06", "2024-01-01"]},
            "the newest day is at most 2 days old and not in the future",
            "2024-01-07",
        ),
        ({key: values[:1] for key, values in GOOD.items()}, "volume: rows are between 2 and 10", "1"),
        ({key: [] for key in GOOD}, "volume: rows are between 2 and 10", "0"),
    ],
)
def test_each_kind_of_rule_fails_on_what_breaks_it(
    bench: Bench, changed: dict[str, list[Any]], rule: str, observed: str
) -> None:
    if not any(changed.values()):  # an empty table keeps its types
        changed = {key: pl.Series(GOOD[key]).clear() for key in GOOD}  # type: ignore[misc]
        changed["day"] = pl.Series([], dtype=pl.Date)  # type: ignore[assignment]
    assert (rule, observed) in bench.failed(**changed)


def test_a_failed_check_shows_up_to_five_rows_with_their_key(bench: Bench) -> None:
    rows = 8
    checks = bench.audit(id=list(range(rows)), kind=["zz"] * rows, value=[1.0] * rows, day=["2024-01-09"] * rows)
    check = next(check for check in checks if check.rule.startswith("known values"))
    assert check.failing_rows == rows
    assert check.samples == tuple({"id": number, "kind": "zz"} for number in range(5))
    pattern = next(check for check in checks if check.rule.startswith("kind matches"))
    assert [row["id"] for row in pattern.samples] == [0, 1, 2, 3, 4]


def test_duplicates_of_a_compound_key_are_shown(bench: Bench) -> None:
    bench.contract_text = bench.contract_text.replace('"name": "kind",', '"name": "kind", "primaryKey": true,')
    checks = bench.audit(id=[1, 1, 3], kind=["a", "a", "a"])
    check = next(check for check in checks if check.rule == "id, kind together are unique")
    assert (check.observed, check.samples) == ("2 of 3 rows break it", ({"id": 1, "kind": "a"}, {"id": 1, "kind": "a"}))


def test_without_a_key_the_values_themselves_are_shown(bench: Bench) -> None:
    bench.contract_text = bench.contract_text.replace('"primaryKey": true', '"primaryKey": false')
    check = next(check for check in bench.audit(kind=["a", "b", "c"]) if check.rule.startswith("known values"))
    assert check.samples == ({"kind": "c"},)


def test_explain_says_rule_observed_value_and_rows(bench: Bench) -> None:
    text = explain(bench.audit(kind=["a", "b", "c"]))
    assert text.splitlines() == [
        "failed  things: known values: kind is one of 2 values  (contract)",
        "        observed: 1 of 3 rows break it",
        "        row:      id=3, kind=c",
    ]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select sum(value) + 100 from ${table}", "106.0"),
        ("select null", "None"),
        ("select sum(value) from ${table} where id > 9 group by id", "0 rows; the query must give one value"),
        ("select value from ${table}", "3 rows; the query must give one value"),
    ],
)
def test_a_query_that_gives_no_single_value_fails(bench: Bench, query: str, says: str) -> None:
    assert RULES[1]["query"] in bench.contract_text
    bench.contract_text = bench.contract_text.replace(RULES[1]["query"], query)
    (check,) = (check for check in bench.audit() if not check.passed)
    assert (check.rule, [str(row["observed"]) for row in check.samples]) == ("sums: its query gives <= 100", [says])


def test_wrong_columns_are_told_and_nothing_else_is_asked(bench: Bench) -> None:
    checks = bench.audit(id=["1", "2", "3"], extra=[1, 2, 3])
    assert [check.observed for check in checks] == [
        "column 'extra' (bigint) is not in the contract; column 'id' is varchar, the contract says bigint"
    ]
    assert checks[0].blocks


def test_a_warning_does_not_block(bench: Bench) -> None:
    bench.contract_text = bench.contract_text.replace('"name": "volume",', '"name": "volume", "severity": "warning",')
    checks = bench.audit(**{key: values[:1] for key, values in GOOD.items()})
    assert counts(checks) == {"passed": 12, "failed": 0, "warned": 1}


def suite(folder: Path, *expectations: dict[str, Any]) -> Path:
    import json

    write(folder / "things.extra.json", json.dumps({"name": "things.extra", "expectations": list(expectations)}))
    return folder / "things.extra.json"


def test_a_suite_is_run_beside_the_contract(bench: Bench, tmp_path: Path) -> None:
    mean = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "value", "min_value": 5}, "meta": {"notes": "why"}}
    again = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", "max_value": 2}, "severity": "warning"}
    failed = [check for check in bench.audit(suite(tmp_path, mean, again)) if not check.passed]
    assert [(check.rule, check.origin, check.severity, check.observed, check.note) for check in failed] == [
        ("column mean to be between: column=value, min_value=5", "suite", "error", "2.0", "why"),
        ("column values to be between: column=value, max_value=2", "suite", "warning", "1 of 3 rows break it", ""),
    ]


@pytest.mark.parametrize("most", [1.0, 10.0])
def test_the_verdict_of_a_quantile_survives_json(bench: Bench, tmp_path: Path, most: float) -> None:
    ranges = {"quantiles": [0.5], "value_ranges": [[0.0, most]]}
    quantile = {"type": "expect_column_quantile_values_to_be_between", "kwargs": {"column": "value", "quantile_ranges": ranges}}
    check = bench.audit(suite(tmp_path, quantile))[-1]
    assert Check.from_json(json.loads(to_json(check.to_json()))).passed is (most == 10.0)


def test_an_unknown_expectation_is_refused_not_dropped(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as error:
        bench.audit(suite(tmp_path, {"type": "expect_column_to_be_nice", "kwargs": {"column": "id"}}))
    assert str(error.value) == "things: expect_column_to_be_nice is no expectation that is installed"


def test_a_rule_that_cannot_be_evaluated_fails(bench: Bench, tmp_path: Path) -> None:
    query = {
        "type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": "select * from {batch} where nonsense > 1"},
    }
    failed = [check for check in bench.audit(suite(tmp_path, query)) if not check.passed]
    assert len(failed) == 1
    assert failed[0].observed.startswith("could not be evaluated: (_duckdb.BinderException) Binder Error: Referenced column")


def test_a_rule_cannot_leave_its_tables(bench: Bench, tmp_path: Path) -> None:
    kwargs = {"unexpected_rows_query": "select * from {batch}, '/etc/passwd.csv'"}
    failed = [
        check
        for check in bench.audit(suite(tmp_path, {"type": "unexpected_rows_expectation", "kwargs": kwargs}))
        if not check.passed
    ]
    assert [check.observed.partition(";")[0] for check in failed] == [
        "could not be evaluated: '/etc/passwd.csv' is not allowed: SQL reads its own product's tables and declared inputs, "
        "and writes only ports"
    ]


def test_a_check_survives_json() -> None:
    check = Check("t", "r", "suite", False, "warning", "3", 3, ({"id": 1},), "note")
    assert Check.from_json(check.to_json()) == check


def test_the_age_of_zoned_timestamps_is_measured_in_utc(tmp_path: Path) -> None:
    sla = [{"property": "latency", "value": 1, "unit": "d", "element": "events.at"}]
    write(tmp_path / "events.odcs.yaml", contract("shop.events", "events", [("at", "timestamptz", {})], [], sla))
    for hours, passed in ((23, True), (25, False)):
        at = pl.Series([CLOCK]).dt.offset_by(f"-{hours}h").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
        pl.DataFrame({"at": at}).write_parquet(tmp_path / "events.parquet")
        tables = {"events": [tmp_path / "events.parquet"]}
        checks = audit([AuditTarget("events", Contract.load(tmp_path / "events.odcs.yaml"))], tables, CLOCK)
        assert [check.passed for check in checks] == [True, passed], checks


def test_what_consumers_need_is_asked_too(bench: Bench) -> None:
    bench.audit()
    unknown = {"name": "typo", "type": "sql", "query": "select count(*) from ${table} where kin = 'a'", "mustBe": 0}
    curious = {"name": "curious", "type": "sql", "query": "select max(id) from other.ids", "mustBe": 99}
    narrow = [("value", "double", {"logicalTypeOptions": {"maximum": 2}, "description": "we take its root"})]
    needs = {
        "one": contract("one", "things", narrow, [unknown, curious]),
        "two": contract("two", "things", [("size", "double", {})]),
    }
    for name, text in needs.items():
        write(bench.folder / f"{name}.odcs.yaml", text)
    subject = AuditTarget(
        "things",
        Contract.load(bench.folder / "things.odcs.yaml"),
        needs=tuple(
            ConsumerContract(
                name, f"{name} owner", "o@example.com", "shop.things", Contract.load(bench.folder / f"{name}.odcs.yaml")
            )
            for name in needs
        ),
    )
    tables = {"things": [bench.folder / "things.parquet"], "other.ids": [bench.folder / "ids.parquet"]}
    found = [check for check in audit([subject], tables, CLOCK) if check.origin == "need"]
    assert [(check.rule, check.passed, check.severity, check.observed.partition(":")[0]) for check in found] == [
        ("needed by one: has the columns and types it reads (1)", True, "error", ""),
        ("needed by two: has the columns and types it reads (1)", False, "error", "column 'size' is missing, needed as double"),
        ("needed by one: value is at most 2", False, "error", "1 of 3 rows break it"),
        ("needed by one: value is finite", True, "error", "0"),
        ("needed by one: typo: its query gives = 0", False, "warning", "could not be evaluated"),
        ("needed by one: curious: its query gives = 99", False, "warning", "could not be evaluated"),
    ]
    assert found[2].samples == ({"id": 3, "value": 3.0},)
    assert found[2].note == "one owner (o@example.com) states it in one/consumes/one.odcs.yaml"
