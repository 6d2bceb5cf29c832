import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jinja2 import Template

from kit.contracts.check import explain
from kit.contracts.contract import Contract
from kit.core.config import Config
from kit.core.errors import KitError
from kit.core.yaml import read_yaml
from kit.dbt.committed import macros
from kit.mesh.context import Context
from kit.mesh.mesh import Mesh
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.scaffold.contract_draft import draft
from kit.sync.sync import sync
from tests.conftest import examples
from tests.contracts.test_rule_query import VALUES as HAZARDS
from tests.support.small_mesh import descriptor, write


def drafted(frame: pl.DataFrame, folder: Path) -> str:
    frame.write_parquet(folder / "sales.parquet")
    return draft([folder / "sales.parquet"], "shop.sales")


def loaded(text: str, folder: Path) -> Contract:
    (folder / "sales.odcs.yaml").write_text(text, encoding="utf-8")
    return Contract.load(folder / "sales.odcs.yaml")


def keys(frame: pl.DataFrame, folder: Path) -> tuple[str, ...]:
    return loaded(drafted(frame, folder), folder).key


def test_a_draft_says_what_the_data_shows(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "sale_id": range(101, 141),
            "item": ["tea", "cakes & more"] * 20,
            "amount": [Decimal("7.35"), None] * 20,
            "sold_on": [date(2017, 3, 4), date(2018, 2, 1)] * 20,
            "note": [f"nr {number}" for number in range(40)],
            "is_paid": [True, False] * 20,
        },
        schema_overrides={"amount": pl.Decimal(10, 2)},
    )
    assert (
        drafted(frame, tmp_path)
        == """\
apiVersion: v3.1.0
kind: DataContract
id: shop.sales
version: 1.0.0
status: draft
schema:
  - name: sales
    physicalType: table
    description: "TODO: One row per …"
    properties:
      - name: sale_id
        logicalType: integer
        physicalType: bigint
        description: "TODO: what it means, in which unit"
        required: true
        classification: "TODO: public, internal, confidential, personal?"
        primaryKey: true
        primaryKeyPosition: 1
        logicalTypeOptions: {minimum: 0}
      - name: item
        logicalType: string
        physicalType: varchar
        description: "TODO: what it means, in which unit"
        required: true
        classification: "TODO: public, internal, confidential, personal?"
        # Seen: 2 values. To allow no others:
        # quality: [{metric: invalidValues, arguments: {validValues: ["cakes & more", tea]}, mustBe: 0}]
      - name: amount
        logicalType: number
        physicalType: "decimal(10,2)"
        description: "TODO: what it means, in which unit"
        required: false
        classification: "TODO: public, internal, confidential, personal?"
        logicalTypeOptions: {minimum: 0}
        # Seen: 7.35 to 7.35. To bound them, in place of the line above:
        # logicalTypeOptions: {minimum: 7, maximum: 8}
      - name: sold_on
        logicalType: date
        physicalType: date
        description: "TODO: what it means, in which unit"
        required: true
        classification: "TODO: public, internal, confidential, personal?"
        # Seen: 2017-03-04 to 2018-02-01. To bound them:
        # logicalTypeOptions: {minimum: "2017-01-01", maximum: "2018-12-31"}
      - name: note
        logicalType: string
        physicalType: varchar
        description: "TODO: what it means, in which unit"
        required: true
        classification: "TODO: public, internal, confidential, personal?"
        # Seen: 4 to 5 characters. To bound them:
        # logicalTypeOptions: {minLength: 1, maxLength: 5}
      - name: is_paid
        logicalType: boolean
        physicalType: boolean
        description: "TODO: what it means, in which unit"
        required: true
        classification: "TODO: public, internal, confidential, personal?"
    # Seen: 40 rows. To bound their number:
    # quality: [{metric: rowCount, mustBeBetween: [20, 80]}]
slaProperties:
  - property: frequency
    value: 1
    unit: d
    description: "TODO: how often it is published"
  - property: latency
    value: 2
    unit: d
    description: "TODO: how old its last delivery may be; with element: sales.COLUMN the newest date there"
"""
    )


