from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.rule_kinds import not_null, row_count, unique_together
from kit.contracts.rule_query import Query
from kit.contracts.rules import Rule
from kit.core.errors import InvalidFile
from tests.support.least_contract import DAY, FIRST, ITEM, TABLE, load, rules

OPERATORS = (
    "mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, mustBeLessThan, mustBeLessOrEqualTo, mustBeBetween, "
    "mustNotBeBetween"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def parts(rule: Rule) -> tuple[Any, ...]:
    """What an audit takes of a rule."""
    assertion = rule.assertion
    return rule.name, assertion.expectation, assertion.kwargs, assertion.columns, rule.severity, rule.description


def ge(name: str, column: str, **arguments: Any) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    return (f"expect_{name}", {"column": column, **arguments}, (column,))


@pytest.mark.parametrize(
    ("where", "value", "name", "expectation"),
    [
        (f"{FIRST} required", True, "sale_id is required", ge("column_values_to_not_be_null", "sale_id")),
        (f"{FIRST} unique", True, "sale_id is unique", ge("column_values_to_be_unique", "sale_id")),
        (
            f"{FIRST} logicalTypeOptions",
            {"minimum": 0, "maximum": 9},
            "sale_id is between 0 and 9",
            ge("column_values_to_be_between", "sale_id", min_value=0, max_value=9),
        ),
        (
            f"{FIRST} logicalTypeOptions",
            {"minimum": 0},
            "sale_id is at least 0",
            ge("column_values_to_be_between", "sale_id", min_value=0, max_value=None),
        ),
        (
            f"{DAY} logicalTypeOptions",
            {"maximum": "2024-01-31"},
            "sold_on is at most 2024-01-31",
            ge("column_values_to_be_between", "sold_on", min_value=None, max_value="2024-01-31"),
        ),
        (
            f"{ITEM} logicalTypeOptions",
            {"minLength": 1, "maxLength": 3},
            "length of item is between 1 and 3",
            ge("column_value_lengths_to_be_between", "item", min_value=1, max_value=3),
        ),
        (
            f"{ITEM} logicalTypeOptions",
            {"minLength": 2},
            "length of item is at least 2",
            ge("column_value_lengths_to_be_between", "item", min_value=2, max_value=None),
        ),
        (
            f"{ITEM} logicalTypeOptions",
            {"pattern": "[a-z]{2}'?"},
            "item matches [a-z]{2}'?",
            (
                "unexpected_rows_expectation",
                {"unexpected_rows_query": Query.rows_where("""not regexp_matches("item", '[a-z]{2}''?')""")},
                ("item",),
            ),
        ),
        (
            f"{ITEM} quality",
            [{"type": "library", "metric": "invalidValues", "arguments": {"validValues": ["yes", "no"]}, "mustBe": 0}],
            "item is one of 2 values",
            ge("column_values_to_be_in_set", "item", value_set=["yes", "no"]),
        ),
        (
            f"{ITEM} quality",
            [{"type": "library", "metric": "duplicateValues", "mustBe": 0}],
            "item is unique",
            ge("column_values_to_be_unique", "item"),
        ),
        (
            f"{ITEM} quality",
            [{"metric": "nullValues", "mustBeLessOrEqualTo": 5, "unit": "percent"}],
            "at most 5 % of item are null",
            ge("column_values_to_not_be_null", "item", mostly=0.95),
        ),
        (
            f"{TABLE} quality",
            [{"type": "library", "metric": "rowCount", "mustBeBetween": [20, 100]}],
            "rows are between 20 and 100",
            ("expect_table_row_count_to_be_between", {"min_value": 20, "max_value": 100}, ()),
        ),
        (
            f"{TABLE} quality",
            [{"type": "library", "metric": "rowCount", "mustBe": 5, "unit": "rows"}],
            "rows are between 5 and 5",
            ("expect_table_row_count_to_be_between", {"min_value": 5, "max_value": 5}, ()),
        ),
        (
            f"{TABLE} quality",
            [{"type": "library", "metric": "rowCount", "mustBeGreaterThan": 5}],
            "rows are at least 6",
            ("expect_table_row_count_to_be_between", {"min_value": 6, "max_value": None}, ()),
        ),
        (
            f"{TABLE} quality",
            [{"type": "library", "metric": "rowCount", "mustBeGreaterOrEqualTo": 5}],
            "rows are at least 5",
            ("expect_table_row_count_to_be_between", {"min_value": 5, "max_value": None}, ()),
        ),
        (
            f"{TABLE} quality",
            [{"type": "library", "metric": "rowCount", "mustBeLessThan": 5}],
            "rows are at most 4",
            ("expect_table_row_count_to_be_between", {"min_value": None, "max_value": 4}, ()),
        ),
        (
            f"{TABLE} quality",
            [{"type": "library", "metric": "rowCount", "mustBeLessOrEqualTo": 5}],
            "rows are at most 5",
            ("expect_table_row_count_to_be_between", {"min_value": None, "max_value": 5}, ()),
        ),
        (
            f"{ITEM} quality",
            [
                {
                    "type": "custom",
                    "engine": "great-expectations",
                    "implementation": {
                        "type": "expect_column_mean_to_be_between",
                        "kwargs": {"column": "item", "min_value": 1},
                    },
                }
            ],
            "expect_column_mean_to_be_between",
            ge("column_mean_to_be_between", "item", min_value=1),
        ),
        (
            f"{TABLE} quality",
            [{"type": "custom", "engine": "greatExpectations", "implementation": {"type": "expect_x"}}],
            "expect_x",
            ("expect_x", {}, ()),
        ),
    ],
)
def test_a_promise_becomes_an_expectation(where: str, value: Any, name: str, expectation: tuple[Any, ...]) -> None:
    assert [parts(rule) for rule in rules((where, value))] == [(name, *expectation, "error", "")]


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("mustBe", 0, "= 0"),
        ("mustBe", "it's {ok}", "= 'it''s {ok}'"),
        ("mustNotBe", 1.5, "<> 1.5"),
        ("mustBeGreaterThan", 1, "> 1"),
        ("mustBeGreaterOrEqualTo", 1, ">= 1"),
        ("mustBeLessThan", 1, "< 1"),
        ("mustBeLessOrEqualTo", 1, "<= 1"),
        ("mustBeBetween", [1, 2], "between 1 and 2"),
        ("mustNotBeBetween", [-1, 1], "not between -1 and 1"),
    ],
)
def test_a_query_is_wrapped_to_return_what_breaks_it(operator: str, value: object, holds: str) -> None:
    query = "select count(*) from ${table} where item ~ 'a{2}' ;\n"
    (rule,) = rules((f"{TABLE} quality", [{"type": "sql", "query": query, operator: value}]))
    assert rule.assertion.expectation == "unexpected_rows_expectation"
    assert rule.assertion.kwargs["unexpected_rows_query"] == Query(
        (
            "with rule(observed) as (\nselect count(*) from ",
            " where item ~ 'a{2}'\n) "
            "select if(count(*) = 1, cast(any_value(observed) as varchar), count(*) || ' rows; the query must give one value') "
            f"as observed from rule having not (count(*) = 1 and coalesce(any_value(observed) {holds}, false))",
        )
    )


