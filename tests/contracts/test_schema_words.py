"""Every violation of the standards' JSON schemas is worded for a person who writes YAML."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.contracts import loader
from kit.contracts.schema_words import WORDS
from kit.core.errors import InvalidFile
from kit.core.yaml import Document
from tests.support.small_mesh import contract, descriptor

STRUCTURE = {
    "$schema", "$ref", "$defs", "$comment", "title", "description", "examples", "default", "deprecated", "properties", "items",
    "allOf", "if", "then", "format",
}  # fmt: skip
COLUMN = ["schema", 0, "properties", 0]
RULE = ["schema", 0, "quality", 0]
ABSENT = object()


def keywords(schema: Any) -> Iterator[str]:
    """The keywords that a schema uses, without the names of fields."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            yield name
            for part in value.values() if name in ("properties", "$defs") else [value]:
                yield from keywords(part) if name not in ("examples", "default", "enum", "const") else ()
    elif isinstance(schema, list):
        for part in schema:
            yield from keywords(part)


def test_every_keyword_of_the_schemas_has_a_sentence() -> None:
    own = Path(loader.__file__).with_name("odps.schema.json")
    schemas = [json.loads(path.read_bytes()) for path in (loader.contract_schema(), own)]
    servers = set(schemas[0]["$defs"]["ServerSource"])
    used = set(keywords(schemas)) - servers
    assert used - STRUCTURE - {"additionalProperties", "unevaluatedProperties"} <= WORDS.keys()


def refused(where: list[str | int], value: Any, standard: loader.Standard = "odcs") -> str:
    """The place and the sentence for a contract or descriptor with another value in one place."""
    columns = [("item", "varchar", {"tags": ["a"]})]
    text = contract("shop.sales", "sales", columns, [{"type": "sql", "query": "select 1", "mustBe": 1}])
    data = part = json.loads(text if standard == "odcs" else descriptor("shop", outputs={"sales": "dbt"}))
    for name in where[:-1]:
        part = part[name]
    if value is ABSENT:
        del part[where[-1]]
    else:
        part[where[-1]] = value
    with pytest.raises(InvalidFile) as caught:
        loader.check_schema(Document(Path("a.yaml"), json.dumps(data), data), standard)
    assert caught.value.field.startswith(".".join(map(str, where[:-1])))
    return f"{caught.value.field.rpartition('.')[2]}: {caught.value.problem}"


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        ([*COLUMN, "enum"], ["DE"], "0: 'DE' is a text, not a mapping of fields; write `- {value: DE}`"),
        ([*COLUMN, "enum"], ["D E"], "0: 'D E' is a text, not a mapping of fields; write `- {value: \"D E\"}`"),
        ([*COLUMN, "enum"], [1], "0: 1 is a number, not a mapping of fields; write `- {value: 1}`"),
        ([*COLUMN, "enum"], "DE", "enum: 'DE' is a text, not a list; write [DE]"),
        ([*COLUMN, "enum"], {"value": "DE"},
         "enum: {\"value\": \"DE\"} is a mapping of fields, not a list; begin each of its entries with '- '"),
        ([*COLUMN, "enum"], [], "enum: has 0 values, at least 1 must be listed"),
        ([*COLUMN, "enum"], [{"value": "a"}, {"value": "a"}], 'enum: {"value": "a"} is listed twice; keep one'),
        ([*COLUMN, "enum"], [{"valeu": "a"}], "0: the field 'value' is missing; 'valeu' is no field"),
        ([*COLUMN, "tags"], None, "tags: has no value; write a list, or delete the field"),
        ([*COLUMN, "id"], "a b", "id: 'a b' does not have the form ^[A-Za-z0-9_-]+$"),
        ([*COLUMN, "primaryKeyPosition"], 1.5, "primaryKeyPosition: 1.5 is no whole number"),
        ([*COLUMN, "requried"], True, "requried: there is no field 'requried'; did you mean 'required'?"),
        ([*COLUMN, "items"], {"logicalType": "string"}, "items: 'items' only belongs to logicalType: array"),
        ([*COLUMN, "logicalTypeOptions"], {"minlength": 1},
         "minlength: there is no field 'minlength'; did you mean 'minLength'?"),
        ([*COLUMN, "logicalTypeOptions"], {"minLength": -1}, "minLength: -1 is less than 0, the least allowed value"),
        ([*COLUMN, "logicalType"], "strng",
         "logicalType: 'strng' is not one of string, date, timestamp, time, number, integer, object, array, boolean, map, "
         "vector; did you mean 'string'?"),
        ([*RULE, "mustBe"], ABSENT,
         "0: must have exactly one of mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, mustBeLessThan, "
         "mustBeLessOrEqualTo, mustBeBetween, mustNotBeBetween"),
        ([*RULE, "implementation"], "x", "implementation: 'implementation' only belongs to type: custom"),
        (["kind"], "Contract", "kind: 'Contract' is not 'DataContract', the only allowed value"),
        (["team"], "Shop", "team: 'Shop' is a text, not a mapping of fields or a list"),
        (["team"], {"nam": "Shop"}, "nam: there is no field 'nam'; did you mean 'name'?"),
        (["slaProperties", 0, "value"], [1],
         "value: [1] is a list, not a text or a number or a boolean (true or false) or nothing"),
        (["schema", 0, "relationships"], [{"from": "item", "to": 5}], "0: {\"from\": \"item\", \"to\": 5} has none of"),
    ],
)  # fmt: skip
def test_a_violation_names_the_value_and_what_is_allowed(where: list[str | int], value: Any, sentence: str) -> None:
    assert refused(where, value).startswith(sentence)


def test_a_descriptor_is_worded_like_a_contract() -> None:
    assert refused(["name"], "", "odps") == "name: is empty; write a text"
    assert refused(["outputPorts"], [], "odps") == "outputPorts: has 0 values, at least 1 must be listed"
    assert refused(["tagss"], [], "odps") == "tagss: there is no field 'tagss'; did you mean 'tags'?"
    assert refused(["outputPorts", 0, "type"], "dtb", "odps") == "type: 'dtb' is not one of dbt, notebook; did you mean 'dbt'?"


@pytest.mark.parametrize("value", [{"a": "x" * 5000}, "x" * 5000, [1] * 5000])
def test_a_large_value_is_cut(value: Any) -> None:
    assert len(refused(["version"], value if not isinstance(value, str) else [value])) < 250
