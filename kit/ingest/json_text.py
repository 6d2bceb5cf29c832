"""JSON as text, in which no value is another one: numbers with all their digits, and nothing that JSON lacks."""

import json
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

_DIGITS = 17
"""Digits that a double always holds."""


def loads(line: bytes | str) -> Any:
    """Return JSON; a number with more digits than a float always holds is a `Decimal` where a float would change it."""
    return json.loads(line, parse_float=_number)


def dumps(value: Any) -> str:
    """Return the JSON text of nested mappings and lists; dates, times and UUIDs are texts in it, a `Decimal` a number.

    Raises `ValueError`, whose text continues a sentence about the value, for what JSON lacks, such as NaN and bytes.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_default)
    except _HasDecimal:
        return _exact(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise error if type(error) is _Lacking else _Lacking(_reason(error)) from None


class _Lacking(ValueError):
    """A value that JSON lacks."""


class _HasDecimal(Exception):
    """JSON of the standard library has no hook for numbers."""


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        raise _HasDecimal
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date | time | UUID):
        return str(value)
    raise _Lacking(f"has {type(value).__name__} inside of it, which JSON lacks; make that text or a number")


def _exact(value: Any) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{dumps(str(key))}: {_exact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_exact, value)) + "]"
    return dumps(float("nan") if isinstance(value, Decimal) else value)


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and "circular" not in str(error).lower():
        return "has NaN or an infinite number inside of it, which JSON lacks; make that null"
    return f"is no JSON: {str(error).partition(' while ')[0]}"


def _number(text: str) -> float | Decimal:
    number = float(text)
    if len(text) <= _DIGITS and "e" not in text.lower():
        return number
    return Decimal(text) if Decimal(text) != Decimal(repr(number)) else number