def test_a_column_that_is_the_key_is_required_and_unique() -> None:
    assert [rule.name for rule in rules((f"{FIRST} primaryKey", True))] == ["sale_id is required", "sale_id is unique"]


def test_columns_that_are_the_key_together_are_unique_together() -> None:
    found = rules((f"{FIRST} primaryKey", True), (f"{ITEM} primaryKey", True))
    assert found == [
        Rule("sale_id is required", not_null("sale_id")),
        Rule("item is required", not_null("item")),
        Rule("sale_id, item together are unique", unique_together(["sale_id", "item"])),
    ]


def test_a_rule_keeps_the_name_severity_and_description_it_is_given() -> None:
    given_rule = {"metric": "rowCount", "mustBe": 1, "name": "one row", "severity": "warning", "description": "Just one."}
    assert rules((f"{TABLE} quality", [given_rule])) == [
        Rule("one row: rows are between 1 and 1", row_count(1, 1), "warning", "Just one.", label="one row")
    ]


def test_the_response_to_a_violation_is_that_of_its_rule() -> None:
    (rule,) = rules((f"{FIRST} required", True))
    assert [rule.response, replace(rule, severity="warning").response] == ["block", "warn"]
    assert replace(rule, quarantines=True).response == "quarantine"


def test_numbers_are_finite_and_each_response_has_its_own_rule() -> None:
    def number(name: str, response: str) -> dict[str, Any]:
        more = {"customProperties": [{"property": "onFailure", "value": response}]}
        return {"name": name, "logicalType": "number", "physicalType": "double", **more}

    alike = rules((f"{TABLE} properties", [number("a", "warn"), number("b", "warn")]))
    assert [(rule.name, rule.response) for rule in alike] == [("numbers are finite", "warn")]
    apart = rules((f"{TABLE} properties", [number("a", "warn"), number("b", "block"), number("c", "warn")]))
    assert [(rule.name, rule.response) for rule in apart] == [("a, c are finite", "warn"), ("b is finite", "block")]