FIVE = [date(2024, 1, day) for day in range(1, 6)]


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        # An identifier, wherever it is; the one of the table before others.
        ({"name": ["a", "b"], "customer_id": [7, 9], "n": [1, 2]}, ("customer_id",)),
        ({"customer_id": [7, 9], "sale_id": [3, 8]}, ("sale_id",)),
        ({"customer_id": [7, 9], "id": [3, 8]}, ("id",)),
        ({"tailnum": ["N1", "N2"], "year": [1999, 2000], "seats": [8, 20]}, ("tailnum",)),
        # Measures, amounts and texts happen to be unique; nothing else is here.
        ({"carrier": ["9E", "AA", "9E"], "n": [3, 7, 9]}, ()),
        ({"n": [1, 2, 3]}, ()),
        ({"total_amount": [1, 2, 3]}, ()),
        ({"num_orders": [1, 2, 3]}, ()),
        ({"customer_name": ["a", "b"], "age": [30, 40]}, ()),
        ({"amount": [1.5, 2.5, 3.5], "price": [Decimal("1"), Decimal("2"), Decimal("3")]}, ()),
        ({"seen_at": [datetime(2024, 1, 1, hour) for hour in range(3)], "temp": [1.0, 2.0, 3.0]}, ()),
        ({"paid": [1, 5, 9]}, ()),
        # Identifiers, dates and categories together.
        ({"order_id": [1, 1, 2, 2], "product_id": [1, 2, 1, 2], "qty": [4, 5, 6, 7]}, ("order_id", "product_id")),
        ({"day": FIVE * 2, "carrier": ["a"] * 5 + ["b"] * 5, "flights": list(range(10))}, ("day", "carrier")),
        ({"region": ["n", "s"] * 2, "kind": ["a", "a", "b", "b"]}, ()),
        # The first column, if it numbers, names or dates the rows.
        ({"carrier": ["9E", "AA"], "name": ["Endeavor", "American"]}, ("carrier",)),
        ({"day": FIVE, "flights": [1, 2, 3, 4, 5]}, ("day",)),
        ({"a": [1, 2, 3]}, ("a",)),
        ({"a": [1, 2, 9]}, ()),
        # Nulls and repeated values spoil it.
        ({"sale_id": [1, None]}, ()),
        ({"sale_id": [1, 1]}, ()),
        ({"sale_id": []}, ()),
    ],
)  # fmt: skip
def test_the_key_are_the_columns_that_identify_a_row_by_name_and_type(
    tmp_path: Path, columns: dict[str, list[object]], key: tuple[str, ...]
) -> None:
    types = {"sale_id": pl.Int64} if "sale_id" in columns else {}
    assert keys(pl.DataFrame(columns, schema_overrides=types), tmp_path) == key


def test_a_draft_without_a_key_asks_for_it(tmp_path: Path) -> None:
    text = drafted(pl.DataFrame({"carrier": ["9E", "AA", "9E"], "n": [3, 7, 9]}), tmp_path)
    assert (
        text.partition("physicalType: table\n")[2].partition("    properties:")[0]
        == """\
    description: "TODO: One row per …; which columns identify it? Write primaryKey: true at them"
    # No value is there twice in n, which may be chance.
"""
    )


GROWN = {
    "user_id": [1, 2, 99, 100, 5_000_000],
    "name": ["Al", "Bo", "Cy", "Di", "Ekaterina-Maximiliana"],
    "kind": ["a", "a", "b", "b", "new"],
    "amount": [1.5, 2.0, 9.0, 3.0, 1e9],
    "temperature": [1.0, 2.0, 9.0, 3.0, -40.0],
    "seen_on": [date(2024, 1, 1)] * 4 + [date(2031, 7, 8)],
}


