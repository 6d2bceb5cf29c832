from pathlib import Path
from typing import Any

import pytest

from kit.contracts.column_type import value_problem
from kit.core.errors import InvalidFile
from tests.support.least_contract import FIRST, ITEM, load


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(*changes: tuple[str, Any]) -> str:
    with pytest.raises(InvalidFile) as caught:
        load(*changes)
    return str(caught.value).partition("schema.0.properties.")[2]


def typed(where: str, logical: str, physical: str) -> tuple[tuple[str, Any], ...]:
    return (f"{where} logicalType", logical), (f"{where} physicalType", physical)


@pytest.mark.parametrize(
    ("logical", "physical"),
    [
        ("string", "varchar"), ("string", "varchar(3)"), ("string", "uuid"), ("string", "json"), ("string", "blob"),
        ("integer", "bigint"), ("integer", "utinyint"), ("integer", "decimal(38,0)"), ("number", "integer"),
        ("number", "decimal(10,2)"), ("number", "double"), ("boolean", "bool"), ("date", "date"), ("date", "timestamp"),
        ("timestamp", "timestamptz"), ("time", "time"), ("object", "json"), ("array", "bigint[]"), ("array", "varchar[][]"),
    ],
)  # fmt: skip
def test_a_logical_type_fits_the_values_of_a_column(logical: str, physical: str) -> None:
    assert load(*typed(FIRST, logical, physical)).columns[0].logical_type == logical


@pytest.mark.parametrize(
    ("logical", "physical", "expected"),
    [
        ("integer", "varchar", "'integer' is not the logical type of varchar values; write string, or another physicalType"),
        ("integer", "decimal(9,2)", "'integer' is not the logical type of decimal(9,2) values; write number, or another "
         "physicalType"),
        ("string", "bigint[]", "'string' is not the logical type of bigint[] values; write array, or another physicalType"),
        ("array", "json", "'array' is not the logical type of json values; write string or object, or another physicalType"),
        ("date", "varchar", "'date' is not the logical type of varchar values; write string, or another physicalType"),
    ],
)  # fmt: skip
def test_a_logical_type_that_the_values_do_not_have_is_refused(logical: str, physical: str, expected: str) -> None:
    assert refused(*typed(FIRST, logical, physical)) == f"0.logicalType: {expected}"


def test_a_type_whose_length_says_nothing_is_refused() -> None:
    plain = "'CHAR' is one character in SQL and any text in DuckDB; write char(1) or varchar"
    assert refused(*typed(ITEM, "string", "CHAR")) == f"1.physicalType: {plain}"
    for written in ("varchar(0)", "char(0)", "text( 00 )"):
        empty = f"'{written}' permits empty texts only; write the greatest number of characters, or varchar"
        assert refused(*typed(ITEM, "string", written)) == f"1.physicalType: {empty}"
    in_list = "the length in 'varchar(4)[]' cannot be checked in a list; write varchar[]"
    assert refused(*typed(ITEM, "array", "varchar(4)[]")) == f"1.physicalType: {in_list}"


def test_the_elements_of_a_list_have_its_type() -> None:
    items = {"logicalType": "string", "physicalType": "text", "description": "a word"}
    assert load(*typed(ITEM, "array", "varchar[]"), (f"{ITEM} items", items)).columns[1].type == "varchar[]"
    wrong = "1.items.physicalType: 'bigint' is not varchar, which varchar[] holds"
    items = {"logicalType": "integer", "physicalType": "bigint"}
    assert refused(*typed(ITEM, "array", "varchar[]"), (f"{ITEM} items", items)) == wrong
    wrong = "1.items.logicalType: 'integer' is not the logical type of varchar values; write string, or another physicalType"
    assert refused(*typed(ITEM, "array", "varchar[]"), (f"{ITEM} items", {"logicalType": "integer"})) == wrong


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("varchar", ["", "yes", "12:30"], [1, True, 1.5]),
        ("bigint", [0, -1], ["1", 1.5, True]),
        ("double", [1, 1.5], ["1.5", False]),
        ("decimal(9,2)", [1, 1.5], ["1.50"]),
        ("boolean", [True, False], ["true", 1]),
        ("date", ["2024-02-29", "2024-01-05 00:00:00"], ["2023-02-29", "20240101", "next year", "2024-01-01 12:00:00", 2024]),
        ("timestamp", ["2024-01-01", "2024-01-01 12:00:00"], ["12:00:00", 0]),
        ("timestamp with time zone", ["2024-01-01 12:00:00+02:00"], ["now"]),
        ("time", ["12:30:00", "23:59"], ["2024-01-01", "123000", 12]),
        ("varchar[]", [], ["a"]),
        ("json", [], ["a"]),
    ],
)
def test_values_are_of_the_type_of_their_column(kind: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if value_problem(value, kind)] == []
    assert [value for value in bad if not value_problem(value, kind)] == []
