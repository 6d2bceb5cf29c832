"""Column types of polars: those whose values SQL reads as they are, and the remedy for every other one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import database

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


def scan(files: Sequence[Path]) -> "pl.LazyFrame":
    """Return the rows of Parquet files; JSON and UUIDs, also in lists, are text, where polars alone reads bytes."""
    import polars as pl

    frame = pl.scan_parquet(list(files), glob=False)
    schema = frame.collect_schema()
    if not any(isinstance(innermost(dtype), pl.Binary) for dtype in schema.values()):
        return frame
    with database.connect() as connection:
        database.add_views(connection, {"files": files})
        types = database.column_types(connection, "files")
    texts = {"json": lambda value: value.cast(pl.String), "uuid": _uuid_text}
    return frame.with_columns(
        _in_lists(pl.col(name), schema[name], texts[kind.rstrip("[]")])
        for name, kind in types.items()
        if kind.rstrip("[]") in texts
    )


def _in_lists(value: "pl.Expr", dtype: "pl.DataType", change: Callable[["pl.Expr"], "pl.Expr"]) -> "pl.Expr":
    """Apply a change to a value, or to the values in a list, in a list of lists and so on."""
    import polars as pl

    if isinstance(dtype, pl.List):
        return value.list.eval(_in_lists(pl.element(), dtype.inner, change))  # type: ignore[arg-type]
    return change(value)


def _uuid_text(value: "pl.Expr") -> "pl.Expr":
    import polars as pl

    digits = value.bin.encode("hex")
    parts = [digits.str.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
    return pl.concat_str(parts, separator="-")


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
