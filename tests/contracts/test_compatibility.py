import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.contracts.compatibility import ContractChange as Change
from kit.contracts.compatibility import bumped, compare, required_bump
from kit.contracts.contract import Contract, Version
from tests.conftest import examples
from tests.support.edit import ABSENT, edited
from tests.support.small_mesh import contract, valid

COLUMNS = [
    ("sale_id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
    ("item", "varchar", {"required": True, "quality": [valid("tea", "cake")], "logicalTypeOptions": {"pattern": "[a-z]+"}}),
    ("amount", "decimal(10,2)", {"logicalTypeOptions": {"minimum": 0, "maximum": 1000}, "classification": "internal"}),
    ("weight", "double", {"unique": True}),
    ("sold_on", "date", {"logicalTypeOptions": {"minimum": "2024-01-01"}}),
]
ROWS = {"name": "rows", "type": "library", "metric": "rowCount", "mustBeBetween": [20, 100]}
BALANCE = {"name": "balance", "type": "sql", "mustBe": 0, "query": "select count(*) from ${table} where amount > weight"}
NULLS = {"type": "library", "metric": "nullValues", "unit": "percent", "mustBeLessOrEqualTo": 5}
LATENCY = {"property": "latency", "value": 2, "unit": "d", "element": "sales.sold_on"}
RETENTION = {"property": "retention", "value": 2, "unit": "y"}
BASE: dict[str, Any] = json.loads(contract("shop.sales", "sales", COLUMNS, [ROWS, BALANCE], [LATENCY, RETENTION]))
TABLE = "schema 0"
SALE, ITEM, AMOUNT, WEIGHT, DAY = (f"{TABLE} properties {position}" for position in range(5))
TEA = {"name": "origin", "logicalType": "string", "physicalType": "varchar", "description": "where it grew"}
MEAN = {
    "type": "custom", "engine": "greatExpectations",
    "implementation": {
        "type": "expect_column_mean_to_be_between", "kwargs": {"column": "amount", "min_value": 1, "strict_min": True},
    },
}  # fmt: skip


def load(folder: Path, data: Any) -> Contract:
    path = folder / "sales.odcs.yaml"
    path.write_text(json.dumps(data))
    return Contract.load(path)


def changed(folder: Path, *changes: tuple[str, Any]) -> tuple[Contract, Contract]:
    data = BASE
    for where, value in changes:
        data = edited(data, where, value)
    return load(folder, BASE), load(folder, data)


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


# What is changed, and what it is forwards and backwards.
CASES: dict[str, tuple[list[tuple[str, Any]], list[Change], list[Change]]] = {
    "an optional column": (
        [(f"{TABLE} properties 5", TEA)],
        [Change("column origin", "added, varchar", "minor", only("origin"))],
        [Change("column origin", "dropped", "major", only("origin"))],
    ),
    "a required column": (
        [(f"{TABLE} properties 5", {**TEA, "required": True})],
        [Change("column origin", "added, varchar", "minor", only("origin"))],
        [Change("column origin", "dropped", "major", only("origin"))],
    ),
    "another float column": (
        [(f"{TABLE} properties 5", {**TEA, "logicalType": "number", "physicalType": "double"})],
        [Change("column origin", "added, double", "minor", only("origin"))],
        [Change("column origin", "dropped", "major", only("origin"))],
    ),
    "a name": (
        [(f"{AMOUNT} name", "net_amount"), (f"{TABLE} quality 1", ABSENT)],
        [
            Change("column amount", "renamed to net_amount", "major", only("amount")),
            Change("table", "without rule: balance: its query gives = 0", "major", only("amount", "weight")),
        ],
        [
            Change("column net_amount", "renamed to amount", "major", only("net_amount")),
            Change("table", "new rule: balance: its query gives = 0", "minor", only("amount", "weight")),
        ],
    ),
    "a type": (
        [(f"{SALE} physicalType", "integer")],
        [Change("column sale_id", "type bigint → integer", "major", only("sale_id"))],
        [Change("column sale_id", "type integer → bigint", "major", only("sale_id"))],
    ),
    "a logical type": (
        [(f"{SALE} logicalType", "number")],
        [Change("column sale_id", "logical type integer → number", "major", only("sale_id"))],
        [Change("column sale_id", "logical type number → integer", "major", only("sale_id"))],
    ),
    "required": (
        [(f"{AMOUNT} required", True)],
        [Change("column amount", "new rule: amount is required", "minor", only("amount"))],
        [Change("column amount", "without rule: amount is required", "major", only("amount"))],
    ),
    "a share of nulls for required": (
        [(f"{ITEM} required", False), (f"{ITEM} quality 1", NULLS)],
        [Change("column item", "item is required → at most 5 % of item are null", "major", only("item"))],
        [Change("column item", "at most 5 % of item are null → item is required", "minor", only("item"))],
    ),
    "a narrower range": (
        [(f"{AMOUNT} logicalTypeOptions maximum", 500)],
        [Change("column amount", "amount is between 0 and 1000 → amount is between 0 and 500", "minor", only("amount"))],
        [Change("column amount", "amount is between 0 and 500 → amount is between 0 and 1000", "major", only("amount"))],
    ),
    "a moved range": (
        [(f"{AMOUNT} logicalTypeOptions", {"minimum": 1, "maximum": 2000})],
        [Change("column amount", "amount is between 0 and 1000 → amount is between 1 and 2000", "major", only("amount"))],
        [Change("column amount", "amount is between 1 and 2000 → amount is between 0 and 1000", "major", only("amount"))],
    ),
    "one bound less": (
        [(f"{AMOUNT} logicalTypeOptions maximum", ABSENT)],
        [Change("column amount", "amount is between 0 and 1000 → amount is at least 0", "major", only("amount"))],
        [Change("column amount", "amount is at least 0 → amount is between 0 and 1000", "minor", only("amount"))],
    ),
    "a range of days": (
        [(f"{DAY} logicalTypeOptions minimum", "2024-01-05 00:00:00")],
        [Change("column sold_on", "sold_on is at least 2024-01-01 → sold_on is at least 2024-01-05 00:00:00", "minor",
                only("sold_on"))],
        [Change("column sold_on", "sold_on is at least 2024-01-05 00:00:00 → sold_on is at least 2024-01-01", "major",
                only("sold_on"))],
    ),
    "a value": (
        [(f"{ITEM} quality 0 arguments validValues 2", "milk")],
        [Change("column item", "new value milk", "major", only("item"))],
        [Change("column item", "without value milk", "minor", only("item"))],
    ),
    "one value for another": (
        [(f"{ITEM} quality 0 arguments validValues 1", "milk")],
        [Change("column item", "new value milk; without value cake", "major", only("item"))],
        [Change("column item", "new value cake; without value milk", "major", only("item"))],
    ),
    "values in another order": (
        [(f"{ITEM} quality 0 arguments validValues", ["cake", "tea"])],
        [Change("column item", "known values: item is one of 2 values: written otherwise", "patch", only("item"))],
        [Change("column item", "known values: item is one of 2 values: written otherwise", "patch", only("item"))],
    ),
    "a length": (
        [(f"{ITEM} logicalTypeOptions maxLength", 20)],
        [Change("column item", "new rule: length of item is at most 20", "minor", only("item"))],
        [Change("column item", "without rule: length of item is at most 20", "major", only("item"))],
    ),
    "a pattern": (
        [(f"{ITEM} logicalTypeOptions pattern", "[a-z]{3,}")],
        [Change("column item", "item matches [a-z]+ → item matches [a-z]{3,}", "review", only("item"))],
        [Change("column item", "item matches [a-z]{3,} → item matches [a-z]+", "review", only("item"))],
    ),
    "no pattern": (
        [(f"{ITEM} logicalTypeOptions", ABSENT)],
        [Change("column item", "without rule: item matches [a-z]+", "major", only("item"))],
        [Change("column item", "new rule: item matches [a-z]+", "minor", only("item"))],
    ),
    "uniqueness": (
        [(f"{WEIGHT} unique", False)],
        [Change("column weight", "without rule: weight is unique", "major", only("weight"))],
        [Change("column weight", "new rule: weight is unique", "minor", only("weight"))],
    ),
    "the key": (
        [(f"{DAY} primaryKey", True), (f"{DAY} primaryKeyPosition", 2), (f"{DAY} required", True)],
        [
            Change("key", "sale_id → sale_id, sold_on", "major"),
            Change("column sold_on", "new rule: sold_on is required", "minor", only("sold_on")),
        ],
        [
            Change("key", "sale_id, sold_on → sale_id", "major"),
            Change("column sold_on", "without rule: sold_on is required", "major", only("sold_on")),
        ],
    ),
    "a number of rows": (
        [(f"{TABLE} quality 0 mustBeBetween", [50, 100])],
        [Change("table", "rows: rows are between 20 and 100 → rows: rows are between 50 and 100", "minor")],
        [Change("table", "rows: rows are between 50 and 100 → rows: rows are between 20 and 100", "major")],
    ),
    "no number of rows": (
        [(f"{TABLE} quality 0", ABSENT)],
        [Change("table", "without rule: rows: rows are between 20 and 100", "major")],
        [Change("table", "new rule: rows: rows are between 20 and 100", "minor")],
    ),
    "the text of a query": (
        [(f"{TABLE} quality 1 query", "select count(*) from ${table} where weight < amount")],
        [Change("table", "balance: its query gives = 0: its text changed", "review", only("amount", "weight"))],
        [Change("table", "balance: its query gives = 0: its text changed", "review", only("amount", "weight"))],
    ),
    "rows set aside": (
        [(f"{ITEM} customProperties", [{"property": "onFailure", "value": "quarantine"}]),
         ("customProperties", [{"property": "quarantineLimit", "value": 0.01}])],
        [
            Change("column item", "item is required: block → quarantine", "major", only("item")),
            Change("column item", "item matches [a-z]+: block → quarantine", "major", only("item")),
        ],
        [
            Change("column item", "item is required: quarantine → block", "minor", only("item")),
            Change("column item", "item matches [a-z]+: quarantine → block", "minor", only("item")),
        ],
    ),
    "a mask": (
        [(f"{ITEM} customProperties", [{"property": "mask", "value": {"generalise": 3}}])],
        [Change("column item", "mask none → generalise 3", "major", only("item"))],
        [Change("column item", "mask generalise 3 → none", "major", only("item"))],
    ),
    "a mask that changes nothing": (
        [(f"{ITEM} customProperties", [{"property": "mask", "value": "inherited"}])],
        [Change("column item", "mask none → inherited", "patch", only("item"))],
        [Change("column item", "mask inherited → none", "patch", only("item"))],
    ),
    "a rule that only warns": (
        [(f"{TABLE} quality 1 severity", "warning")],
        [Change("table", "balance: its query gives = 0: block → warn", "major", only("amount", "weight"))],
        [Change("table", "balance: its query gives = 0: warn → block", "minor", only("amount", "weight"))],
    ),
    "another expectation": (
        [(f"{AMOUNT} quality", [MEAN])],
        [Change("column amount", "new rule: expect_column_mean_to_be_between", "minor", only("amount"))],
        [Change("column amount", "without rule: expect_column_mean_to_be_between", "major", only("amount"))],
    ),
    "latency": (
        [("slaProperties 1 value", 1)],
        [Change("latency", "2 d → 1 d", "minor")],
        [Change("latency", "1 d → 2 d", "major")],
    ),
    "frequency": (
        [("slaProperties 0 unit", "h")],
        [Change("frequency", "1 d → 1 h", "minor")],
        [Change("frequency", "1 h → 1 d", "major")],
    ),
    "retention": (
        [("slaProperties 2 value", 3)],
        [Change("retention", "730.5 d → 1095.75 d", "minor")],
        [Change("retention", "1095.75 d → 730.5 d", "major")],
    ),
    "no retention": (
        [("slaProperties 2", ABSENT)],
        [Change("retention", "730.5 d → none", "major")],
        [Change("retention", "none → 730.5 d", "minor")],
    ),
    "a deprecation": (
        [("status", "deprecated"), ("slaProperties 3", {"property": "endOfLife", "value": "2030-12-31"})],
        [Change("last day", "none → 2030-12-31", "patch")],
        [Change("last day", "2030-12-31 → none", "minor")],
    ),
    "a withdrawal": (
        [("status", "draft")],
        [Change("status", "active → draft", "major")],
        [Change("status", "draft → active", "patch")],
    ),
    "classification": (
        [(f"{AMOUNT} classification", "personal")],
        [Change("column amount", "classification internal → personal", "review", only("amount"))],
        [Change("column amount", "classification personal → internal", "review", only("amount"))],
    ),
    "words": (
        [("name", "Sales"), (f"{TABLE} description", "a row"), (f"{DAY} description", "when"), ("tags", ["till"]),
         ("team", {"name": "Shop"})],
        [Change("title", "changed", "patch"), Change("description", "changed", "patch"), Change("team", "changed", "patch"),
         Change("tags", "changed", "patch"), Change("column sold_on", "description changed", "patch", only("sold_on"))],
        [Change("title", "changed", "patch"), Change("description", "changed", "patch"), Change("team", "changed", "patch"),
         Change("tags", "changed", "patch"), Change("column sold_on", "description changed", "patch", only("sold_on"))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_weighed_both_ways(case: str, tmp_path: Path) -> None:
    changes, forwards, backwards = CASES[case]
    old, new = changed(tmp_path, *changes)
    assert list(compare(old, new)) == forwards
    assert list(compare(new, old)) == backwards


def test_the_order_of_columns_is_words(tmp_path: Path) -> None:
    columns = BASE["schema"][0]["properties"]
    old, new = changed(tmp_path, (f"{TABLE} properties", [columns[1], columns[0], *columns[2:]]))
    assert compare(old, new) == (Change("columns", "in another order", "patch"),)


def test_a_rule_that_another_one_says_already_is_not_missed(tmp_path: Path) -> None:
    wide = {**ROWS, "name": "wide", "mustBeBetween": [1, 1000]}
    two, one = load(tmp_path, edited(BASE, f"{TABLE} quality 2", wide)), load(tmp_path, BASE)
    assert compare(two, one) == (Change("table", "without rule: wide: rows are between 1 and 1000", "patch"),)


def test_a_value_that_is_called_like_a_column_is_not_that_column(tmp_path: Path) -> None:
    rule = {**BALANCE, "name": "no amounts", "query": "select count(*) from ${table} where item = 'amount'"}
    (change,) = compare(*changed(tmp_path, (f"{TABLE} quality 2", rule)))
    assert change.columns == {"item"}


def test_more_rows_set_aside_are_a_loss(tmp_path: Path) -> None:
    aside = edited(BASE, f"{ITEM} customProperties", [{"property": "onFailure", "value": "quarantine"}])
    old, new = (
        load(tmp_path, edited(aside, "customProperties", [{"property": "quarantineLimit", "value": share}]))
        for share in (0.01, 0.025)
    )
    assert compare(old, new) == (Change("quarantine", "at most 1 % → at most 2.5 %", "major"),)
    assert compare(new, old) == (Change("quarantine", "at most 2.5 % → at most 1 %", "minor"),)


@pytest.mark.parametrize(
    ("old", "new", "text", "there", "back"),
    [
        (0.1, 0.25, "loses at most 10 % of its rows → loses at most 25 % of its rows", "major", "minor"),
        (0.1, None, "loses at most 10 % of its rows → none", "major", "minor"),
        (0, 1, "loses at most 0 % of its rows → loses at most 100 % of its rows", "major", "minor"),
        (1, None, "loses at most 100 % of its rows → none", "patch", "patch"),
    ],
)
def test_more_rows_that_may_be_missing_are_a_loss(
    tmp_path: Path, old: float, new: float | None, text: str, there: str, back: str
) -> None:
    def losing(share: float | None) -> Contract:
        given = [] if share is None else [{"property": "maxRowLoss", "value": share}]
        return load(tmp_path, edited(BASE, "customProperties", given))

    assert compare(losing(old), losing(new)) == (Change("volume", text, there),)
    assert [change.verdict for change in compare(losing(new), losing(old))] == [back]


def test_an_earlier_last_day_is_for_readers_to_agree_to(tmp_path: Path) -> None:
    until = {"property": "endOfLife", "value": "2030-12-31"}
    late = edited(edited(BASE, "status", "deprecated"), "slaProperties 3", until)
    old, new = load(tmp_path, late), load(tmp_path, edited(late, "slaProperties 3 value", "2029-12-31"))
    assert compare(old, new) == (Change("last day", "2030-12-31 → 2029-12-31", "review"),)
    assert compare(new, old) == (Change("last day", "2029-12-31 → 2030-12-31", "minor"),)


def test_an_expectation_with_unknown_arguments_is_for_a_person(tmp_path: Path) -> None:
    old = load(tmp_path, edited(BASE, f"{AMOUNT} quality", [MEAN]))
    new = load(tmp_path, edited(edited(BASE, f"{AMOUNT} quality", [MEAN]),
                                f"{AMOUNT} quality 0 implementation kwargs strict_min", False))  # fmt: skip
    text = "expect_column_mean_to_be_between: its text changed"
    assert compare(old, new) == (Change("column amount", text, "review", only("amount")),)


def options(low: str, high: str) -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({}, optional={low: st.integers(0, 5), high: st.integers(5, 9)})


ANY = {"required": st.booleans(), "unique": st.booleans(), "classification": st.sampled_from(["public", "personal"])}
TEXT = st.fixed_dictionaries(
    {
        "logicalType": st.just("string"),
        "physicalType": st.sampled_from(["varchar", "varchar(9)"]),
        "logicalTypeOptions": options("minLength", "maxLength"),
    },
    optional={**ANY, "quality": st.lists(st.sampled_from([valid("a"), valid("a", "b"), valid("b"), NULLS]), max_size=3)},
)
NUMBER = st.fixed_dictionaries(
    {
        "logicalType": st.just("number"),
        "physicalType": st.sampled_from(["bigint", "double"]),
        "logicalTypeOptions": options("minimum", "maximum"),
    },
    optional={**ANY, "quality": st.lists(st.just(NULLS), max_size=1)},
)
NAMES = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, unique=True)


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    columns = [
        {"name": name, "description": f"the {name}", **draw(TEXT | NUMBER)} for name in draw(NAMES)
    ]  # fmt: skip
    for position in range(draw(st.integers(0, len(columns)))):
        columns[position] |= {"primaryKey": True, "primaryKeyPosition": position + 1}
    rules = draw(st.lists(st.sampled_from([ROWS, BALANCE, {**ROWS, "mustBeBetween": [30, 90]}]), max_size=3))
    return edited(edited(BASE, f"{TABLE} properties", columns), f"{TABLE} quality", rules) | {"slaProperties": []}


@given(contracts())
@settings(max_examples=examples(25))
def test_a_contract_compared_with_itself_is_empty(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("same")
    assert compare(load(folder, data), load(folder, data)) == ()


@given(contracts(), contracts())
@settings(max_examples=examples(25))
def test_what_is_won_one_way_is_lost_the_other(tmp_path_factory: pytest.TempPathFactory, one: Any, other: Any) -> None:
    folder = tmp_path_factory.mktemp("pair")
    old, new = load(folder, one), load(folder, other)
    there, back = compare(old, new), compare(new, old)
    assert {change.where for change in there if change.verdict != "patch"} == {
        change.where for change in back if change.verdict != "patch"
    } or any("renamed" in change.text for change in there + back)
    if required_bump(there) == "minor":
        assert required_bump(back) == "major"


@pytest.mark.parametrize(
    ("verdicts", "kind", "version"),
    [
        ((), None, "1.2.3"),
        (("patch", "review"), "patch", "1.2.4"),
        (("review",), "patch", "1.2.4"),
        (("patch", "minor"), "minor", "1.3.0"),
        (("minor", "major", "patch"), "major", "2.0.0"),
    ],
)
def test_the_version_says_the_gravest_change(verdicts: Any, kind: Any, version: str) -> None:
    assert required_bump(Change("", "", verdict) for verdict in verdicts) == kind
    assert str(bumped(Version(1, 2, 3), kind)) == version
