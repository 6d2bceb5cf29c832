"""Column types of polars: those whose values SQL reads as they are, and the remedy for every other one."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_KEPT = {
    "Boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16", "Float32", "Float64",
    "Decimal", "String", "Categorical", "Enum", "Binary", "Date", "Time", "Datetime", "Null",
}  # fmt: skip
_DIGITS = 38
"""Digits that a decimal of DuckDB holds."""
_NARROWER = f"make it a decimal of at most {_DIGITS} digits, or text"
_REMEDIES = {
    "Duration": "make it a number with the unit in its name, such as dt.total_seconds()",
    "Struct": "make each of its fields a column",
    "Map": "make each of its keys a column",
    "Int128": _NARROWER,
    "UInt128": _NARROWER,
}


def misfits(schema: "Mapping[str, pl.DataType]") -> Iterator[str]:
    """One sentence for each column whose values would be changed or lost in a table: its name, its type, the remedy.

    Timestamps and times in nanoseconds are no misfits: whether one fits depends on its value.
    """
    for name, dtype in schema.items():
        inner = innermost(dtype)
        if problem := _problem(inner):
            yield f"'{name}' is {'' if inner is dtype else 'a list of '}{problem}"


def innermost(dtype: "pl.DataType") -> "pl.DataType":
    """The type of the values in a list, in a list of lists and so on; another type itself."""
    import polars as pl

    while isinstance(dtype, pl.List | pl.Array):
        dtype = dtype.inner  # type: ignore[assignment]
    return dtype


def is_nanoseconds(dtype: "pl.DataType") -> bool:
    """Whether the values, also those in lists, are timestamps or times in nanoseconds; columns of tables hold microseconds."""
    import polars as pl

    inner = innermost(dtype)
    return isinstance(inner, pl.Time) or (isinstance(inner, pl.Datetime) and inner.time_unit == "ns")


def _problem(dtype: "pl.DataType") -> str:
    """The name of a type that is no list, with its remedy; empty for a type whose values are kept."""
    import polars as pl

    if isinstance(dtype, pl.BaseExtension):
        # One over bytes or texts, such as JSON or a UUID, is read as these.
        if dtype.ext_storage() in (pl.Binary, pl.String):
            return ""
        name = dtype.ext_name()
    else:
        name = type(dtype).__name__
    if isinstance(dtype, pl.Decimal) and dtype.precision > _DIGITS:
        return f"a decimal of {dtype.precision} digits, a column holds {_DIGITS}; {_NARROWER}"
    remedy = _REMEDIES.get(name, "make it text, a number, a date or a timestamp")
    return "" if name in _KEPT else f"{name}, which no column can hold; {remedy}"
