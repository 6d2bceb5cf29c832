import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.contracts.contract import Column, Contract, Version
from kit.contracts.rule_kinds import not_null, row_count, unique_together
from kit.contracts.rule_query import Query
from kit.contracts.rules import Rule
from kit.contracts.service_levels import Sla
from kit.core.errors import InvalidFile
from tests.support.edit import ABSENT, edited

BASE: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "shop.sales",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "sales",
            "description": "One row per sale.",
            "properties": [
                {"name": "sale_id", "logicalType": "integer", "physicalType": "bigint"},
                {"name": "item", "logicalType": "string", "physicalType": "varchar"},
                {"name": "sold_on", "logicalType": "date", "physicalType": "date"},
            ],
        }
    ],
}
TABLE = "schema 0"
FIRST, ITEM, DAY = (f"{TABLE} properties {position}" for position in range(3))
TYPES = (
    "bigint, blob, boolean, date, double, float, integer, json, smallint, time, timestamp, timestamp with time zone, "
    "tinyint, ubigint, uinteger, usmallint, utinyint, uuid, varchar, decimal(p,s), or one of these followed by []"
)
OPERATORS = (
    "mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, mustBeLessThan, mustBeLessOrEqualTo, mustBeBetween, "
    "mustNotBeBetween"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(*changes: tuple[str, Any]) -> Contract:
    data = BASE
    for where, value in changes:
        data = edited(data, where, value)
    path = Path.cwd() / "sales.yaml"
    path.write_text(json.dumps(data, indent=1))
    return Contract.load(path)


def rules(*changes: tuple[str, Any]) -> list[Rule]:
    return list(load(*changes).rules)


def test_the_least_contract_is_read_whole() -> None:
    assert load() == Contract(
        path=Path.cwd() / "sales.yaml",
        id="shop.sales",
        version=Version(1, 0, 0),
        table="sales",
        title="sales",
        description="One row per sale.",
        team="",
        columns=(
            Column("sale_id", "bigint", "integer", "", False, None),
            Column("item", "varchar", "string", "", False, None),
            Column("sold_on", "date", "date", "", False, None),
        ),
        key=(),
        rules=(),
        sla=Sla(),
        tags=(),
    )


def test_what_a_contract_says_beside_its_schema_is_read() -> None:
    contract = load(("name", "Sales of a day"), ("team", {"name": "Shop"}), ("tags", ["a", "b"]))
    assert (contract.title, contract.team, contract.tags) == ("Sales of a day", "Shop", ("a", "b"))


def test_a_team_of_the_older_form_has_no_name() -> None:
    assert load(("team", [{"username": "a@example.com"}])).team == ""


def test_a_column_says_what_it_is() -> None:
    changes = {"description": "Number.", "required": True, "classification": "personal", "physicalType": "LONG"}
    contract = load(*((f"{FIRST} {name}", value) for name, value in changes.items()))
    assert contract.columns[0] == Column("sale_id", "bigint", "integer", "Number.", True, "personal")


def test_a_key_is_ordered_by_its_positions_and_required() -> None:
    contract = load(
        (f"{FIRST} primaryKey", True),
        (f"{FIRST} primaryKeyPosition", 2),
        (f"{ITEM} primaryKey", True),
        (f"{ITEM} primaryKeyPosition", 1),
    )
    assert contract.key == ("item", "sale_id")
    assert [column.required for column in contract.columns] == [True, True, False]


def test_service_levels_are_spans_of_time() -> None:
    levels = [
        {"property": "latency", "value": 36, "unit": "h", "element": "sales.sold_on"},
        {"property": "frequency", "value": 0.5, "unit": "days"},
        {"property": "retention", "value": 2, "unit": "y"},
    ]
    assert load(("slaProperties", levels)).sla == Sla(
        latency=timedelta(hours=36),
        latency_column="sold_on",
        frequency=timedelta(hours=12),
        retention=timedelta(days=730, hours=12),
    )


def test_an_older_version_names_its_port() -> None:
    assert load().major_of is None
    assert load(("customProperties", [{"property": "majorOf", "value": "totals"}])).major_of == "totals"


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
                {"unexpected_rows_query": Query.rows_where("""not regexp_full_match("item", '[a-z]{2}''?')""")},
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
        ("mustBe", 0, "observed = 0"),
        ("mustBe", "it's {ok}", "observed = 'it''s {ok}'"),
        ("mustNotBe", 1.5, "observed <> 1.5"),
        ("mustBeGreaterThan", 1, "observed > 1"),
        ("mustBeGreaterOrEqualTo", 1, "observed >= 1"),
        ("mustBeLessThan", 1, "observed < 1"),
        ("mustBeLessOrEqualTo", 1, "observed <= 1"),
        ("mustBeBetween", [1, 2], "observed between 1 and 2"),
        ("mustNotBeBetween", [-1, 1], "observed not between -1 and 1"),
    ],
)
def test_a_query_is_wrapped_to_return_what_breaks_it(operator: str, value: object, holds: str) -> None:
    query = "select count(*) from ${table} where item ~ 'a{2}' ;\n"
    (rule,) = rules((f"{TABLE} quality", [{"type": "sql", "query": query, operator: value}]))
    assert rule.assertion.expectation == "unexpected_rows_expectation"
    assert rule.assertion.kwargs["unexpected_rows_query"] == Query(
        (
            "select observed from (\nselect count(*) from ",
            f" where item ~ 'a{{2}}'\n) as rule(observed) where not coalesce({holds}, false)",
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
        Rule("one row: rows are between 1 and 1", row_count(1, 1), "warning", "Just one.")
    ]


# Each: what is wrong, where the sound contract is changed, to what, and the message after the file's name.
BAD: list[tuple[str, str, Any, str]] = [
    ("no version", "version", ABSENT, "1: 'version' is a required property"),
    ("no id", "id", ABSENT, "1: 'id' is a required property"),
    ("version of two parts", "version", "1.0", "5: version: '1.0' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0"),
    ("version that is a number", "version", 1.5, "5: version: 1.5 is not of type 'string'"),
    (
        "version with a leading zero",
        "version",
        "1.02.0",
        "5: version: '1.02.0' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0",
    ),
    ("other kind", "kind", "DataProduct", "3: kind: 'DataProduct' is not one of ['DataContract']"),
    (
        "unknown standard",
        "apiVersion",
        "v9",
        ("2: apiVersion: 'v9' is not one of ['v3.2.0', 'v3.1.0', 'v3.0.2', 'v3.0.1', 'v3.0.0', 'v2.2.2', 'v2.2.1', 'v2.2.0']"),
    ),
    (
        "unknown field at the top",
        "owner",
        "me",
        (
            "1: Additional properties are not allowed ('owner' was unexpected); there are: version, kind, "
            "apiVersion, id, name, tenant, tags, status, servers, dataProduct, description, domain, context, "
            "schema, support, price, team, roles, slaDefaultElement, slaProperties, authoritativeDefinitions, "
            "customProperties, contractCreatedTs"
        ),
    ),
    ("no schema", "schema", ABSENT, "1: schema: describes 0 tables; a contract of this mesh describes exactly one"),
    ("no table", "schema", [], "7: schema: describes 0 tables; a contract of this mesh describes exactly one"),
    ("schema that is text", "schema", "sales", "7: schema: 'sales' is not of type 'array'"),
    (
        "two tables",
        "schema 1",
        {"name": "more"},
        "7: schema: describes 2 tables; a contract of this mesh describes exactly one",
    ),
    ("table without a name", f"{TABLE} name", ABSENT, "8: schema.0: 'name' is a required property"),
    (
        "table name with a capital",
        f"{TABLE} name",
        "Sales",
        "9: schema.0.name: 'Sales' is not a name; use a-z, 0-9 and _, a letter first, at most 63",
    ),
    (
        "table without a description",
        f"{TABLE} description",
        ABSENT,
        "8: schema.0: 'sales' has no description; say what one row is",
    ),
    ("table without columns", f"{TABLE} properties", ABSENT, "8: schema.0: 'sales' has no properties; list every column"),
    (
        "table with an empty list of columns",
        f"{TABLE} properties",
        [],
        "8: schema.0: 'sales' has no properties; list every column",
    ),
    (
        "unknown field of a table",
        f"{TABLE} colour",
        "red",
        "8: schema.0: Unevaluated properties are not allowed ('colour' was unexpected)",
    ),
    ("column without a name", f"{FIRST} name", ABSENT, "12: schema.0.properties.0: 'name' is a required property"),
    (
        "column name that is quoted SQL",
        f"{FIRST} name",
        'a" or 1',
        ("13: schema.0.properties.0.name: 'a\" or 1' is not a name; use a-z, 0-9 and _, a letter first, at most 63"),
    ),
    (
        "column name of 64 characters",
        f"{FIRST} name",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        (
            "13: schema.0.properties.0.name: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' "
            "is not a name; use a-z, 0-9 and _, a letter first, at most 63"
        ),
    ),
    ("column twice", f"{ITEM} name", "sale_id", "11: schema.0.properties: the column 'sale_id' is written twice; keep one"),
    (
        "no logical type",
        f"{FIRST} logicalType",
        ABSENT,
        (
            "12: schema.0.properties.0: 'sale_id' has no logicalType; use one of string, integer, number, "
            "boolean, date, timestamp, time, object, array"
        ),
    ),
    (
        "unknown logical type",
        f"{FIRST} logicalType",
        "int",
        (
            "14: schema.0.properties.0.logicalType: 'int' is not one of ['string', 'date', 'timestamp', 'time', "
            "'number', 'integer', 'object', 'array', 'boolean', 'map', 'vector']"
        ),
    ),
    (
        "no physical type",
        f"{FIRST} physicalType",
        ABSENT,
        ("12: schema.0.properties.0: 'sale_id' has no physicalType; write its column type such as varchar or bigint"),
    ),
    (
        "unknown physical type",
        f"{FIRST} physicalType",
        "money",
        f"15: schema.0.properties.0.physicalType: 'money' is not a column type; use one of {TYPES}",
    ),
    (
        "decimal without digits",
        f"{FIRST} physicalType",
        "decimal",
        f"15: schema.0.properties.0.physicalType: 'decimal' is not a column type; use one of {TYPES}",
    ),
    (
        "decimal wider than 38",
        f"{FIRST} physicalType",
        "decimal(39,2)",
        f"15: schema.0.properties.0.physicalType: 'decimal(39,2)' is not a column type; use one of {TYPES}",
    ),
    ("type that is a number", f"{FIRST} physicalType", 8, "15: schema.0.properties.0.physicalType: 8 is not of type 'string'"),
    (
        "unknown field of a column",
        f"{FIRST} nullable",
        False,
        "12: schema.0.properties.0: Unevaluated properties are not allowed ('nullable' was unexpected)",
    ),
    ("required that is text", f"{FIRST} required", "yes", "16: schema.0.properties.0.required: 'yes' is not of type 'boolean'"),
    (
        "unknown classification",
        f"{FIRST} classification",
        "secret",
        ("16: schema.0.properties.0.classification: 'secret' is not one of public, internal, confidential, personal"),
    ),
    (
        "minimum of a text column",
        f"{ITEM} logicalTypeOptions",
        {"minimum": 1},
        (
            "21: schema.0.properties.1.logicalTypeOptions: Additional properties are not allowed ('minimum' was "
            "unexpected); there are: minLength, maxLength, pattern, format"
        ),
    ),
    (
        "minimum that is text",
        f"{FIRST} logicalTypeOptions",
        {"minimum": "one"},
        "17: schema.0.properties.0.logicalTypeOptions.minimum: 'one' is not of type 'number'",
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
        {"multipleOf": 2},
        (
            "17: schema.0.properties.0.logicalTypeOptions.multipleOf: the option 'multipleOf' cannot be checked; "
            "there are: maxLength, maximum, minLength, minimum, pattern"
        ),
    ),
    (
        "pattern that does not compile",
        f"{ITEM} logicalTypeOptions",
        {"pattern": "("},
        (
            "22: schema.0.properties.1.logicalTypeOptions.pattern: '(' is not a regular expression: missing ), "
            "unterminated subpattern at position 0"
        ),
    ),
    (
        "pattern that repeats too often",
        f"{ITEM} logicalTypeOptions",
        {"pattern": "a{99999999999}"},
        (
            "22: schema.0.properties.1.logicalTypeOptions.pattern: 'a{99999999999}' is not a regular expression: "
            "the repetition number is too large"
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
        "30: schema.0.quality.0.type: 'soda' is not one of ['text', 'library', 'sql', 'custom']",
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
            "31: schema.0.quality.0.metric: 'freshness' is not one of ['nullValues', 'missingValues', "
            "'invalidValues', 'duplicateValues', 'rowCount']"
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
            "33: schema.0.quality.0.dimension: 'beauty' is not one of ['accuracy', 'completeness', 'conformity', "
            "'consistency', 'coverage', 'timeliness', 'uniqueness']"
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
        ("22: schema.0.properties.1.quality.0: nullValues needs 'mustBeLessOrEqualTo' between 0 and 100 with 'unit: percent'"),
    ),
    (
        "nulls of exactly 5 percent",
        f"{ITEM} quality",
        [{"type": "library", "metric": "nullValues", "mustBe": 5, "unit": "percent"}],
        ("22: schema.0.properties.1.quality.0: nullValues needs 'mustBeLessOrEqualTo' between 0 and 100 with 'unit: percent'"),
    ),
    (
        "nulls of 101 percent",
        f"{ITEM} quality",
        [{"type": "library", "metric": "nullValues", "mustBeLessOrEqualTo": 101, "unit": "percent"}],
        ("22: schema.0.properties.1.quality.0: nullValues needs 'mustBeLessOrEqualTo' between 0 and 100 with 'unit: percent'"),
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
        "29: schema.0.quality.0: 'engine' is a required property",
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
    (
        "unknown service level",
        "slaProperties",
        [{"property": "availability", "value": 99}],
        (
            "32: slaProperties.0.property: 'availability' cannot be measured; "
            "there are: latency, frequency, retention, endOfLife"
        ),
    ),
    (
        "service level without a value",
        "slaProperties",
        [{"property": "latency"}],
        "31: slaProperties.0: 'value' is a required property",
    ),
    (
        "service level without a unit",
        "slaProperties",
        [{"property": "frequency", "value": 1}],
        ("31: slaProperties.0: frequency is 1 without unit; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level in minutes",
        "slaProperties",
        [{"property": "frequency", "value": 30, "unit": "m"}],
        ("31: slaProperties.0: frequency is 30 m; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level of nothing",
        "slaProperties",
        [{"property": "frequency", "value": 0, "unit": "d"}],
        ("31: slaProperties.0: frequency is 0 d; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level in text",
        "slaProperties",
        [{"property": "frequency", "value": "1", "unit": "d"}],
        ("31: slaProperties.0: frequency is '1' d; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level that is true",
        "slaProperties",
        [{"property": "frequency", "value": True, "unit": "d"}],
        ("31: slaProperties.0: frequency is True d; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level beyond all time",
        "slaProperties",
        [{"property": "retention", "value": 1000000000000, "unit": "y"}],
        ("31: slaProperties.0: retention is 1000000000000 y; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level twice",
        "slaProperties",
        [{"property": "retention", "value": 1, "unit": "y"}, {"property": "retention", "value": 2, "unit": "y"}],
        "36: slaProperties.1: retention is written twice; keep one",
    ),
    (
        "latency of no column",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d"}],
        ("31: slaProperties.0.element: '' is not a date or timestamp of 'sales'; there are: sold_on; write sales.COLUMN"),
    ),
    (
        "latency of another table",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d", "element": "orders.sold_on"}],
        (
            "35: slaProperties.0.element: 'orders.sold_on' is not a date or timestamp of 'sales'; there are: "
            "sold_on; write sales.COLUMN"
        ),
    ),
    (
        "latency of an unknown column",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d", "element": "sales.sold_at"}],
        (
            "35: slaProperties.0.element: 'sales.sold_at' is not a date or timestamp of 'sales'; there are: "
            "sold_on; write sales.COLUMN"
        ),
    ),
    (
        "latency of a text column",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d", "element": "sales.item"}],
        (
            "35: slaProperties.0.element: 'sales.item' is not a date or timestamp of 'sales'; there are: "
            "sold_on; write sales.COLUMN"
        ),
    ),
    ("tags that are text", "tags", "a", "30: tags: 'a' is not of type 'array'"),
]


@pytest.mark.parametrize(("where", "value", "problem"), [pytest.param(*case, id=name) for name, *case in BAD])
def test_a_bad_contract_is_refused_with_line_field_value_and_what_is_allowed(where: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load((where, value))
    assert str(caught.value) == f"sales.yaml:{problem}"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", Version(1, 2, 3)),
        ("0.0.0", Version(0, 0, 0)),
        ("10.20.30", Version(10, 20, 30)),
        ("1.2", None),
        ("1.2.3.4", None),
        ("v1.2.3", None),
        ("1.2.3-rc1", None),
        ("01.2.3", None),
        ("1.2.3\n", None),
        ("1.2.\u0663", None),
        ("1.2." + "9" * 5000, None),
        (1.2, None),
        (None, None),
    ],
)
def test_a_version_is_three_plain_numbers(text: object, version: Version | None) -> None:
    assert Version.parse(text) == version


@given(st.tuples(*[st.integers(0, 999_999_999)] * 3))
def test_a_version_is_read_as_it_is_written(parts: tuple[int, int, int]) -> None:
    assert Version.parse(str(Version(*parts))) == Version(*parts)


def test_versions_are_ordered_by_number() -> None:
    texts = ["1.10.0", "1.0.10", "0.9.0", "1.2.0", "1.0.2", "1.0.0"]
    versions = [version for text in texts if (version := Version.parse(text))]
    assert [str(version) for version in sorted(versions)] == ["0.9.0", "1.0.0", "1.0.2", "1.0.10", "1.2.0", "1.10.0"]


@pytest.mark.parametrize(
    ("offered", "wanted", "serves"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.3.0", "1.2.3", True),
        ("1.2.2", "1.2.3", False),
        ("1.1.9", "1.2.3", False),
        ("2.0.0", "1.2.3", False),
        ("0.9.0", "1.2.3", False),
    ],
)
def test_a_version_serves_those_who_want_it_or_an_older_one_of_its_major(offered: str, wanted: str, serves: bool) -> None:
    have, want = Version.parse(offered), Version.parse(wanted)
    assert have
    assert want
    assert have.serves(want) is serves
