"""The table that a notebook hands over: a polars or pandas frame whose values a port keeps as they are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kit.core import KitError, NotATable, frame_types

if TYPE_CHECKING:
    import polars as pl

# How to turn other objects into a DataFrame.
_CONVERSIONS = {
    "LazyFrame": "collect() it first", "Series": "to_frame() it first", "DuckDBPyRelation": "take its pl()",
    "GroupBy": "aggregate it first", "DataFrameGroupBy": "aggregate it first", "Table": "wrap it in pl.DataFrame()",
}  # fmt: skip
_ONE_TYPE = "make its values text, numbers, dates or timestamps"


def as_table(frame: Any) -> "pl.DataFrame":
    """Return a polars or pandas DataFrame as a polars DataFrame of the same values.

    Raises `NotATable` for another object, and `KitError`, with the column's name, where an index or values would be lost.
    """
    import polars as pl

    name, module = type(frame).__name__, type(frame).__module__
    if isinstance(frame, pl.DataFrame):
        table = frame
    elif name == "DataFrame" and module.partition(".")[0] == "pandas":
        table = pl.DataFrame(list(_pandas_columns(frame)))
    else:
        raise NotATable(f"kit.output takes a polars or pandas DataFrame, not a {name}; {_CONVERSIONS.get(name, 'make it one')}")
    _refuse([*frame_types.misfits(table.schema), *_untyped(table.schema)])
    return table.with_columns(_in_microseconds(column) for column in table if frame_types.is_nanoseconds(column.dtype))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise KitError(f"kit.output: {'; '.join(problems[:3])}")


def _untyped(schema: "pl.Schema") -> Iterator[str]:
    import polars as pl

    for name, dtype in schema.items():
        inner = frame_types.innermost(dtype)
        if isinstance(inner, pl.Null):
            yield f"'{name}' has no values and so no type; cast it, such as to pl.String"
        if isinstance(inner, pl.Time):
            yield f"'{name}' is Time, in nanoseconds, which no column can hold; make it text or a timestamp"


def _in_microseconds(column: "pl.Series") -> "pl.Series":
    """The same timestamps in the unit of a port; raises `KitError` for a value with nanoseconds."""
    import polars as pl

    values = column
    while isinstance(values.dtype, pl.List | pl.Array):
        values = values.explode()
    odd = values.filter(values.cast(pl.Int64) % 1000 != 0)
    if len(odd):
        _refuse([f"'{column.name}' holds {odd.cast(pl.String)[0]}, a column holds microseconds; round it to these"])
    if values is not column:
        _refuse([f"'{column.name}' is a list of timestamps in nanoseconds; cast them to microseconds"])
    return column.dt.cast_time_unit("us")


def _pandas_columns(frame: Any) -> "Iterator[pl.Series]":
    """The columns of a pandas frame; raises `KitError` for an index, names or values that polars would lose."""
    import pandas as pd

    if index := [str(level) for level in frame.index.names if level is not None]:
        raise KitError(f"the index of the frame holds {', '.join(index)}, which a port would lose; reset_index() first")
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise KitError(
            f"the index of the frame holds labels, the first is {frame.index[:1].tolist()[0]!r}, which a port would lose; "
            "reset_index() first, or reset_index(drop=True) to leave them out"
        )
    names = list(frame.columns)
    _refuse([f"the name of a column is {name!r}, no text; rename it" for name in names if not isinstance(name, str)])
    _refuse([f"the column '{name}' occurs twice; rename one of them" for name in dict.fromkeys(names) if names.count(name) > 1])
    for position in range(len(names)):
        yield _pandas_column(frame.iloc[:, position])


def _pandas_column(column: Any) -> "pl.Series":
    import pandas as pd
    import polars as pl

    name, dtype = str(column.name), column.dtype
    if isinstance(dtype, pd.SparseDtype):
        column = column.sparse.to_dense()
    try:
        series = pl.Series(pl.from_pandas(column))
    except ModuleNotFoundError as error:
        raise KitError(f"a pandas frame needs the package {error.name}; install it, or hand over a polars frame") from None
    except (Exception, pl.exceptions.PanicException):  # for values that pyarrow or polars cannot take, or of several types
        kinds = sorted({type(value).__name__ for value in column.dropna()}) if dtype.kind == "O" else [str(dtype)]
        held = f"the types {', '.join(kinds)}" if len(kinds) > 1 else f"{kinds[0]} that no column can hold"
        raise KitError(f"kit.output: '{name}' holds values of {held}; {_ONE_TYPE}") from None
    _refuse(list(frame_types.misfits({name: series.dtype})))
    if dtype.kind == "O" and series.dtype != pl.String:
        for row, (before, after) in enumerate(zip(column, series.to_list(), strict=True), 1):
            if not _is_same(before, after):
                _refuse([f"'{name}' holds {before!r:.80} in row {row:,}, which would become {after!r:.80}; {_ONE_TYPE}"])
    return series


def _is_same(before: Any, after: Any) -> bool:
    """Whether a value of a pandas column is that of the polars column; missing ones are all null."""
    import pandas as pd

    if after is None:
        return bool(pd.api.types.is_scalar(before) and pd.isna(before))
    if isinstance(after, list):
        is_list = not isinstance(before, set | frozenset) and len(before) == len(after)
        return is_list and all(map(_is_same, before, after))
    return bool(before == after)
