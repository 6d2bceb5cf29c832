"""Rows that break a quarantining rule: which they are, how they are told, and what a build publishes of them."""

import json
import math
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.contracts.contract import Contract
from kit.contracts.rule_query import Query
from kit.core.errors import InvalidFile, SqlError
from kit.jupyter.session_pins import SessionPins
from kit.jupyter.sql_session import SqlSession
from kit.quality import quarantine
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.quality.quarantine import SplitFile, condition_of
from tests.support.small_mesh import SmallMesh, contract, valid, write

ASIDE = {"property": "onFailure", "value": "quarantine"}
CLOCK = datetime(2024, 1, 10)


def column(**more: Any) -> dict[str, Any]:
    return {"customProperties": [ASIDE], **more}


def things(folder: Path, columns: list[Any], quality: Any = (), limit: Any = 0.5, **more: Any) -> Contract:
    data = json.loads(contract("shop.things", "things", columns, list(quality)))
    data["customProperties"] = [{"property": "quarantineLimit", "value": limit}] if limit is not None else []
    write(folder / "things.odcs.yaml", json.dumps({**data, **more}))
    return Contract.load(folder / "things.odcs.yaml")


def split(folder: Path, promise: Contract, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    frame.write_parquet(folder / "things.parquet")
    part = SplitFile(folder / "things.parquet", folder / "aside.parquet")
    quarantine.set_aside(promise, part.stays, {}, part)
    return pl.read_parquet(part.stays), pl.read_parquet(part.aside)


COLUMNS = [
    ("id", "bigint", column(required=True, primaryKey=True)),
    ("kind", "varchar", column(logicalTypeOptions={"pattern": "^[a-zé']+$", "maxLength": 4, "minLength": 1})),
    ("price", "decimal(10,2)", column(logicalTypeOptions={"minimum": 0.1, "maximum": 10})),
    ("value", "double", column(logicalTypeOptions={"minimum": 0})),
    ("day", "date", column(logicalTypeOptions={"minimum": "2024-01-01", "maximum": "2024-12-31"})),
    ("at", "timestamp", column(logicalType="timestamp", logicalTypeOptions={"maximum": "2024-06-01 12:00:00"})),
    ("colour", "varchar", {"quality": [{**valid("red", "gr'ün"), "customProperties": [ASIDE]}]}),
]  # fmt: skip
GOOD = {
    "id": 1, "kind": "tea", "price": Decimal("1.00"), "value": 1.0, "day": date(2024, 1, 1),
    "at": datetime(2024, 1, 1), "colour": "red",
}  # fmt: skip
NASTY: list[dict[str, Any]] = [
    {}, {"id": None}, {"id": 3}, {"id": 3}, {"id": 4, "kind": ""}, {"id": 5, "kind": "a'é"}, {"id": 6, "kind": "TEA"},
    {"id": 7, "kind": "teeth"}, {"id": 8, "price": Decimal("0.09")}, {"id": 9, "price": Decimal("0.10")},
    {"id": 10, "price": Decimal("10.01")}, {"id": 11, "value": math.nan}, {"id": 12, "value": math.inf},
    {"id": 13, "value": -0.0}, {"id": 14, "value": -1.0}, {"id": 15, "day": date(2023, 12, 31)},
    {"id": 16, "day": date(2024, 12, 31)}, {"id": 17, "at": datetime(2024, 6, 1, 12, 0, 1)}, {"id": 18, "colour": "blue"},
    {"id": 19, "colour": "gr'ün"}, {"id": 20, "colour": ""}, {"id": None},
    {"id": 21, **dict.fromkeys(["kind", "price", "value", "day", "at", "colour"])},
]  # fmt: skip


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    types = {"price": pl.Decimal(10, 2), "at": pl.Datetime("us")}
    return pl.DataFrame([{**GOOD, **row} for row in rows], schema_overrides=types)


def test_just_the_rows_the_audit_counts_are_set_aside(tmp_path: Path) -> None:
    promise = things(tmp_path, COLUMNS)
    frame(NASTY).write_parquet(tmp_path / "things.parquet")
    subjects, tables = [AuditTarget("things", promise)], {"things": [tmp_path / "things.parquet"]}
    judged = {check.rule: check for check in audit(subjects, tables, CLOCK)}
    stays, aside = split(tmp_path, promise, frame(NASTY))
    told = dict(aside["rule"].value_counts().iter_rows())
    counted = {name: check.failing_rows or int(check.observed) for name, check in judged.items() if not check.passed}
    assert told == counted
    assert len(told) == 10
    assert stays["id"].to_list() == [1, 5, 9, 13, 16, 19, 21]
    assert all(check.passed for check in audit(subjects, tables, CLOCK))


def test_each_row_is_told_with_rule_reason_and_payload(tmp_path: Path) -> None:
    promise = things(tmp_path, COLUMNS)
    bad = [{}, {"id": None, "kind": "ß"}, {"id": 1, "price": Decimal("12.30")}]
    stays, aside = split(tmp_path, promise, frame(bad))
    assert stays.height == 0
    assert [row[:3] for row in aside.iter_rows()] == [
        (1, "id is unique", "id is 1 in more than one row"),
        (2, "id is required", "id is null"),
        (2, "kind matches ^[a-zé']+$", "kind is 'ß'"),
        (3, "id is unique", "id is 1 in more than one row"),
        (3, "price is between 0.1 and 10", "price is 12.30"),
    ]
    assert json.loads(aside["payload"][4]) == {
        "id": 1, "kind": "tea", "price": "12.30", "value": "1.0", "day": "2024-01-01", "at": "2024-01-01 00:00:00",
        "colour": "red",
    }  # fmt: skip


def test_nothing_is_rewritten_when_nothing_is_wrong(tmp_path: Path) -> None:
    promise = things(tmp_path, COLUMNS)
    for rows in (frame([{}]), frame([{}]).clear()):
        rows.write_parquet(tmp_path / "things.parquet")
        before = (tmp_path / "things.parquet").read_bytes()
        part = SplitFile(tmp_path / "rest.parquet", tmp_path / "aside.parquet")
        assert quarantine.set_aside(promise, tmp_path / "things.parquet", {}, part) == tmp_path / "things.parquet"
        assert (tmp_path / "things.parquet").read_bytes() == before
        aside = pl.read_parquet(part.aside)
        assert (aside.columns, aside.height) == (["row_number", "rule", "reason", "payload"], 0)


def test_a_compound_key_and_a_query_of_the_contract(tmp_path: Path) -> None:
    key = [(name, "bigint", column(primaryKey=True, primaryKeyPosition=i)) for i, name in enumerate("ab", 1)]
    query = {"unexpected_rows_query": "select t.* from ${table} t where t.c > (select max(b) from {batch})"}
    custom = {
        "type": "custom", "engine": "greatExpectations", "name": "small", "description": "c follows b",
        "implementation": {"type": "unexpected_rows_expectation", "kwargs": query}, "customProperties": [ASIDE],
    }  # fmt: skip
    promise = things(tmp_path, [*key, ("c", "bigint", {})], [custom])
    stays, aside = split(tmp_path, promise, pl.DataFrame({"a": [1, 1, 1, 2], "b": [1, 1, 2, 2], "c": [0, 0, 3, None]}))
    assert stays.rows() == [(2, 2, None)]
    assert aside.drop("payload").rows() == [
        (1, "a, b together are unique", "a is 1, b is 1 in more than one row"),
        (2, "a, b together are unique", "a is 1, b is 1 in more than one row"),
        (3, "small: no row where t.c > (select max(b) from {batch})", "c follows b"),
    ]


def test_personal_values_are_not_told(tmp_path: Path) -> None:
    personal = column(required=True, classification="personal", logicalTypeOptions={"maxLength": 3})
    promise = things(tmp_path, [("name", "varchar", personal), ("n", "bigint", {})])
    _, aside = split(tmp_path, promise, pl.DataFrame({"name": ["Ada Lovelace", "Bob", None], "n": [2, 3, 1]}))
    # Nor where the row stood in the feed, which may be sorted by name.
    assert aside.rows() == [
        (1, "name is required", "name is null", '{"n":1}'),
        (2, "length of name is at most 3", "name is personal and not shown", '{"n":2}'),
    ]


def test_masked_values_are_not_told(tmp_path: Path) -> None:
    masked = {**column(), "customProperties": [ASIDE, {"property": "mask", "value": "hmac"}]}
    promise = things(tmp_path, [("name", "varchar", {**masked, "logicalTypeOptions": {"maxLength": 3}}), ("n", "bigint", {})])
    _, aside = split(tmp_path, promise, pl.DataFrame({"name": ["Ada Lovelace"], "n": [1]}))
    assert aside.rows() == [(1, "length of name is at most 3", "name is masked and not shown", '{"n":1}')]


def test_checks_say_how_many_and_whether_they_are_too_many(tmp_path: Path) -> None:
    columns = [("id", "bigint", {"primaryKey": True}), ("n", "bigint", column(logicalTypeOptions={"minimum": 0}))]
    promise = things(tmp_path, columns, limit=0.25)
    parts = []
    for name, values in {"a": [1, 2, -1, 4], "b": [5, -2, 7, -3]}.items():
        part = SplitFile(tmp_path / f"{name}.parquet", tmp_path / f"{name}.aside.parquet")
        pl.DataFrame({"id": range(4), "n": values}).write_parquet(part.stays)
        quarantine.set_aside(promise, part.stays, {}, part)
        parts.append(part)
    limit, told = quarantine.checks(promise, "things", parts)
    assert (limit.rule, limit.blocks, limit.observed) == ("at most 25 % of the rows are set aside", True, "2 of 4 rows of b")
    assert (told.rule, told.passed, told.severity, told.observed, told.failing_rows) == (
        "n is at least 0", False, "warning", "3 of 8 rows set aside", 3,
    )  # fmt: skip
    assert told.samples == ({"id": 1, "n": -2}, {"id": 2, "n": -1}, {"id": 3, "n": -3})
    assert quarantine.checks(promise, "things", parts[:1])[0].passed


RANGE = {"logicalTypeOptions": {"minimum": 0}}
ROWS = {"type": "library", "metric": "rowCount", "mustBe": 3}
NULLS = {"type": "library", "metric": "nullValues", "mustBeLessOrEqualTo": 5, "unit": "percent"}
SCALAR = {"type": "sql", "query": "select count(*) from ${table}", "mustBe": 3}


@pytest.mark.parametrize(
    ("options", "quality", "limit", "says"),
    [
        (column(**RANGE), [], None, "write customProperties: [{property: quarantineLimit, value: 0.01}]"),
        (column(**RANGE), [], 1, "quarantineLimit: 1 is not a share between 0 and 1 such as 0.01"),
        (column(**RANGE), [], "1 %", "quarantineLimit: '1 %' is not a share between 0 and 1"),
        (RANGE, [], 0.1, "customProperties.0.value: quarantineLimit: no rule sets rows aside"),
        (RANGE, [{**ROWS, "customProperties": [ASIDE]}], 0.1, "'rows are between 3 and 3' selects no rows to set aside; only"),
        (RANGE, [{**SCALAR, "customProperties": [ASIDE]}], 0.1, "'its query gives = 3' selects no rows to set aside; only"),
        ({"quality": [{**NULLS, "customProperties": [ASIDE]}]}, [], 0.1, "'at most 5 % of n are null' selects no rows"),
        (RANGE, [{**ROWS, "customProperties": [{**ASIDE, "value": "stop"}]}], None, "'stop' is not one of block, quarantine"),
        (
            {"quality": [{**valid("a"), "severity": "warning", "customProperties": [ASIDE]}]}, [], 0.1,
            "onFailure: 'quarantine' contradicts 'severity: warning', which is warn; keep one of them",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(tmp_path: Path, options: Any, quality: Any, limit: Any, says: str) -> None:
    with pytest.raises(InvalidFile) as error:
        things(tmp_path, [("n", "bigint", options)], quality, limit)
    assert str(error.value).startswith(f"{tmp_path}/things.odcs.yaml:")
    assert says in str(error.value)


def test_warn_and_block_are_the_severities(tmp_path: Path) -> None:
    warn, block = ({"customProperties": [{"property": "onFailure", "value": value}]} for value in ("warn", "block"))
    columns = [("a", "double", {**RANGE, **warn}), ("b", "double", block), ("c", "double", {})]
    promise = things(tmp_path, columns, [{**ROWS, "severity": "warning", **warn}], None)
    assert [(rule.name, rule.severity) for rule in promise.rules] == [
        ("a is at least 0", "warning"), ("a is finite", "warning"), ("b, c are finite", "error"),
        ("rows are between 3 and 3", "warning"),
    ]  # fmt: skip


def test_a_key_sets_rows_aside_when_all_its_columns_do(tmp_path: Path) -> None:
    key = {"primaryKey": True}
    promise = things(tmp_path, [("a", "bigint", column(**key)), ("b", "bigint", {**key, "primaryKeyPosition": 2})])
    assert [rule.name for rule in promise.quarantining] == ["a is required"]


def quarantining(small: SmallMesh, path: str, limit: float, name: str = "amount") -> None:
    file = small.domains / path
    data = json.loads(file.read_text())
    others = [item for item in data.get("customProperties", ()) if item["property"] != "quarantineLimit"]
    data["customProperties"] = [*others, {"property": "quarantineLimit", "value": limit}]
    for item in data["schema"][0]["properties"]:
        if item["name"] == name:
            item["customProperties"] = [ASIDE]
    write(file, json.dumps(data))


@pytest.mark.slow
def test_a_build_sets_aside_raw_rows_and_rows_of_a_port(small: SmallMesh) -> None:
    rows = small.feed.read_text().splitlines()
    small.feed_rows([*rows, "31,tea,-5.00,2024-01-09", "32,tea,900.00,2024-01-09"])
    quarantining(small, "shop/sources/sales.odcs.yaml", 0.1)
    quarantining(small, "shop/contracts/sales.odcs.yaml", 0.1)
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"maximum": 1000', '"maximum": 500')
    # What is made from the port agrees with what is published of it.
    small.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales", "from sales")
    version = small.publish("shop")
    manifest = small.store.snapshot("shop", version).manifest
    ports = manifest["ports"]
    assert {name: entry["rows"] for name, entry in ports.items()} == {
        "sales": 30, "totals": 2, "raw.sales__quarantine": 1, "sales__quarantine": 1,
    }  # fmt: skip
    assert (manifest["sources"]["sales"]["rows"], manifest["sources"]["sales"]["quarantined"]) == (32, 1)
    assert (ports["sales"]["quarantined"], ports["sales"]["checks"]["warned"]) == (1, 1)
    assert "quarantined" not in ports["totals"]
    told = small.kit("read", "shop.raw.sales__quarantine", "--json")
    assert json.loads(told.stdout)[0] == {
        "row_number": 31, "rule": "amount is between 0 and 1000", "reason": "amount is -5.00",
        "payload": '{"sale_id":31,"item":"tea","amount":"-5.00","sold_on":"2024-01-09"}',
    }  # fmt: skip
    status = json.loads(small.kit("status", "--json").stdout)[0]
    assert (status["quarantined"], status["raw_quarantined"]) == (1, {"raw.sales": 1})
    session = SqlSession(SessionPins(small.config))
    with closing(session.pins):
        assert session.query("select rule from shop.sales__quarantine", {}).height == 1
        assert session.query('select row_number from shop."raw.sales__quarantine"', {}).rows() == [(31,)]
        assert 'shop."raw.sales__quarantine"' in session.query("show tables", {})["table"].to_list()
        with pytest.raises(SqlError, match=r'has three parts; write shop\."raw\.sales__quarantine"'):
            session.query("from shop.raw.sales__quarantine", {})
    assert "sales__quarantine" not in (small.store.folder("shop") / "catalog.yaml").read_text()

    # Too many: the readers keep what they have.
    quarantining(small, "shop/sources/sales.odcs.yaml", 0.01)
    outcome = small.build("shop")
    assert outcome.message.splitlines() == [
        "'shop': 1 check failed, nothing was published",
        "failed  raw.sales: at most 1 % of the rows are set aside  (contract)",
        "        observed: 1 of 32 rows",
        "warning  raw.sales: amount is between 0 and 1000  (contract)",
        "        observed: 1 of 32 rows set aside",
        "        row:      sale_id=31, amount=-5.00",
    ]
    assert small.store.read_pointer("shop").version == version  # type: ignore[union-attr]


@pytest.mark.slow
def test_partitions_carry_over_what_was_set_aside(small: SmallMesh) -> None:
    small.partitioned_shop()
    quarantining(small, "shop/contracts/sales.odcs.yaml", 0.1)
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"maximum": 1000', '"maximum": 29')
    first = small.store.snapshot("shop", small.publish("shop"))
    small.replace("domains/shop/models/marts/sales.sql", "order by sale_id", "order by sale_id desc")
    second = small.store.snapshot("shop", small.publish("shop", partitions=("tea",)))
    before, after = (item.port("sales__quarantine")["files"] for item in (first, second))
    assert (list(after), after["cake.parquet"]) == (["cake.parquet", "tea.parquet"], before["cake.parquet"])
    assert [item.port("sales")["quarantined"] for item in (first, second)] == [2, 2]
    warned = [check["observed"] for check in second.manifest["checks"] if check["severity"] == "warning"]
    assert "2 of 30 rows set aside" in warned


def test_what_was_set_aside_is_no_port(small: SmallMesh) -> None:
    small.replace("domains/plan/product.odps.yaml", "shop.totals", "shop.totals__quarantine")
    small.replace("domains/shop/product.odps.yaml", '"name": "totals"', '"name": "to__tals"')
    small.replace("domains/shop/product.odps.yaml", '"shop.totals"', '"shop.to__tals"')
    messages = {item.name: item.finding.message for item in small.mesh.broken}
    assert messages == {
        "plan": "inputPorts.0.name: 'shop.totals__quarantine' is no port: names with '__' are quarantine tables; "
        "read 'shop.totals'",
        "shop": "outputPorts.1.contractId: 'to__tals' holds '__', which marks quarantine tables; write one _ instead",
    }


def test_only_a_condition_for_each_row_is_filtered_without_sorting() -> None:
    assert condition_of(Query.rows_where("amount < 0 or amount > 5")) == "amount < 0 or amount > 5"
    for text in ("a > (select 1)", "a > 1 order by a", "a > 1 -- low", "a in (from other)", "row_number() over () > 1"):
        assert condition_of(Query.rows_where(text)) is None
    assert condition_of(Query(("select * from ", " semi join ", " using (id)"))) is None


@pytest.mark.parametrize("by", ["a condition", "a key"])
def test_the_rows_that_stay_are_the_same_bytes_each_time(tmp_path: Path, by: str) -> None:
    rows = 400_000
    frame = pl.DataFrame({"id": range(rows)}).with_columns(amount=pl.col("id") % 1000)
    if by == "a key":
        frame = frame.with_columns(id=pl.when(pl.col("id") == 7).then(8).otherwise("id"))
    frame.write_parquet(tmp_path / "things.parquet", row_group_size=20_000)
    aside = {"customProperties": [ASIDE]}
    range_ = {"logicalTypeOptions": {"maximum": 998}, **(aside if by == "a condition" else {})}
    columns = [("id", "bigint", {"unique": True, **(aside if by == "a key" else {})}), ("amount", "bigint", range_)]
    promise = things(tmp_path, columns)
    digests = set()
    for number in range(4):
        part = SplitFile(tmp_path / f"stays{number}.parquet", tmp_path / f"aside{number}.parquet")
        quarantine.set_aside(promise, tmp_path / "things.parquet", {}, part)
        digests.add(part.stays.read_bytes())
    assert len(digests) == 1
    kept = pl.read_parquet(part.stays)
    assert kept.equals(frame.filter(pl.col("amount") <= 998) if by == "a condition" else frame.filter(pl.col("id") != 8))