NULLS = (
    "22: schema.0.properties.1.quality.0: nullValues needs 'mustBe: 0', or 'mustBeLessOrEqualTo' between 0 and 100 with "
    "'unit: percent'"
)

# Each: what is wrong, where the sound contract is changed, to what, and the message after the file's name.
BAD: list[tuple[str, str, Any, str]] = [
    (
        "minimum of a text column",
        f"{ITEM} logicalTypeOptions",
        {"minimum": 1},
        (
            "22: schema.0.properties.1.logicalTypeOptions.minimum: there is no field 'minimum'; there are: "
            "format, maxLength, minLength, pattern"
        ),
    ),
    (
        "minimum that is text",
        f"{FIRST} logicalTypeOptions",
        {"minimum": "one"},
        "17: schema.0.properties.0.logicalTypeOptions.minimum: 'one' is a text, not a number",
    ),
    (
        "minimum above the maximum",
        f"{FIRST} logicalTypeOptions",
        {"minimum": 5, "maximum": 1},
        ("16: schema.0.properties.0.logicalTypeOptions: no value is between 5 and 1; write the smaller one first"),
    ),
    (
        "first date after the last",
        f"{DAY} logicalTypeOptions",
        {"minimum": "2024-02-01", "maximum": "2024-01-01"},
        (
            "26: schema.0.properties.2.logicalTypeOptions: no value is between 2024-02-01 and 2024-01-01; write "
            "the smaller one first"
        ),
    ),
    (
        "shortest above the longest",
        f"{ITEM} logicalTypeOptions",
        {"minLength": 5, "maxLength": 1},
        ("21: schema.0.properties.1.logicalTypeOptions: no value is between 5 and 1; write the smaller one first"),
    ),
    (
        "option that cannot be checked",
        f"{FIRST} logicalTypeOptions",
        {"format": "f64"},
        (
            "17: schema.0.properties.0.logicalTypeOptions.format: 'f64' is not one of i8, i16, i32, i64, i128, u8, u16, u32, "
            "u64, u128; did you mean 'u64'?"
        ),
    ),
    (
        "pattern that does not compile",
        f"{ITEM} logicalTypeOptions",
        {"pattern": "("},
        (
            "22: schema.0.properties.1.logicalTypeOptions.pattern: '(' is not a regular expression that can be checked of "
            "'item': '(' at position 1 is not closed"
        ),
    ),
    (
        "pattern that repeats too often",
        f"{ITEM} logicalTypeOptions",
        {"pattern": "a{99999999999}"},
        (
            "22: schema.0.properties.1.logicalTypeOptions.pattern: 'a{99999999999}' is not a regular expression that can be "
            "checked of 'item': '{99999999999}' at position 2 repeats more than 1000 times, or from more to fewer"
        ),
    ),
    (
        "rule in words",
        f"{TABLE} quality",
        [{"type": "text", "description": "all is well"}],
        "29: schema.0.quality.0: a rule of type 'text' cannot be checked; use library, sql or custom",
    ),
    (
        "rule of unknown type",
        f"{TABLE} quality",
        [{"type": "soda"}],
        "30: schema.0.quality.0.type: 'soda' is not one of text, library, sql, custom",
    ),
    (
        "rule without a metric",
        f"{TABLE} quality",
        [{"type": "library", "mustBe": 0}],
        "29: schema.0.quality.0: has no metric, which says what is measured",
    ),
    (
        "rule of no type",
        f"{TABLE} quality",
        [{"name": "x"}],
        "29: schema.0.quality.0: has no metric, which says what is measured",
    ),
    (
        "rule without an operator",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount"}],
        f"29: schema.0.quality.0: must hold exactly one of {OPERATORS}",
    ),
    (
        "rule with two operators",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBeGreaterThan": 1, "mustBeLessThan": 9}],
        f"29: schema.0.quality.0: must hold exactly one of {OPERATORS}",
    ),
    (
        "unknown metric",
        f"{TABLE} quality",
        [{"type": "library", "metric": "freshness", "mustBe": 0}],
        (
            "31: schema.0.quality.0.metric: 'freshness' is not one of nullValues, missingValues, "
            "invalidValues, duplicateValues, rowCount"
        ),
    ),
    (
        "column metric on a table",
        f"{TABLE} quality",
        [{"type": "library", "metric": "nullValues", "mustBe": 0}],
        "29: schema.0.quality.0: the metric 'nullValues' cannot be checked on the table; there are: rowCount",
    ),
    (
        "table metric on a column",
        f"{ITEM} quality",
        [{"type": "library", "metric": "rowCount", "mustBe": 0}],
        (
            "22: schema.0.properties.1.quality.0: the metric 'rowCount' cannot be checked on a column; there "
            "are: nullValues, invalidValues, duplicateValues"
        ),
    ),
    (
        "missing values",
        f"{ITEM} quality",
        [{"type": "library", "metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": ["", "N/A"]}}],
        (
            "22: schema.0.properties.1.quality.0: the metric 'missingValues' cannot be checked on a column; "
            "there are: nullValues, invalidValues, duplicateValues"
        ),
    ),
    (
        "unknown severity",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBe": 1, "severity": "fatal"}],
        "33: schema.0.quality.0.severity: 'fatal' is not one of error, warning",
    ),
    (
        "unknown dimension",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBe": 1, "dimension": "beauty"}],
        (
            "33: schema.0.quality.0.dimension: 'beauty' is not one of accuracy, completeness, conformity, "
            "consistency, coverage, timeliness, uniqueness"
        ),
    ),
    (
        "operator rows cannot be held to",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustNotBe": 1}],
        "29: schema.0.quality.0: this operator cannot be checked for rowCount; use mustBe or mustBeBetween",
    ),
    (
        "rows between in the wrong order",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBeBetween": [100, 20]}],
        "32: schema.0.quality.0.mustBeBetween: no value is between 100 and 20; write the smaller one first",
    ),
    (
        "half a row",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBe": 0.5}],
        "29: schema.0.quality.0: 0.5 is no number of rows; use a whole number from 0",
    ),
    (
        "rows below none",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBeLessThan": 0}],
        "29: schema.0.quality.0: -1 is no number of rows; use a whole number from 0",
    ),
    (
        "rows in percent",
        f"{TABLE} quality",
        [{"type": "library", "metric": "rowCount", "mustBe": 5, "unit": "percent"}],
        "33: schema.0.quality.0.unit: rowCount cannot be counted in 'percent'; leave the unit out or use rows",
    ),
    (
        "some invalid values",
        f"{ITEM} quality",
        [{"type": "library", "metric": "invalidValues", "mustBeLessThan": 3, "arguments": {"validValues": ["a"]}}],
        "22: schema.0.properties.1.quality.0: invalidValues can only be promised with 'mustBe: 0'",
    ),
    (
        "invalid values of no list",
        f"{ITEM} quality",
        [{"type": "library", "metric": "invalidValues", "mustBe": 0}],
        "22: schema.0.properties.1.quality.0: invalidValues needs 'arguments: {validValues: [...]}'",
    ),
    (
        "invalid values of an empty list",
        f"{ITEM} quality",
        [{"type": "library", "metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": []}}],
        "22: schema.0.properties.1.quality.0: invalidValues needs 'arguments: {validValues: [...]}'",
    ),
    (
        "invalid values by pattern",
        f"{ITEM} quality",
        [{"type": "library", "metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "a+"}}],
        (
            "26: schema.0.properties.1.quality.0.arguments: invalidValues has no argument 'pattern' that can be "
            "checked; there is: validValues"
        ),
    ),
    (
        "some duplicates",
        f"{ITEM} quality",
        [{"type": "library", "metric": "duplicateValues", "mustBe": 3}],
        "22: schema.0.properties.1.quality.0: duplicateValues can only be promised with 'mustBe: 0'",
    ),
    (
        "nulls counted in rows",
        f"{ITEM} quality",
        [{"type": "library", "metric": "nullValues", "mustBeLessOrEqualTo": 3}],
        NULLS,
    ),
    (
        "nulls of exactly 5 percent",
        f"{ITEM} quality",
        [{"type": "library", "metric": "nullValues", "mustBe": 5, "unit": "percent"}],
        NULLS,
    ),
    (
        "nulls of 101 percent",
        f"{ITEM} quality",
        [{"type": "library", "metric": "nullValues", "mustBeLessOrEqualTo": 101, "unit": "percent"}],
        NULLS,
    ),
    (
        "sql without a query",
        f"{TABLE} quality",
        [{"type": "sql", "mustBe": 0}],
        "29: schema.0.quality.0: has no query, which says what is measured",
    ),
    (
        "sql without an operator",
        f"{TABLE} quality",
        [{"type": "sql", "query": "select 1"}],
        f"29: schema.0.quality.0: must hold exactly one of {OPERATORS}",
    ),
    (
        "sql held against a list",
        f"{TABLE} quality",
        [{"type": "sql", "query": "select 1", "mustBe": [1]}],
        "32: schema.0.quality.0.mustBe: [1] cannot be compared with; use a number or text",
    ),
    (
        "sql between in the wrong order",
        f"{TABLE} quality",
        [{"type": "sql", "query": "select 1", "mustBeBetween": [2, 1]}],
        "32: schema.0.quality.0.mustBeBetween: no value is between 2 and 1; write the smaller one first",
    ),
    (
        "custom rule without an engine",
        f"{TABLE} quality",
        [{"type": "custom", "implementation": {}}],
        "29: schema.0.quality.0: the field 'engine' is missing",
    ),
    (
        "custom rule of another engine",
        f"{TABLE} quality",
        [{"type": "custom", "engine": "soda", "implementation": "x"}],
        "31: schema.0.quality.0.engine: 'soda' cannot be checked; use greatExpectations",
    ),
    (
        "custom rule in text",
        f"{TABLE} quality",
        [{"type": "custom", "engine": "greatExpectations", "implementation": "x"}],
        "32: schema.0.quality.0.implementation: must be '{type: expect_…, kwargs: {…}}'",
    ),
    (
        "custom rule without a type",
        f"{TABLE} quality",
        [{"type": "custom", "engine": "greatExpectations", "implementation": {"kwargs": {}}}],
        "32: schema.0.quality.0.implementation: must be '{type: expect_…, kwargs: {…}}'",
    ),
    (
        "custom rule with a further field",
        f"{TABLE} quality",
        [{"type": "custom", "engine": "greatExpectations", "implementation": {"type": "x", "mostly": 1}}],
        "32: schema.0.quality.0.implementation: must be '{type: expect_…, kwargs: {…}}'",
    ),
    (
        "custom rule with a list of arguments",
        f"{TABLE} quality",
        [{"type": "custom", "engine": "greatExpectations", "implementation": {"type": "x", "kwargs": [1]}}],
        "32: schema.0.quality.0.implementation: must be '{type: expect_…, kwargs: {…}}'",
    ),
]


@pytest.mark.parametrize(("where", "value", "problem"), [pytest.param(*case, id=name) for name, *case in BAD])
def test_a_rule_that_cannot_be_checked_is_refused(where: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load((where, value))
    assert str(caught.value) == f"sales.yaml:{problem}"
