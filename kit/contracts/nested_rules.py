"""Rules about the elements of a list and the properties of a JSON object, as conditions in SQL."""

from collections.abc import Iterator, Mapping
from typing import Any

from kit.contracts import rule_kinds as kinds
from kit.contracts.column_type import check_values, text_length
from kit.contracts.rule_kinds import Assertion
from kit.contracts.value_options import check_options, value_conditions
from kit.core import Document, Where, literal, mappings

_JSON_TYPES = {
    "string": ("VARCHAR",), "boolean": ("BOOLEAN",), "integer": ("BIGINT", "UBIGINT", "HUGEINT"),
    "number": ("BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"), "object": ("OBJECT",), "array": ("ARRAY",),
}  # fmt: skip


def element_rules(document: Document, where: Where, item: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Assertion]]:
    """Yield the assertions about the elements of a list column at `where`, each with its name; raises `InvalidFile`."""
    column = item["name"]
    for topic, words, condition in _elements(document, [*where, "items"], item, kind, kinds.quoted_name(column), 0):
        yield f"{column}: {words}", kinds.satisfies(column, condition, topic)


def _elements(
    document: Document, where: Where, item: Mapping[str, Any], kind: str, value: str, depth: int
) -> Iterator[tuple[str, str, str]]:
    elements = item.get("items")
    if not isinstance(elements, dict) or not kind.endswith("[]"):
        return
    inner, name = kind.removesuffix("[]"), f"x{depth}"
    places, options = "items." * (depth + 1), elements.get("logicalTypeOptions") or {}
    if elements.get("required"):
        yield f"{places}required", "each element is required", f"list_count({value}) = len({value})"
    found: list[tuple[str, str, str]] = []
    if "enum" in elements:
        values = check_values(document, [*where, "enum"], [entry["value"] for entry in elements["enum"]], inner)
        found.append(("enum", f"is one of {len(values)} values", f"{name} in ({', '.join(map(kinds.sql_literal, values))})"))
    check_options(document, [*where, "logicalTypeOptions"], f"{item.get('name', 'items')}", options, inner)
    if "physicalType" in elements and (longest := text_length(elements, inner)) is not None:
        options = options | {"maxLength": min(longest, options.get("maxLength", longest))}
    found += value_conditions(name, options, inner)
    for topic, words, condition in found:
        yield f"{places}{topic}", f"each element {words}", _for_all(value, name, condition)
    for topic, words, condition in _elements(document, [*where, "items"], elements, inner, name, depth + 1):
        yield topic, words, _for_all(value, name, condition)


def _for_all(value: str, name: str, condition: str) -> str:
    """Return the condition that every element of a list which is not null meets a condition."""
    return f"coalesce(not list_bool_or(list_transform({value}, lambda {name}: not ({condition}))), true)"


def property_rules(document: Document, where: Where, item: Mapping[str, Any]) -> Iterator[tuple[str, Assertion]]:
    """Yield the assertions about the properties of a JSON column at `where`, each with its name; raises `InvalidFile`."""
    column = item["name"]
    for place, words, condition in _properties(document, where, item, kinds.quoted_name(column), "$"):
        yield (
            f"{place} of {column} {words}",
            kinds.satisfies(column, condition, f"properties {place} {words.partition(' ')[0]}"),
        )


def _properties(
    document: Document, where: Where, item: Mapping[str, Any], value: str, path: str
) -> Iterator[tuple[str, str, str]]:
    for number, part in enumerate(mappings(item.get("properties"))):
        place: Where = [*where, "properties", number]
        logical = part.get("logicalType")
        inside = f"{path}.{_quoted(part['name'])}"
        found = f"json_type({value}, {literal(inside)})"
        if part.get("required"):
            outside = f"coalesce(json_type({value}, {literal(path)}) <> 'OBJECT', true)"
            yield inside[2:], "is required", f"{outside} or coalesce({found} <> 'NULL', false)"
        if logical:
            if logical not in _JSON_TYPES:
                known = ", ".join(_JSON_TYPES)
                raise document.error([*place, "logicalType"], f"JSON has no {logical}; write one of {known}")
            types = ", ".join(map(literal, (*_JSON_TYPES[logical], "NULL")))
            yield inside[2:], f"holds {logical} values", f"coalesce({found} in ({types}), true)"
        yield from _properties(document, place, part, value, inside)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'