def test_the_next_delivery_keeps_what_was_drafted(tmp_path: Path) -> None:
    """Larger numbers, longer and new texts, later days and more rows break nothing; a missing or negative value does."""
    today = pl.DataFrame({name: [*values[:4] * 10][:4] for name, values in GROWN.items()})
    contract = loaded(drafted(today, tmp_path), tmp_path)
    assert [rule.name for rule in contract.rules if "required" not in rule.name] == [
        "user_id is unique", "user_id is at least 0", "amount is at least 0", "numbers are finite",
    ]  # fmt: skip
    pl.DataFrame(GROWN).write_parquet(tmp_path / "grown.parquet")
    checks = audit([AuditTarget("sales", contract)], {"sales": [tmp_path / "grown.parquet"]}, datetime(2024, 1, 1))
    assert [check.rule for check in checks if not check.passed] == []


def promised(text: str) -> str:
    """A draft with everything that it proposes, in place of what it promises of the same field."""
    text = re.sub(r"(?m)^ +logicalTypeOptions: .*\n(?= +# Seen: .*\n +# logicalTypeOptions)", "", text)
    return re.sub("(?m)^( +)# (quality|logicalTypeOptions): ", r"\1\2: ", text)


def test_a_proposal_is_a_promise_without_its_mark(tmp_path: Path) -> None:
    frame = pl.DataFrame({"item": ["tea", "cake"] * 20, "born": [date(1990, 1, 1)] * 40})
    text = promised(drafted(frame, tmp_path))
    assert [rule.name for rule in loaded(text, tmp_path).rules if "required" not in rule.name] == [
        "item is one of 2 values", "born is between 1990-01-01 and 1990-12-31", "rows are between 20 and 80",
    ]  # fmt: skip


def test_rows_that_repeat_late_spoil_a_key(tmp_path: Path) -> None:
    assert keys(pl.DataFrame({"a": [*range(20_000), 5]}), tmp_path) == ()


def test_what_no_contract_can_hold_is_named(tmp_path: Path) -> None:
    with pytest.raises(KitError, match=r"'shop.sales': the column 'Sale ID' cannot be promised; rename it with a-z"):
        drafted(pl.DataFrame({"Sale ID": [1]}), tmp_path)
    with pytest.raises(
        KitError, match=r"'shop.sales': the column 'a' is struct\(x bigint\), which no contract can promise; cast"
    ):
        drafted(pl.DataFrame({"a": [{"x": 1}]}), tmp_path)
    (tmp_path / "sales.parquet").write_text("sale_id\n1\n")
    with pytest.raises(KitError, match=r"'shop.sales': the files cannot be read as Parquet: "):
        draft([tmp_path / "sales.parquet"], "shop.sales")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FINITE = {"allow_nan": False, "allow_infinity": False}
