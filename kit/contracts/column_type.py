"""Types of columns: the logical type against the physical one, the length of texts, and values of a type."""

import re
from datetime import datetime, time
from typing import Any

from kit.contracts.masks import is_whole
from kit.core import KNOWN_TYPES, Document, Where, normal_type

_LENGTH = re.compile(r"\s*\w+\s*\(\s*(\d+)\s*\)\s*")
_LISTED = {
    "string": ("varchar", "uuid", "json", "blob"),
    "boolean": ("boolean",),
    "date": ("date", "timestamp", "timestamp with time zone"),
    "timestamp": ("timestamp", "timestamp with time zone"),
    "time": ("time",),
    "object": ("json",),
}
_ALLOWED = "string, integer, number, boolean, date, timestamp, time, object, array"


def column_type(document: Document, where: Where, item: dict[str, Any]) -> str:
    """Return the DuckDB type of a column or of the elements of a list, in lower case.

    Raises `InvalidFile` for an unknown type, and for a logical type that its values do not have.
    """
    written = item["physicalType"]
    kind = normal_type(written)
    place = [*where, "physicalType"]
    if kind is None:
        known = f"use one of {', '.join(sorted(KNOWN_TYPES))}, decimal(p,s), varchar(n), or one of these followed by []"
        raise document.error(place, f"'{written}' is not a column type; {known}")
    if re.fullmatch(r"\s*char\s*(\[\]\s*)*", written.lower()):
        problem = f"'{written}' is one character in SQL and any text in DuckDB; write char(1) or varchar"
        raise document.error(place, problem)
    if kind.startswith("varchar[") and "(" in written:
        raise document.error(place, f"the length in '{written}' cannot be checked in a list; write {kind}")
    if text_length(item, kind) == 0:
        raise document.error(
            place, f"'{written}' permits empty texts only; write the greatest number of characters, or varchar"
        )
    logical = item.get("logicalType")
    if logical and not _is_logical(kind, logical):
        allowed = [name for name in _ALLOWED.split(", ") if _is_logical(kind, name)]
        problem = f"'{logical}' is not the logical type of {kind} values; write {' or '.join(allowed)}, or another physicalType"
        raise document.error([*where, "logicalType"], problem)
    if isinstance(elements := item.get("items"), dict):
        _check_elements(document, [*where, "items"], elements, kind)
    return kind


def text_length(item: dict[str, Any], kind: str) -> int | None:
    """Return the greatest number of characters that the type of a column gives, as in varchar(10) and char(2)."""
    match = _LENGTH.fullmatch(item["physicalType"]) if kind == "varchar" else None
    return int(match[1]) if match else None


def check_values(document: Document, where: Where, values: list[Any], kind: str) -> list[Any]:
    """Return the values of a list without null, which every column may hold unless it is required.

    Raises `InvalidFile` for a value that no column of type `kind` can hold, and for a list without values.
    """
    known = [value for value in values if value is not None]
    if not known:
        raise document.error(where, "lists no values; write those that the column may hold")
    for value in known:
        if problem := value_problem(value, kind):
            raise document.error(where, f"{_shown(value)} {problem}")
    return known


def value_problem(value: Any, kind: str) -> str:
    """Return why a column of type `kind` holds no such value; empty if it may."""
    if is_whole(kind):
        return "" if type(value) is int else f"is no whole number, as {kind} values are"
    if kind in ("float", "double") or (kind.startswith("decimal(") and not kind.endswith("]")):
        return "" if type(value) in (int, float) else f"is no number, as {kind} values are"
    if kind == "boolean":
        return "" if type(value) is bool else "is neither true nor false"
    if kind.endswith("]") or kind in ("blob", "json"):
        return f"cannot be compared with {kind} values"
    if not isinstance(value, str):
        return f"is no text, as {kind} values are written; put it in quotes"
    base = kind.partition(" ")[0]
    return "" if base not in _MOMENTS or _is_moment(value, base) else f"is no {kind}; write it as in {_MOMENTS[base]}"


_MOMENTS = {"date": "2030-12-31", "time": "23:59:59", "timestamp": "2030-12-31 23:59:59"}


def _is_moment(text: str, kind: str) -> bool:
    """Return whether a text is a date, time or timestamp that DuckDB reads without change."""
    try:
        if kind == "time":
            return bool(time.fromisoformat(text)) and text[2:3] == ":"
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return text[4:5] == text[7:8] == "-" and (kind == "timestamp" or moment.time() == time())


def _is_logical(kind: str, logical: str) -> bool:
    """Return whether values of a DuckDB type are of a logical type of the standard."""
    if kind.endswith("]"):
        return logical == "array"
    if logical == "integer":
        return is_whole(kind) or (kind.startswith("decimal(") and kind.endswith(",0)"))
    if logical == "number":
        return is_whole(kind) or kind in ("float", "double") or kind.startswith("decimal(")
    return kind in _LISTED.get(logical, ())


def _check_elements(document: Document, where: Where, elements: dict[str, Any], kind: str) -> None:
    """Raise `InvalidFile` for a type of the elements of a list other than the one that the type of the list gives."""
    inner = kind.removesuffix("[]")
    if inner == kind:
        raise document.error(where, f"{kind} values have no items; write the physicalType of a list such as {kind}[]")
    found = column_type(document, where, {"physicalType": inner, **elements})
    if found != inner:
        raise document.error([*where, "physicalType"], f"'{elements['physicalType']}' is not {inner}, which {kind} holds")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
