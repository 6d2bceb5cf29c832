"""Options of a logical type beyond bounds, lengths and patterns, as conditions in SQL that every value meets."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from kit.contracts import pattern
from kit.contracts import rule_kinds as kinds
from kit.contracts.column_type import value_problem
from kit.contracts.formats import format_condition
from kit.contracts.masks import is_whole
from kit.contracts.rule_kinds import Assertion
from kit.core import Document, Where, literal

_DECIMAL_DIGITS = 38


_BOUNDS = ("minimum", "maximum")
_TEXTS = ("minLength", "maxLength", "pattern")


def check_options(document: Document, where: Where, name: str, options: Mapping[str, Any], kind: str) -> None:
    """Raise `InvalidFile` for an option, at `where`, that cannot be checked of a column or element of type `kind`."""
    for option, value in options.items():
        place = [*where, option]
        if option not in OPTIONS:
            allowed = ", ".join(sorted(OPTIONS))
            raise document.error(place, f"the option '{option}' cannot be checked; there are: {allowed}")
        if option in _BOUNDS and (problem := value_problem(value, kind)):
            raise document.error(place, f"{value!r} {problem}")
        if option in _TEXTS and kind != "varchar":
            raise document.error(place, f"'{name}' is {kind}; only texts, which are varchar, have a {option}")
        if option == "pattern" and (problem := pattern.problem(value)):
            unable = f"'{value}' is not a regular expression that can be checked of '{name}'"
            raise document.error(place, f"{unable}: {problem}")
        if option in _CONDITIONS and (problem := _CONDITIONS[option](name, value, kind)[2]):
            raise document.error(place, f"'{name}' is {kind}: {problem}")
    lows = [(options[name], name != "minimum") for name in ("minimum", "exclusiveMinimum") if name in options]
    highs = [(options[name], name != "maximum") for name in ("maximum", "exclusiveMaximum") if name in options]
    for low, above in lows:
        for high, below in highs:
            if low > high and not above and not below:
                raise document.error(where, f"no value is between {low} and {high}; write the smaller one first")
            if low > high or (low == high and (above or below)):
                both = f"{'more than' if above else 'at least'} {low} and {'less than' if below else 'at most'} {high}"
                raise document.error(where, f"no value is {both}; correct one of them")


def option_rules(column: str, options: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Assertion]]:
    """Yield the assertions of the options of a column beyond bounds, lengths and patterns, each with its name."""
    for option, value in options.items():
        if option in _CONDITIONS:
            words, condition, _ = _CONDITIONS[option](kinds.quoted_name(column), value, kind)
            if condition:
                yield f"{column} {words}", kinds.satisfies(column, condition, option)


def value_conditions(value: str, options: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str, str]]:
    """Yield the conditions of all options of a value, which is SQL: option, words and condition."""
    for option, limit in options.items():
        if option in _CONDITIONS:
            words, condition, _ = _CONDITIONS[option](value, limit, kind)
            if condition:
                yield option, words, condition
        elif option == "pattern":
            yield option, f"matches {limit}", f"regexp_matches({value}, {literal(limit)})"
        else:
            sign, words = (">=", "at least") if option.startswith("min") else ("<=", "at most")
            measured, subject = (f"length({value})", "has a length of") if option in _TEXTS else (value, "is")
            yield option, f"{subject} {words} {limit}", f"{measured} {sign} {kinds.sql_literal(limit)}"


_Found = tuple[str, str, str]
"""The words for a rule, its condition in SQL (empty where the type implies it), and why it cannot be checked."""


def _above(value: str, bound: Any, kind: str) -> _Found:
    return f"is more than {bound}", f"{value} > {kinds.sql_literal(bound)}", _bound_problem(bound, kind)


def _below(value: str, bound: Any, kind: str) -> _Found:
    return f"is less than {bound}", f"{value} < {kinds.sql_literal(bound)}", _bound_problem(bound, kind)


def _bound_problem(bound: Any, kind: str) -> str:
    problem = value_problem(bound, kind)
    return f"{bound!r} {problem}" if problem else ""


def _multiple(value: str, factor: int | float, kind: str) -> _Found:
    exact = Decimal(str(factor))
    scale = max(0, -int(exact.as_tuple().exponent))
    digits = max(len(exact.as_tuple().digits), scale)
    own_digits, own_scale = (20, 0) if is_whole(kind) else _size(kind)
    if not own_digits:
        return "", "", "a multiple of such values cannot be checked exactly; make the column a decimal"
    if max(own_digits - own_scale, digits - scale) + max(own_scale, scale) > _DECIMAL_DIGITS:
        return "", "", f"a multiple of {exact:f} needs more than {_DECIMAL_DIGITS} digits; use a smaller decimal type"
    return f"is a multiple of {exact:f}", f"{value} % {exact:f}::decimal({digits},{scale}) = 0", ""


def _size(kind: str) -> tuple[int, int]:
    """Return the digits of a decimal type and those after its point; zeros for another type."""
    if not kind.startswith("decimal(") or kind.endswith("]"):
        return 0, 0
    digits, scale = kind.removeprefix("decimal(").rstrip(")").split(",")
    return int(digits), int(scale)


def _format(value: str, option: str, kind: str) -> _Found:
    condition, problem = format_condition(value, option, kind)
    return f"has the format {option}", condition or "", f"the format '{option}': {problem}" if condition is None else ""


def _zone(value: str, has_zone: bool, kind: str) -> _Found:
    wanted = "timestamp with time zone" if has_zone else "timestamp"
    problem = "" if kind == wanted or (kind == "time" and not has_zone) else f"write the physicalType {wanted}, or delete it"
    return "", "", problem


def _default_zone(value: str, zone: str, kind: str) -> _Found:
    is_utc = zone in ("UTC", "Etc/UTC", "Z")
    return "", "", "" if is_utc else f"a timestamp without a zone is in UTC, not in {zone}; convert it"


def _items(compared: str, words: str) -> Any:
    def found(value: str, number: int, kind: str) -> _Found:
        return f"has {words} {number} items", f"len({value}) {compared} {number}", "" if kind.endswith("]") else _NO_LIST

    return found


def _unique_items(value: str, unique: bool, kind: str) -> _Found:
    # Of the nulls, which the distinct items leave out, one is unique.
    condition = f"len(list_distinct({value})) = list_count({value}) and len({value}) - list_count({value}) <= 1"
    return "has unique items", condition if unique else "", "" if kind.endswith("]") else _NO_LIST


def _properties(compared: str, words: str) -> Any:
    def found(value: str, number: int, kind: str) -> _Found:
        return f"has {words} {number} properties", f"len(json_keys({value})) {compared} {number}", ""

    return found


def _required(value: str, names: list[str], kind: str) -> _Found:
    listed = ", ".join(map(literal, names))
    return f"has the properties {', '.join(names)}", f"list_has_all(json_keys({value}), [{listed}])", ""


_NO_LIST = "only lists have items"
_CONDITIONS = {
    "exclusiveMinimum": _above,
    "exclusiveMaximum": _below,
    "multipleOf": _multiple,
    "format": _format,
    "timezone": _zone,
    "defaultTimezone": _default_zone,
    "minItems": _items(">=", "at least"),
    "maxItems": _items("<=", "at most"),
    "uniqueItems": _unique_items,
    "minProperties": _properties(">=", "at least"),
    "maxProperties": _properties("<=", "at most"),
    "required": _required,
}
OPTIONS = (*_BOUNDS, *_TEXTS, *_CONDITIONS)
"""The options of a logical type that are checked."""
