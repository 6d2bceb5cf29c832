"""Options of a logical type, judged by DuckDB on values."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.contracts.rule_kinds import QUERY
from kit.core.errors import InvalidFile
from tests.support.least_contract import FIRST, load, rules


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def typed(logical: str, kind: str, options: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{FIRST} logicalType", logical), (f"{FIRST} physicalType", kind), (f"{FIRST} logicalTypeOptions", options)]


def kept(logical: str, kind: str, options: dict[str, Any], values: list[str]) -> list[str]:
    """The values, as SQL, that violate no rule."""
    found = [rule.assertion.violations for rule in rules(*typed(logical, kind, options))]
    assert found

    def violates(value: str) -> bool:
        table = f"(select ({value})::{kind} as sale_id)"
        return any(rows and duckdb.sql(rows.sql(table)).fetchall() for rows in found)

    return [value for value in values if not violates(value)]


@pytest.mark.parametrize(
    ("logical", "kind", "options", "sound", "unsound"),
    [
        ("integer", "bigint", {"exclusiveMinimum": 0}, ["1", "null"], ["0", "-1"]),
        ("integer", "bigint", {"exclusiveMinimum": 0, "exclusiveMaximum": 3}, ["1", "2"], ["0", "3"]),
        ("number", "decimal(9,2)", {"minimum": 0, "exclusiveMaximum": 0.1}, ["0", "0.09"], ["-0.01", "0.1"]),
        ("number", "double", {"exclusiveMaximum": 0.1}, ["0.09"], ["0.1"]),
        ("date", "date", {"exclusiveMinimum": "2024-01-01"}, ["date '2024-01-02'"], ["date '2024-01-01'"]),
        ("timestamp", "timestamp", {"exclusiveMaximum": "2024-01-01 00:00:00"}, ["timestamp '2023-12-31 23:59:59.999999'"],
         ["timestamp '2024-01-01'"]),
        ("integer", "bigint", {"multipleOf": 5}, ["0", "-10", "9007199254740995", "null"], ["1", "9007199254740993"]),
        ("number", "decimal(18,2)", {"multipleOf": 0.05}, ["1.10", "-0.05", "9999999999999999.95"],
         ["1.11", "9999999999999999.96"]),
        ("integer", "bigint", {"multipleOf": 0.5}, ["7", "9007199254740993"], []),
        ("string", "varchar", {"format": "ipv4"}, ["'1.2.3.4'", "null"], ["'1.2.3'"]),
        ("integer", "bigint", {"format": "i32"}, ["2147483647"], ["2147483648"]),
        ("array", "bigint[]", {"minItems": 1, "maxItems": 2}, ["[1]", "[1, null]", "null"], ["[]", "[1, 2, 3]"]),
        ("array", "bigint[]", {"uniqueItems": True}, ["[]", "[1, 2, null]", "null"], ["[1, 1]", "[null, null]"]),
        ("object", "json", {"required": ["a", "b c"], "maxProperties": 2}, ["'{\"a\": 1, \"b c\": null}'", "null"],
         ["'{\"a\": 1}'", "'[1]'", "'{\"a\": 1, \"b c\": 1, \"d\": 1}'"]),
        ("object", "json", {"minProperties": 1}, ["'{\"a\": 1}'"], ["'{}'"]),
    ],
)  # fmt: skip
def test_an_option_is_checked_exactly(
    logical: str, kind: str, options: dict[str, Any], sound: list[str], unsound: list[str]
) -> None:
    assert kept(logical, kind, options, sound + unsound) == sound


@pytest.mark.parametrize(
    ("logical", "kind", "options", "problem"),
    [
        ("number", "double", {"multipleOf": 0.1},
         "multipleOf: 'sale_id' is double: a multiple of such values cannot be checked exactly; make the column a decimal"),
        ("integer", "decimal(38,0)", {"multipleOf": 0.5},
         "multipleOf: 'sale_id' is decimal(38,0): a multiple of 0.5 needs more than 38 digits; use a smaller decimal type"),
        ("integer", "bigint", {"exclusiveMinimum": 0.5},
         "exclusiveMinimum: 'sale_id' is bigint: 0.5 is no whole number, as bigint values are"),
        ("string", "varchar", {"format": "password"},
         "format: 'sale_id' is varchar: the format 'password': of varchar values it cannot be checked; there are: uuid, ipv4, "
         "ipv6, hostname, email, uri, byte"),
        ("timestamp", "timestamp", {"timezone": True},
         "timezone: 'sale_id' is timestamp: write the physicalType timestamp with time zone, or delete it"),
        ("timestamp", "timestamp", {"defaultTimezone": "Europe/Berlin"},
         "defaultTimezone: 'sale_id' is timestamp: a timestamp without a zone is in UTC, not in Europe/Berlin; convert it"),
        ("integer", "bigint", {"minimum": 3, "exclusiveMaximum": 3},
         "logicalTypeOptions: no value is at least 3 and less than 3; correct one of them"),
        ("integer", "bigint", {"exclusiveMinimum": 3, "maximum": 2},
         "logicalTypeOptions: no value is more than 3 and at most 2; correct one of them"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_checked_is_refused(logical: str, kind: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load(*typed(logical, kind, options))
    assert str(caught.value).endswith(problem)


@pytest.mark.parametrize(
    ("logical", "kind", "options"),
    [
        ("timestamp", "timestamptz", {"timezone": True}), ("timestamp", "timestamp", {"timezone": False}),
        ("timestamp", "timestamp", {"defaultTimezone": "Etc/UTC"}), ("integer", "bigint", {"format": "i64"}),
        ("array", "bigint[]", {"uniqueItems": False}),
    ],
)  # fmt: skip
def test_what_the_type_implies_is_no_rule(logical: str, kind: str, options: dict[str, Any]) -> None:
    assert rules(*typed(logical, kind, options)) == []


def test_a_rule_has_a_name_and_a_topic_of_its_own() -> None:
    first, second = rules(*typed("integer", "bigint", {"exclusiveMinimum": 0, "multipleOf": 5}))
    assert (first.name, second.name) == ("sale_id is more than 0", "sale_id is a multiple of 5")
    assert (first.assertion.topic, second.assertion.topic) == ("exclusiveMinimum", "multipleOf")
    assert {first.assertion.expectation, second.assertion.expectation} == {QUERY}
