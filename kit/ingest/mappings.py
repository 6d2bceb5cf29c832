"""Rows that are mappings as a frame: each key is a column, whose values are kept exactly, or refused with their row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kit.core import IngestError
from kit.ingest import json_text

if TYPE_CHECKING:
    import polars as pl

_EXACT = 2**53
"""The whole numbers up to here are the same as floats."""
_DIGITS = 38
"""Digits of a decimal column."""


def frame_of(label: str, rows: Sequence[Mapping[str, Any]], before: int = 0) -> "pl.DataFrame":
    """Return rows, which come after `before` others, as a frame; a key that some of them lack is null there.

    Mappings, and lists of a column in which one has mappings or lists inside, are JSON text. Raises `IngestError`, which
    starts with `label`, for a column that mixes types, and for a value that no column can hold.
    """
    import polars as pl

    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        raise IngestError(f"{label}: yielded a mapping without keys; each key is a column")
    if len({str(name) for name in names}) < len(names):
        raise IngestError(f"{label}: two of the keys {', '.join(map(repr, names))} name the same column; make all of them text")
    return pl.DataFrame([_Column(label, str(name), before).series([row.get(name) for row in rows]) for name in names])


class _Unfit(ValueError):
    """A value that no column can hold; the text continues a sentence that starts with the column."""


class _Column:
    """The values of one key."""

    def __init__(self, label: str, name: str, before: int) -> None:
        self.name, self.before = name, before
        self.subject = f"{label}: '{name}'"

    def series(self, values: list[Any]) -> "pl.Series":
        """Return the values as a column."""
        import polars as pl

        values = list(self._each(values, _plain))
        if any(_is_nested(value) for value in values):
            values = list(self._each(values, _json))
        self._check_kinds([[value] for value in values])
        try:
            if not any(isinstance(value, list) for value in values):
                return self._typed(values)
            self._check_kinds([value or () for value in values], inside=True)
            inner = self._typed([item for value in values for item in value or ()])
            if not len(inner):  # of no type; each can hold it
                return pl.Series(self.name, [None if value is None else "[]" for value in values], pl.String)
            items = iter(inner.to_list())
            lists = [None if value is None else [next(items) for _ in value] for value in values]
            return pl.Series(self.name, lists, pl.List(inner.dtype))
        except (TypeError, ValueError, OverflowError, RuntimeError, pl.exceptions.PolarsError) as error:
            if type(error) is _Unfit:
                raise IngestError(f"{self.subject} {error}") from None
            reason = str(error).partition("\n")[0]
            raise IngestError(f"{self.subject} cannot be a column: {reason[:120]}") from None

    def _typed(self, values: list[Any]) -> "pl.Series":
        """Return values of one kind as a series of one type."""
        import polars as pl

        kinds = {type(value) for value in values if value is not None}
        if Decimal in kinds:
            return pl.Series(self.name, _decimals(values), pl.Decimal(_DIGITS, _scale(values)))
        if float in kinds and int in kinds:
            if wide := next((value for value in values if isinstance(value, int) and abs(value) > _EXACT), None):
                raise _Unfit(
                    f"cannot be a column: it has floats, and {wide}, which no float holds; make all of them text or Decimal"
                )
            values = [None if value is None else float(value) for value in values]
        return pl.Series(self.name, values)

    def _each(self, values: list[Any], change: Callable[[Any], Any]) -> Iterator[Any]:
        for number, value in enumerate(values, self.before + 1):
            try:
                yield change(value)
            except (ValueError, TypeError, OverflowError) as error:
                raise IngestError(f"{self.subject} in row {number:,} {error}") from None

    def _check_kinds(self, rows: Sequence[Sequence[Any]], *, inside: bool = False) -> None:
        """Raise `IngestError` for values of several kinds, with the place of the first of each."""
        found: dict[str, int] = {}
        for number, values in enumerate(rows, self.before + 1):
            for value in values:
                if value is not None:
                    found.setdefault(_kind(value), number)
        if len(found) > 1:
            each = " and ".join(f"{kind} in row {number:,}" for kind, number in found.items())
            where = "a list of " if inside else ""
            raise IngestError(f"{self.subject} is {where}{each}; make all of them one type, or text")


def _plain(value: Any) -> Any:
    """Return a value as one of Python's own types; raises `ValueError` for one that has more than a column holds."""
    library = type(value).__module__.partition(".")[0]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, time) and value.tzinfo:
        raise _Unfit("is a time with a time zone; make it a datetime, or text")
    if library == "numpy" and value.dtype.kind not in "mM":  # those would become numbers
        return _plain(value.tolist())
    if library == "pandas" and type(value).__name__ == "NAType":
        return None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return value
    if value is None or isinstance(value, bool | int | float | Decimal | str | bytes | date | time | timedelta):
        return value
    raise _Unfit(f"is {type_name(value)}, which no column can hold; make it text, a number, a date or a timestamp")


def _moment(value: datetime) -> datetime | None:
    """Return a timestamp, in UTC where it has a time zone; one of pandas may be none, or finer than a column."""
    if value != value:
        return None
    if getattr(value, "nanosecond", 0):
        raise _Unfit("has nanoseconds, a column holds microseconds; round it to these")
    try:
        return value.astimezone(UTC) if value.tzinfo else value
    except OverflowError:
        raise _Unfit("is a moment before the year 1 or after 9999 in UTC; make it null, or text") from None


def _json(value: Any) -> Any:
    return json_text.dumps(value) if isinstance(value, Mapping | list) else value


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value))


def _scale(values: Sequence[Any]) -> int:
    """Return the scale of a decimal type that holds all values; raises `_Unfit` when none does."""
    whole = scale = 0
    for value in _decimals(values):
        if value is None:
            continue
        if not value.is_finite():
            raise _Unfit(f"has {value}, which no decimal holds; make it null, or all of them floats")
        digits, exponent = "".join(map(str, value.as_tuple().digits)).lstrip("0"), int(value.as_tuple().exponent)
        scale = max(scale, -exponent - len(digits) + len(digits.rstrip("0")))
        whole = max(whole, len(digits) + exponent)
    if whole + scale > _DIGITS:
        raise _Unfit(f"has decimals of {whole + scale} digits together, a column holds {_DIGITS}; make them text")
    return scale


def _decimals(values: Sequence[Any]) -> list[Decimal | None]:
    return [None if value is None else value if isinstance(value, Decimal) else Decimal(str(value)) for value in values]


def _kind(value: Any) -> str:
    """Return the kind of a value for a message; values of one kind fit into one column."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, datetime):
        return "a moment with a time zone" if value.tzinfo else "a timestamp"
    known = {str: "text", bytes: "bytes", date: "a date", time: "a time", list: "a list"}
    return next((text for kind, text in known.items() if isinstance(value, kind)), type_name(value))


def type_name(value: object) -> str:
    """Return the type of a value as a message mentions it."""
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return "nothing" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
