"""Rules about elements of lists and properties of objects, judged by DuckDB on values."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.core.errors import InvalidFile
from tests.support.least_contract import FIRST, load, rules


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def column(logical: str, kind: str, **fields: Any) -> list[tuple[str, Any]]:
    typed = [(f"{FIRST} logicalType", logical), (f"{FIRST} physicalType", kind)]
    return typed + [(f"{FIRST} {name}", value) for name, value in fields.items()]


def violated(changes: list[tuple[str, Any]], kind: str, value: str) -> list[str]:
    """The names of the rules that a value, as SQL, violates."""
    table = f"(select ({value})::{kind} as sale_id)"
    found = [(rule.name, rule.assertion.violations) for rule in rules(*changes)]
    return [name for name, rows in found if rows and duckdb.sql(rows.sql(table)).fetchall()]


@pytest.mark.parametrize(
    ("kind", "items", "sound", "unsound", "name"),
    [
        ("varchar[]", {"logicalType": "string", "required": True}, ["['a']", "[]", "null"], ["['a', null]"],
         "sale_id: each element is required"),
        ("varchar[]", {"logicalType": "string", "enum": [{"value": "a"}, {"value": "b'"}]}, ["['a', 'b''', null]", "[]"],
         ["['a', 'c']"], "sale_id: each element is one of 2 values"),
        ("bigint[]", {"logicalType": "integer", "logicalTypeOptions": {"minimum": 2}}, ["[2, null]"], ["[2, 1]"],
         "sale_id: each element is at least 2"),
        ("bigint[]", {"logicalType": "integer", "logicalTypeOptions": {"multipleOf": 2}}, ["[2, null]"], ["[2, 1]"],
         "sale_id: each element is a multiple of 2"),
        ("varchar[]", {"logicalType": "string", "logicalTypeOptions": {"maxLength": 2}}, ["['ab']"], ["['abc']"],
         "sale_id: each element has a length of at most 2"),
        ("varchar[]", {"logicalType": "string", "physicalType": "varchar(2)"}, ["['ab', null]"], ["['abc']"],
         "sale_id: each element has a length of at most 2"),
        ("varchar[]", {"logicalType": "string", "physicalType": "char(3)", "logicalTypeOptions": {"maxLength": 2}}, ["['ab']"],
         ["['abc']"], "sale_id: each element has a length of at most 2"),
        ("varchar[]", {"logicalType": "string", "logicalTypeOptions": {"pattern": "^a"}}, ["['ab']"], ["['ba']"],
         "sale_id: each element matches ^a"),
        ("bigint[][]", {"logicalType": "array", "items": {"logicalType": "integer", "logicalTypeOptions": {"maximum": 3}}},
         ["[[1], [], null, [null, 3]]"], ["[[1], [4]]"], "sale_id: each element is at most 3"),
        ("bigint[][]", {"logicalType": "array", "logicalTypeOptions": {"minItems": 1}}, ["[[1]]"], ["[[1], []]"],
         "sale_id: each element has at least 1 items"),
    ],
)  # fmt: skip
def test_each_element_of_a_list_is_checked(
    kind: str, items: dict[str, Any], sound: list[str], unsound: list[str], name: str
) -> None:
    changes = column("array", kind, items=items)
    assert [violated(changes, kind, value) for value in sound] == [[]] * len(sound)
    assert [violated(changes, kind, value) for value in unsound] == [[name]] * len(unsound)


PROPERTIES = [
    {"name": "id", "logicalType": "integer", "required": True},
    {"name": "a b", "logicalType": "object", "properties": [{"name": "c", "logicalType": "string", "required": True}]},
]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("null", []),
        ("""'{"id": 1}'""", []),
        ("""'{"id": 1, "a b": {}}'""", ['"a b"."c" of sale_id is required']),
        ("""'{"id": 1, "a b": {"c": "x"}}'""", []),
        ("""'{"id": null, "a b": {"c": "x"}}'""", ['"id" of sale_id is required']),
        ("""'{"id": "1", "a b": {"c": 1}}'""",
         ['"id" of sale_id holds integer values', '"a b"."c" of sale_id holds string values']),
    ],
)  # fmt: skip
def test_each_property_of_an_object_is_checked(value: str, names: list[str]) -> None:
    assert violated(column("object", "json", properties=PROPERTIES), "json", value) == names


def test_what_cannot_be_checked_inside_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidFile) as caught:
        load(*column("object", "json", properties=[{"name": "day", "logicalType": "date"}]))
    known = "string, boolean, integer, number, object, array"
    assert str(caught.value).endswith(f"properties.0.logicalType: JSON has no date; write one of {known}")
    items = {"logicalType": "string", "logicalTypeOptions": {"pattern": "(?=a)"}}
    with pytest.raises(InvalidFile) as caught:
        load(*column("array", "varchar[]", items=items))
    assert "items.logicalTypeOptions.pattern: '(?=a)' is not a regular expression that can be checked" in str(caught.value)
