"""The rules that the fields of a column imply: required, unique, bounds, lengths, patterns and lists of values."""

from collections.abc import Iterator
from typing import Any

from kit.contracts import rule_kinds as kinds
from kit.contracts.column_type import check_values, column_type, text_length
from kit.contracts.nested_rules import element_rules, property_rules
from kit.contracts.rule_kinds import Assertion
from kit.contracts.value_options import check_options, option_rules
from kit.core import Document, Where


def implied(document: Document, where: Where, item: dict[str, Any], key: tuple[str, ...]) -> Iterator[tuple[str, Assertion]]:
    """Yield the assertions that a column at `where` implies, each with its name; raises `InvalidFile`."""
    column, kind = item["name"], column_type(document, where, item)
    if item.get("required") or item.get("primaryKey"):
        yield f"{column} is required", kinds.not_null(column)
    if item.get("unique") or key == (column,):
        yield f"{column} is unique", kinds.unique(column)
    if item.get("logicalType") == "object":
        yield f"{column} is an object", kinds.is_object(column)
    yield from _options(document, [*where, "logicalTypeOptions"], item, kind)
    yield from element_rules(document, where, item, kind)
    yield from property_rules(document, where, item)
    if "enum" in item:
        values = [entry["value"] for entry in item["enum"]]
        values = check_values(document, [*where, "enum"], values, kind)
        yield f"{column} is one of {len(values)} values", kinds.accepted_values(column, values)


def _options(document: Document, where: Where, item: dict[str, Any], kind: str) -> Iterator[tuple[str, Assertion]]:
    column, options = item["name"], item.get("logicalTypeOptions") or {}
    check_options(document, where, column, options, kind)
    low, high = options.get("minimum"), options.get("maximum")
    if low is not None or high is not None:
        yield f"{column} is {in_words(low, high)}", _in_range(column, low, high, kind)
    lengths = [length for length in (options.get("maxLength"), text_length(item, kind)) if length is not None]
    low, high = options.get("minLength"), min(lengths, default=None)
    check_order(document, where, low, high)
    if low is not None or high is not None:
        yield f"length of {column} is {in_words(low, high)}", kinds.text_length(column, low, high)
    if "pattern" in options:
        yield f"{column} matches {options['pattern']}", kinds.matches(column, options["pattern"])
    yield from option_rules(column, options, kind)


def _in_range(column: str, low: Any, high: Any, kind: str) -> Assertion:
    """Return the assertion that values are between two bounds, for times in SQL: Great Expectations does not compare them."""
    if kind != "time":
        return kinds.in_range(column, low, high)
    bounds = {">=": low, "<=": high}
    parts = [
        f"{kinds.quoted_name(column)} {sign} {kinds.sql_literal(bound)}" for sign, bound in bounds.items() if bound is not None
    ]
    return kinds.satisfies(column, " and ".join(parts), "range")


def check_order(document: Document, where: Where, low: Any, high: Any) -> None:
    """Raise `InvalidFile` for bounds that no value is between."""
    if low is not None and high is not None and low > high:
        raise document.error(where, f"no value is between {low} and {high}; write the smaller one first")


def in_words(low: object, high: object) -> str:
    """Return a range in words; None is no bound."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"
