"""The fields of the Open Data Contract Standard: those the kit reads, those that promise nothing, those it refuses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.contracts.custom_properties import check_places
from kit.core import Document, Where

_ABOUT = frozenset({"id", "description", "authoritativeDefinitions", "tags", "customProperties"})
_NAMED = _ABOUT | {"businessName", "synonyms", "deprecated"}
OPERATORS = frozenset({
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
})  # fmt: skip


@dataclass(frozen=True)
class StandardObject:
    """One kind of object of the standard.

    `read` are the fields that the kit reads: those that promise something are checked. `silent` are those that promise
    nothing about the data, such as names, texts, people, prices and addresses. Any other field is refused, for the reason
    in `refused` if it has one there. `parts` are the kinds of the objects in a field.
    """

    name: str
    read: frozenset[str]
    silent: frozenset[str]
    refused: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, "StandardObject"] = field(default_factory=dict)


LEVEL = StandardObject(
    "service level",
    frozenset({"property", "value", "unit", "element"}),
    _ABOUT - {"tags"} | {"driver", "scheduler", "schedule"},  # when it is measured: the kit measures it whenever it is asked
    {"valueExt": "a service level has one value; write it as value"},
)
RELATIONSHIP = StandardObject("relationship", frozenset({"type", "from", "to", "customProperties"}), frozenset({"id"}))
RULE = StandardObject(
    "rule",
    OPERATORS
    | {"name", "description", "type", "metric", "arguments", "unit", "query", "engine", "implementation", "severity"}
    | {"customProperties"},
    frozenset({"id", "authoritativeDefinitions", "tags", "businessImpact", "dimension", "method"})
    | {"schedule", "scheduler"},  # when it is checked: every build checks it
    {"rule": "write it as metric"},
)
VALUE = StandardObject("value", frozenset({"value"}), _ABOUT | {"label"})
_TYPED = frozenset({"logicalType", "physicalType"})
_DERIVED = frozenset({"transformSourceObjects", "transformLogic", "transformDescription", "criticalDataElement", "examples"})
_ELEMENT_RULE = "a rule about the elements of a list cannot be checked; write a custom rule of the column"
_PROPERTY_RULE = "of a property only name, logicalType and required are checked; write a custom rule of the column"
_REFUSED = {
    "partitioned": "the partitions of a product are declared in its product.odps.yaml; delete it",
    "partitionKeyPosition": "the partitions of a product are declared in its product.odps.yaml; delete it",
    "encryptedName": "the kit does not check that the column holds encrypted values; mask the column with customProperties",
    "semanticType": "a measure is not a column; describe it in a text, or publish it as a column",
    "map": "the keys and values of a map cannot be checked",
}
ELEMENT = StandardObject(
    "list element",
    _TYPED | {"items", "required", "enum", "logicalTypeOptions"},
    _NAMED | _DERIVED | {"name", "physicalName"},
    {
        **dict.fromkeys(("quality", "relationships", "properties"), _ELEMENT_RULE),
        "unique": "write uniqueItems: true in the logicalTypeOptions of the list",
        **dict.fromkeys(("primaryKey", "primaryKeyPosition"), "a key consists of columns"),
        "classification": "classify the column",
        **_REFUSED,
    },
    {"enum": VALUE},
)
PROPERTY = StandardObject(
    "property of an object",
    frozenset({"name", "logicalType", "required", "properties"}),
    _NAMED | _DERIVED | {"physicalName"},
    {
        **dict.fromkeys(
            ("physicalType", "unique", "enum", "quality", "relationships", "logicalTypeOptions", "items"), _PROPERTY_RULE
        ),
        **dict.fromkeys(("primaryKey", "primaryKeyPosition"), "a key consists of columns"),
        "classification": "classify the column",
        **_REFUSED,
    },
)
COLUMN = StandardObject(
    "column",
    _TYPED
    | {"name", "description", "customProperties", "primaryKey", "primaryKeyPosition", "physicalName", "required", "unique"}
    | {"classification", "logicalTypeOptions", "enum", "relationships", "quality", "items", "properties"},
    _NAMED - {"description", "customProperties"} | _DERIVED,
    _REFUSED,
    {"enum": VALUE, "relationships": RELATIONSHIP, "quality": RULE},
)
TABLE = StandardObject(
    "table",
    frozenset({"name", "description", "properties", "relationships", "quality", "physicalName"}),
    _NAMED - {"description"} | {"physicalType", "logicalType", "dataGranularityDescription", "context"},
    parts={"properties": COLUMN, "relationships": RELATIONSHIP, "quality": RULE},
)
CONTRACT = StandardObject(
    "contract",
    frozenset({"apiVersion", "kind", "id", "version", "name", "status", "tags", "team", "schema", "slaProperties"})
    | {"customProperties"},
    _ABOUT - {"id", "tags", "customProperties"}
    | {"tenant", "domain", "dataProduct", "context", "support", "price", "roles", "servers", "contractCreatedTs"},
    {"slaDefaultElement": "write it as element of the service levels that it is for"},
    {"schema": TABLE, "slaProperties": LEVEL},
)
_NESTED = {
    **dict.fromkeys([(COLUMN.name, "items"), (ELEMENT.name, "items")], ELEMENT),
    **dict.fromkeys([(COLUMN.name, "properties"), (PROPERTY.name, "properties")], PROPERTY),
}
"""The kind of the objects in a field of a column, or of an element or property inside it, which may have the same field."""
_DEFAULTS: Mapping[str, Any] = {"semanticType": ("column", "dimension"), "partitionKeyPosition": (-1,)}


def check_fields(document: Document) -> None:
    """Raise `InvalidFile` for the first field that promises what the kit does not check; one with its default does not."""
    _check(document, [], document.data, CONTRACT)


def parts_of(kind: StandardObject, name: str) -> StandardObject | None:
    """Return the kind of the objects in a field of an object; None for a field without objects."""
    return _NESTED.get((kind.name, name)) or kind.parts.get(name)


def _check(document: Document, where: Where, data: Mapping[str, Any], kind: StandardObject) -> None:
    for name, value in data.items():
        if name not in kind.read | kind.silent and value not in (None, False, [], {}, *_DEFAULTS.get(name, ())):
            reason = kind.refused.get(name, "the kit does not know this field of the standard")
            raise document.error([*where, name], f"{name} of a {kind.name} is not checked: {reason}")
        part = parts_of(kind, name)
        if part is not None:
            for place, item in _objects([*where, name], value):
                _check(document, place, item, part)
    check_places(document, where, data, kind.name)


def _objects(where: Where, value: Any) -> Iterator[tuple[Where, Mapping[str, Any]]]:
    """Yield the objects in a field, which holds one or a list of them, each with its place."""
    if isinstance(value, Mapping):
        yield where, value
    for position, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, Mapping):
            yield [*where, position], item
