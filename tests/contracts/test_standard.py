"""Every field of the standard is read, promises nothing, or is refused: by the JSON schema of the standard itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.contracts import standard
from kit.contracts.loader import contract_schema
from kit.contracts.standard import StandardObject
from kit.contracts.value_options import OPTIONS
from kit.core.errors import InvalidFile
from tests.support.least_contract import FIRST, ITEM, TABLE, load, rules

SCHEMA = json.loads(contract_schema().read_bytes())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fields(schema: dict[str, Any]) -> Iterator[str]:
    """The fields that an object may have by a JSON schema and all its parts, with conditions or without."""
    yield from schema.get("properties", ())
    if "$ref" in schema:
        yield from fields(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    parts = [part for name in ("allOf", "oneOf", "anyOf") for part in schema.get(name, ())]
    for part in [*parts, *([schema["then"]] if "then" in schema else [])]:
        yield from fields(part)


def options() -> set[str]:
    """The options of all logical types."""
    typed = [part["then"]["properties"] for part in SCHEMA["$defs"]["SchemaBaseProperty"]["allOf"] if "then" in part]
    return {name for part in typed for name in part.get("logicalTypeOptions", {}).get("properties", ())}


OBJECTS = [
    (standard.CONTRACT, SCHEMA),
    (standard.TABLE, SCHEMA["$defs"]["SchemaObject"]),
    (standard.COLUMN, SCHEMA["$defs"]["SchemaProperty"]),
    (standard.ELEMENT, SCHEMA["$defs"]["SchemaItemProperty"]),
    (standard.PROPERTY, SCHEMA["$defs"]["SchemaProperty"]),
    (standard.RULE, SCHEMA["$defs"]["DataQuality"]),
    (standard.VALUE, SCHEMA["$defs"]["EnumValue"]),
    (standard.LEVEL, SCHEMA["$defs"]["ServiceLevelAgreementProperty"]),
    (standard.RELATIONSHIP, SCHEMA["$defs"]["RelationshipBase"]),
]


@pytest.mark.parametrize(("kind", "schema"), [pytest.param(*item, id=item[0].name) for item in OBJECTS])
def test_each_field_of_the_standard_is_read_or_silent_or_refused(kind: StandardObject, schema: dict[str, Any]) -> None:
    known = [*kind.read, *kind.silent, *kind.refused]
    assert sorted(set(fields(schema))) == sorted(known)


# Further options that the kit refuses, all of vectors; each is the end of a message that names it.
REFUSED_OPTIONS = {
    "dimensions", "elementType", "distanceMetric", "embeddingModel", "embeddingModelVersion", "normalized",
}  # fmt: skip


def test_each_option_of_a_logical_type_is_checked_or_refused() -> None:
    assert options() == {*OPTIONS} | REFUSED_OPTIONS


# What promises nothing about the data: names, texts, people, prices, addresses, and how a value came about.
SILENT: list[tuple[str, Any]] = [
    ("description", {"purpose": "To count.", "usage": "Daily."}),
    ("servers", [{"server": "s", "type": "local", "path": "x.csv", "format": "csv"}]),
    ("roles", [{"role": "reader", "access": "read"}]),
    ("price", {"priceAmount": 1, "priceCurrency": "EUR"}),
    ("support", [{"channel": "help"}]),
    ("context", "Sales are net."),
    ("contractCreatedTs", "2024-01-01T00:00:00Z"),
    (f"{TABLE} businessName", "Sales"),
    (f"{TABLE} dataGranularityDescription", "A sale."),
    (f"{FIRST} criticalDataElement", True),
    (f"{FIRST} transformLogic", "a + b"),
    (f"{FIRST} transformSourceObjects", ["a"]),
    (f"{FIRST} examples", [1, 2]),
    (f"{FIRST} synonyms", [{"synonym": "number"}]),
    (f"{FIRST} semanticType", "dimension"),
    (f"{FIRST} customProperties", [{"property": "widget", "value": 1}]),
    # A default promises nothing.
    (f"{FIRST} partitioned", False),
    (f"{FIRST} partitionKeyPosition", -1),
    (f"{FIRST} primaryKeyPosition", -1),
]


@pytest.mark.parametrize(("where", "value"), SILENT)
def test_a_field_that_promises_nothing_is_accepted_and_gives_no_rule(where: str, value: Any) -> None:
    assert rules(("apiVersion", "v3.2.0"), (where, value)) == []


RULE = {"type": "library", "metric": "rowCount", "mustBe": 1}
LIST = (f"{ITEM} logicalType", "array"), (f"{ITEM} physicalType", "varchar[]")
PARTITIONS = "the partitions of a product are declared in its product.odps.yaml; delete it"
ELEMENTS = "a rule about the elements of a list cannot be checked; write a custom rule of the column"
OBJECT = "of a property only name, logicalType and required are checked; write a custom rule of the column"

REFUSED: list[tuple[list[tuple[str, Any]], str]] = [
    ([("slaDefaultElement", "sales.sold_on")],
     "slaDefaultElement: slaDefaultElement of a contract is not checked: write it as element of the service levels that it is "
     "for"),
    ([("slaProperties", [{"property": "frequency", "value": 1, "valueExt": 2, "unit": "d"}])],
     "slaProperties.0.valueExt: valueExt of a service level is not checked: a service level has one value; write it as value"),
    ([("slaProperties", [{"property": "frequency", "value": 1, "unit": "d", "element": "sales.item"}])],
     "slaProperties.0.element: frequency is measured of the whole table; leave the element out or write sales"),
    ([(f"{FIRST} partitioned", True)],
     f"schema.0.properties.0.partitioned: partitioned of a column is not checked: {PARTITIONS}"),
    ([(f"{FIRST} partitionKeyPosition", 1)],
     f"schema.0.properties.0.partitionKeyPosition: partitionKeyPosition of a column is not checked: {PARTITIONS}"),
    ([(f"{FIRST} primaryKeyPosition", 1)],
     "schema.0.properties.0.primaryKeyPosition: 'sale_id' is not in the key; write primaryKey: true"),
    ([(f"{FIRST} semanticType", "measure")],
     "schema.0.properties.0.semanticType: semanticType of a column is not checked: a measure is not a column; describe it in "
     "a text, or publish it as a column"),
    ([(f"{FIRST} encryptedName", "sale_id_secret")],
     "schema.0.properties.0.encryptedName: encryptedName of a column is not checked: the kit does not check that the column "
     "holds encrypted values; mask the column with customProperties"),
    ([(f"{FIRST} physicalName", "Sale")],
     "schema.0.properties.0.physicalName: 'sale_id' is published under its name; only columns of raw sources have another "
     "physicalName"),
    ([(f"{TABLE} physicalName", "sales_v2")],
     "schema.0.physicalName: 'sales' is published under its name; delete the physicalName"),
    ([*LIST, (f"{ITEM} items", {"logicalType": "string", "quality": [RULE]})],
     f"schema.0.properties.1.items.quality: quality of a list element is not checked: {ELEMENTS}"),
    ([*LIST, (f"{ITEM} physicalType", "varchar[][]"),
      (f"{ITEM} items", {"logicalType": "array", "items": {"logicalType": "string", "unique": True}})],
     "schema.0.properties.1.items.items.unique: unique of a list element is not checked: write uniqueItems: true in the "
     "logicalTypeOptions of the list"),
    ([(f"{ITEM} logicalType", "object"), (f"{ITEM} physicalType", "json"),
      (f"{ITEM} properties", [{"name": "a", "logicalType": "string", "unique": True}])],
     f"schema.0.properties.1.properties.0.unique: unique of a property of an object is not checked: {OBJECT}"),
    ([(f"{TABLE} quality", [{**RULE, "rule": "duplicateCount"}])],
     "schema.0.quality.0.rule: rule of a rule is not checked: write it as metric"),
    ([(f"{TABLE} quality", [{**RULE, "customProperties": [{"property": "COMPARE_TO", "value": "x"}]}])],
     "schema.0.quality.0.customProperties.0.property: 'COMPARE_TO' of a rule is not checked; there is: onFailure"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "problem"), [pytest.param(*item, id=item[1].partition(":")[0]) for item in REFUSED])
def test_a_field_whose_promise_cannot_be_checked_is_refused_with_its_place(changes: list[Any], problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load(("apiVersion", "v3.2.0"), *changes)
    assert str(caught.value).partition(": ")[2] == problem


def test_columns_of_raw_sources_have_other_names() -> None:
    contract = load(("id", "shop.raw.sales"), (f"{FIRST} physicalName", "Sale Nr."), (f"{TABLE} physicalName", "SALES"))
    assert contract.columns[0].physical_name == "Sale Nr."
