"""Columns of a stream from its JSON schema, and records as frames in their types, exactly or `IngestError`."""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kit.core import IngestError
from kit.ingest import json_text
from kit.ingest.connector import StreamColumn

if TYPE_CHECKING:
    import polars as pl

_LONGEST = {"bigint": 2**63, "double": 2**53}
_TOO_FINE = re.compile(r"\.\d{6}0*[1-9]")


def columns(schema: Mapping[str, Any], as_text: Collection[str] = ()) -> tuple[StreamColumn, ...]:
    """Return the columns of a JSON schema (draft 7, with the `airbyte_type` of Airbyte's protocol 0.2).

    Objects, lists and values of several types are varchar columns with JSON text, as are all columns in `as_text`. A
    `date-time` is a moment unless `airbyte_type` says that it has no time zone.
    """
    required = schema.get("required") or ()
    return tuple(
        StreamColumn(
            str(name),
            "varchar" if name in as_text else _type(item),
            name in required and "null" not in _types(item),
            str(item.get("description") or "").strip() if isinstance(item, Mapping) else "",
        )
        for name, item in (schema.get("properties") or {}).items()
    )


def _type(item: Any) -> str:
    """The type of a column; varchar for values of several types, which become JSON text."""
    kinds = _types(item) - {"null"}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) != 1:
        return "varchar"
    (kind,), details = kinds, _details(item)
    airbyte_type = details.get("airbyte_type")
    if kind == "boolean":
        return "boolean"
    if kind == "integer" or (kind == "number" and airbyte_type == "integer"):
        return "varchar" if airbyte_type == "big_integer" else "bigint"
    if kind == "number":
        return "varchar" if airbyte_type == "big_number" else "double"
    if kind != "string":
        return "varchar"
    if details.get("contentEncoding") == "base64":
        return "blob"
    if details.get("format") == "date-time":
        return "timestamp" if airbyte_type == "timestamp_without_timezone" else "timestamp with time zone"
    if details.get("format") == "time":
        return "time" if airbyte_type == "time_without_timezone" else "varchar"
    return "date" if details.get("format") == "date" else "varchar"


def _types(item: Any) -> set[str]:
    """The JSON types of a property; empty for one that has any."""
    if not isinstance(item, Mapping):
        return set()
    if "type" in item:
        written = item["type"]
        return {written} if isinstance(written, str) else set(written)
    parts = [*(item.get("oneOf") or ()), *(item.get("anyOf") or ())]
    found = [_types(part) for part in parts]
    return set().union(*found) if all(found) else set()


def _details(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a property that has the format of its values."""
    if "type" in item:
        return item
    parts = [*(item.get("oneOf") or ()), *(item.get("anyOf") or ())]
    found = [_details(part) for part in parts if _types(part) - {"null"}]
    formats = [[part.get(name) for name in ("format", "airbyte_type", "contentEncoding")] for part in found]
    # Values of several formats have none in common.
    return found[0] if found and all(names == formats[0] for names in formats) else {}


def frame(records: Sequence[Mapping[str, Any]], described: Sequence[StreamColumn], before: int = 0) -> "pl.DataFrame":
    """Return records as a frame with the columns of their stream; a field that a record lacks is null.

    Raises `IngestError` with the column and the number of the record, counted after those `before`, never with its value.
    """
    import polars as pl

    types: Mapping[str, Any] = {
        "bigint": pl.Int64, "double": pl.Float64, "boolean": pl.Boolean, "varchar": pl.String, "date": pl.Date,
        "time": pl.Time, "timestamp": pl.Datetime("us"), "timestamp with time zone": pl.Datetime("us", "UTC"),
        "blob": pl.Binary,
    }  # fmt: skip
    return pl.DataFrame([pl.Series(column.name, _values(records, column, before), types[column.type]) for column in described])


def _values(records: Sequence[Mapping[str, Any]], column: StreamColumn, before: int) -> list[Any]:
    read, values = _READERS[column.type], []
    for number, record in enumerate(records, before + 1):
        value = record.get(column.name)
        try:
            values.append(None if value is None else read(value))
        except (ValueError, TypeError, OverflowError, binascii.Error) as error:
            problem = str(error) if type(error) is _Unfit else f"is no {column.type}"
            raise IngestError(f"'{column.name}' in record {number:,} {problem}, which its stream declares") from None
    return values


class _Unfit(ValueError):
    """A value that a column of its type cannot hold; the text continues a sentence that starts with the column."""


def _whole(value: Any) -> int:
    if isinstance(value, str):
        return _whole(int(value))  # airbyte_type: integer
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    if not -_LONGEST["bigint"] <= int(value) < _LONGEST["bigint"]:
        raise _Unfit("has more than 64 bits; list it in as_text=(…), and it is text instead of the bigint")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool | str):
        raise TypeError
    if isinstance(value, Decimal) or (
        isinstance(value, int) and abs(value) > _LONGEST["double"] and int(float(value)) != value
    ):
        raise _Unfit("has more digits than a double holds; list it in as_text=(…), and it is text instead of the double")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text.dumps(value)


def _day(value: Any) -> date:
    moment = datetime.fromisoformat(value)
    if moment.time() != time():
        raise _Unfit("has a time beside the date")
    return moment.date()


def _clock(value: Any) -> time:
    found = time.fromisoformat(_fine(value))
    if found.tzinfo:
        raise _Unfit("has an offset beside the time without a time zone")
    return found


def _local(value: Any) -> datetime:
    moment = datetime.fromisoformat(_fine(value))
    if moment.tzinfo:
        raise _Unfit("has an offset beside the timestamp without a time zone")
    return moment


def _moment(value: Any) -> datetime:
    """A moment; without an offset it is one of UTC, as Airbyte's own destinations read it."""
    moment = datetime.fromisoformat(_fine(value))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fine(value: str) -> str:
    """A text without digits that microseconds lack; Python would drop them."""
    if _TOO_FINE.search(value):
        raise _Unfit("is finer than microseconds; list it in as_text=(…), and it is text instead of the timestamp")
    return value


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "bigint": _whole, "double": _float, "boolean": _boolean, "varchar": _text, "date": _day, "time": _clock,
    "timestamp": _local, "timestamp with time zone": _moment, "blob": _bytes,
}  # fmt: skip