VALUES = {
    "whole": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "small": (pl.Int8, st.integers(-128, 127)),
    "price": (pl.Decimal(38, 9), st.decimals(-(10**20), 10**20, places=9, **FINITE)),
    "ratio": (pl.Float64, st.floats(**FINITE)),
    "thin": (pl.Float32, st.floats(width=32, **FINITE)),
    "label": (pl.String, TEXTS),
    "kind": (pl.String, st.sampled_from(["tea", "é", "no", *HAZARDS])),
    "day": (pl.Date, st.dates()),
    "moment": (pl.Datetime("us"), st.datetimes()),
    "zoned": (pl.Datetime("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "flag": (pl.Boolean, st.booleans()),
    "many": (pl.List(pl.Int64), st.lists(st.integers(0, 9), max_size=2)),
    "bytes": (pl.Binary, st.binary(max_size=3)),
}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Rows with nulls, repeated up to thirty times, so that small sets of values appear."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6, unique=True))
    rows = draw(st.lists(st.tuples(*(st.none() | VALUES[name][1] for name in names)), max_size=8))
    return pl.DataFrame(rows * draw(st.sampled_from([1, 30])), {name: VALUES[name][0] for name in names}, orient="row")


@pytest.mark.hypothesis
def test_data_keeps_what_is_drafted_from_it_and_what_sync_makes_of_that(tmp_path: Path) -> None:
    """Whatever the data: the draft with its proposals is a valid contract, and its suite and dbt tests find no fault."""
    subjects: list[AuditTarget] = []

    @settings(max_examples=examples(12), suppress_health_check=list(HealthCheck))
    @given(frames())
    @example(pl.DataFrame({"label": ["${table}", "'${table}' {batch} {{ x }} :a", "\r\n", "a\0b"] * 30}))
    @example(pl.DataFrame({"thin": [1e-05]}, {"thin": pl.Float32}))
    def take(frame: pl.DataFrame) -> None:
        root = tmp_path / f"table{len(subjects)}"
        shop = root / "domains/shop"
        write(root / "pyproject.toml", "[tool.kit]\n")
        write(shop / "product.odps.yaml", descriptor("shop", outputs={"sales": "dbt"}))
        write(shop / "dbt_project.yml", "name: shop\n")
        write(shop / "models/sales.sql", "select 1\n")
        write(shop / "contracts/sales.odcs.yaml", promised(drafted(frame, root)))
        mesh = Mesh.load(root / "domains")
        sync(Context(Config.load(root, {})))
        promise = mesh.product("shop").ports[0].contract
        suite = shop / "expectations/sales.json"
        subjects.append(AuditTarget(root.name, promise, suite, suite if promise.rules else None))
        assert broken_in_dbt(shop / "models/sales.yml", root / "sales.parquet") == []

    take()
    checks = audit(subjects, {s.table: [tmp_path / s.table / "sales.parquet"] for s in subjects}, datetime(2024, 1, 1))
    assert [check.rule for check in checks if not check.passed] == [], explain(checks)
    asked = [sum(check.origin == origin for check in checks) for origin in ("contract", "suite")]
    assert asked[0] == asked[1] + len(subjects) > 2 * len(subjects)  # its columns and types are not for a suite to ask


def broken_in_dbt(path: Path, data: Path) -> list[str]:
    """The generated dbt tests that the rows of a file fail, each rendered from the macros of the kit or as dbt's own."""
    (model,) = read_yaml(path).data["models"]
    table = f"read_parquet('{data}')"
    tests = [({}, test) for test in model["data_tests"]]
    tests += [
        ({"column_name": f'"{column["name"]}"'}, test) for column in model["columns"] for test in column.get("data_tests", ())
    ]
    broken = []
    for place, test in tests:
        ((kind, details),) = test.items()
        arguments = {name: as_dbt(value) for name, value in details.get("arguments", {}).items()}
        if duckdb.sql(dbt_tests()[kind](table, **place, **arguments)).fetchone():
            broken.append(details["name"])
    return broken


@cache
def dbt_tests() -> dict[str, Any]:
    """The generic tests by their names: functions of a relation and arguments that return SQL."""
    text = macros()
    module = Template(
        text[text.index("{% test ") :].replace("{% test ", "{% macro test_").replace("endtest", "endmacro")
    ).module
    own = {name.removeprefix("test_"): test for name, test in vars(module).items() if name.startswith("test_")}
    return {**own, "not_null": not_null, "unique": unique, "accepted_values": accepted_values}


def not_null(table: str, column_name: str) -> str:
    return f"select * from {table} where {column_name} is null"


def unique(table: str, column_name: str) -> str:
    return f"select {column_name} from {table} where {column_name} is not null group by {column_name} having count(*) > 1"


def accepted_values(table: str, column_name: str, values: list[str], quote: bool = True) -> str:
    items = [f"'{value}'" if quote else value for value in values]
    return f"select * from {table} where {column_name} not in ({', '.join(items)})"


def as_dbt(value: Any) -> Any:
    """A value of the YAML as a macro receives it."""
    if isinstance(value, list):
        return [as_dbt(item) for item in value]
    return Template(value).render() if isinstance(value, str) else value
