from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.contracts.rule_kinds import accepted_values, is_object, text_length
from kit.contracts.rules import Rule
from kit.core.errors import InvalidFile
from tests.support.least_contract import DAY, FIRST, ITEM, load, rules

NEW = ("apiVersion", "v3.2.0")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(*changes: tuple[str, Any]) -> str:
    with pytest.raises(InvalidFile) as caught:
        load(NEW, *changes)
    return str(caught.value).partition("schema.0.properties.")[2]


def enum(*values: Any) -> list[dict[str, Any]]:
    return [{"value": value} for value in values]


def test_an_enum_lists_the_values_of_its_column() -> None:
    values = [{"value": "yes", "label": "Yes"}, {"value": "no", "description": "Not at all."}]
    assert rules(NEW, (f"{ITEM} enum", values)) == [Rule("item is one of 2 values", accepted_values("item", ["yes", "no"]))]
    assert rules(NEW, (f"{FIRST} enum", enum(1, 2))) == [Rule("sale_id is one of 2 values", accepted_values("sale_id", [1, 2]))]


def test_null_is_no_value_of_an_enum() -> None:
    """In SQL nothing is outside of a list that holds null, so that the rule would find nothing."""
    assert rules(NEW, (f"{ITEM} enum", enum("a", None))) == [Rule("item is one of 1 values", accepted_values("item", ["a"]))]
    assert refused((f"{ITEM} enum", enum(None))) == "1.enum: lists no values; write those that the column may hold"


def test_a_value_that_no_column_of_the_type_holds_is_refused() -> None:
    quoted = "1.enum: true is no text, as varchar values are written; put it in quotes"
    assert refused((f"{ITEM} enum", enum("yes", True))) == quoted
    assert refused((f"{FIRST} enum", enum("1"))) == "0.enum: '1' is no whole number, as bigint values are"
    known = [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a", 1]}}]
    place = "1.quality.0.arguments.validValues"
    assert refused((f"{ITEM} quality", known)) == f"{place}: 1 is no text, as varchar values are written; put it in quotes"


def test_bounds_of_times_are_checked_in_sql() -> None:
    options = (f"{ITEM} logicalTypeOptions", {"minimum": "08:00:00", "maximum": "17:00:00"})
    (rule,) = rules((f"{ITEM} logicalType", "time"), (f"{ITEM} physicalType", "time"), options)
    assert rule.name == "item is between 08:00:00 and 17:00:00"
    assert rule.assertion.expectation == "unexpected_rows_expectation"
    assert rule.assertion.violations
    times = "(values (time '07:59:59'), (time '08:00:00'), (time '17:00:00'), (time '17:00:01'), (null)) as t(item)"
    found = duckdb.sql(rule.assertion.violations.sql(f"(select * from {times})") + " order by all").fetchall()
    assert [f"{value}" for (value,) in found] == ["07:59:59", "17:00:01"]


@pytest.mark.parametrize("kind", ["varchar(4)", "VARCHAR ( 4 )", "char(4)", "text(4)", "string(4)"])
def test_a_type_with_a_length_bounds_the_length(kind: str) -> None:
    assert rules((f"{ITEM} physicalType", kind)) == [Rule("length of item is at most 4", text_length("item", None, 4))]


@pytest.mark.parametrize(("options", "low", "high"), [({"maxLength": 3}, None, 3), ({"maxLength": 9, "minLength": 1}, 1, 4)])
def test_the_shorter_length_counts(options: dict[str, int], low: int | None, high: int) -> None:
    (rule,) = rules((f"{ITEM} physicalType", "varchar(4)"), (f"{ITEM} logicalTypeOptions", options))
    assert rule.assertion == text_length("item", low, high)


def test_a_least_length_beyond_the_type_is_refused() -> None:
    changes = (f"{ITEM} physicalType", "varchar(4)"), (f"{ITEM} logicalTypeOptions", {"minLength": 5})
    assert refused(*changes) == "1.logicalTypeOptions: no value is between 5 and 4; write the smaller one first"


def test_a_json_column_of_objects_holds_objects() -> None:
    changes = (f"{ITEM} logicalType", "object"), (f"{ITEM} physicalType", "json")
    assert rules(*changes) == [Rule("item is an object", is_object("item"))]
    violations = is_object("item").violations
    assert violations
    values = """(select unnest(['{"a": 1}', '{}', '[1]', '"a"', null])::json as item)"""
    assert duckdb.sql(violations.sql(values)).fetchall() == [("[1]",), ('"a"',)]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ([(f"{DAY} logicalTypeOptions", {"minimum": "next year"})],
         "2.logicalTypeOptions.minimum: 'next year' is no date; write it as in 2030-12-31"),
        ([(f"{FIRST} logicalTypeOptions", {"maximum": 1.5})],
         "0.logicalTypeOptions.maximum: 1.5 is no whole number, as bigint values are"),
        ([(f"{ITEM} physicalType", "uuid"), (f"{ITEM} logicalTypeOptions", {"pattern": "a"})],
         "1.logicalTypeOptions.pattern: 'item' is uuid; only texts, which are varchar, have a pattern"),
        ([(f"{ITEM} logicalTypeOptions", {"pattern": "(?!XX)[A-Z]"})],
         "1.logicalTypeOptions.pattern: '(?!XX)[A-Z]' is not a regular expression that can be checked of 'item': "
         "'(?!' at position 1 is a group that RE2 does not have; a lookahead cannot be checked"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_checked_on_the_column_is_refused(changes: list[Any], problem: str) -> None:
    assert refused(*changes) == problem


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("[0-9]+", ["a1", "1", "1b", "a1b"]),
        ("^[0-9]+$", ["1"]),
        ("^a|b$", ["a1", "1b", "a1b"]),
    ],
)
def test_a_pattern_is_searched_as_the_standard_says_and_its_anchors_bind_it(pattern: str, kept: list[str]) -> None:
    """ODCS follows ECMA-262, whose patterns match anywhere in a text."""
    (rule,) = rules((f"{ITEM} logicalTypeOptions", {"pattern": pattern}))
    values = ["a1", "1", "1b", "a1b", "x"]
    assert rule.assertion.violations
    broken = duckdb.execute(rule.assertion.violations.sql("(select unnest(?) as item)"), [values]).fetchall()
    assert [value for value in values if (value,) not in broken] == kept
