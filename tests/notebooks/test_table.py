import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kit.core.errors import KitError, NotATable
from kit.notebooks.table import as_table

_AT = 1_704_067_200_123_456_789
"""Nanoseconds since 1970."""
_ONE_TYPE = "make its values text, numbers, dates or timestamps"
_PLAIN = "which no column can hold; make it text, a number, a date or a timestamp"
_DURATION = "'v' is Duration, which no column can hold; make it a number with the unit in its name, such as dt.total_seconds()"


def refused(frame: Any) -> str:
    with pytest.raises(KitError) as error:
        as_table(frame)
    return str(error.value)


def objects(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"v": pd.Series(list(values), dtype=object)})


def test_a_polars_frame_is_taken_as_it_is() -> None:
    frame = pl.DataFrame({"a": [1], "b": ["x"], "c": [[Decimal("1.5")]]})
    assert as_table(frame).equals(frame)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series([1.5, np.nan]), [1.5, None]),
        (pd.Series(["a", None]), ["a", None]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.Series([2**64 - 1], dtype="uint64"), [2**64 - 1]),
        (pd.Series([0, 5], dtype="Sparse[int64]"), [0, 5]),
        (pd.Series(pd.to_datetime(["2024-01-31 12:30"]).astype("datetime64[ns]")), [datetime(2024, 1, 31, 12, 30)]),
        (pd.Series(pd.to_datetime(["2024-01-31T12:30Z"])), [datetime(2024, 1, 31, 12, 30, tzinfo=UTC)]),
        (pd.Series([Decimal("1.50"), 2, None], dtype=object), [Decimal("1.50"), Decimal("2.00"), None]),
        (pd.Series([pd.NA, 1], dtype=object), [None, 1]),
        (pd.Series([pd.NaT, datetime(2024, 1, 31)], dtype=object), [None, datetime(2024, 1, 31)]),
        (pd.Series([np.array([1, 2]), (3,), [4, None]], dtype=object), [[1, 2], [3], [4, None]]),
        (pd.Series([1, 2.5], dtype=object), [1.0, 2.5]),
    ],
)
def test_pandas_values_that_are_kept(column: Any, values: list[Any]) -> None:
    assert as_table(pd.DataFrame({"v": column}))["v"].to_list() == values


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (objects(1, "a"), f"'v' holds values of the types int, str; {_ONE_TYPE}"),
        (objects(True, 1), f"'v' holds values of the types bool, int; {_ONE_TYPE}"),
        (objects(2**53 + 1, 0.5), f"'v' holds values of the types float, int; {_ONE_TYPE}"),
        (objects(2**70), f"'v' holds values of int that no column can hold; {_ONE_TYPE}"),
        (objects(Decimal("1e40")), f"'v' holds values of Decimal that no column can hold; {_ONE_TYPE}"),
        (objects(b"a", "b"), f"'v' holds 'b' in row 2, which would become b'b'; {_ONE_TYPE}"),
        (
            objects(date(2024, 1, 1), datetime(2024, 1, 1, 5)),
            "'v' holds datetime.datetime(2024, 1, 1, 5, 0) in row 2, which would become datetime.date(2024, 1, 1); "
            f"{_ONE_TYPE}",
        ),
        (
            objects(datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
            "'v' holds datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc) in row 2, which would become "
            f"datetime.datetime(2024, 1, 1, 0, 0); {_ONE_TYPE}",
        ),
        (
            objects(pd.Timestamp(_AT)),
            "'v' holds Timestamp('2024-01-01 00:00:00.123456789') in row 1, which would become "
            f"datetime.datetime(2024, 1, 1, 0, 0, 0, 123456); {_ONE_TYPE}",
        ),
        (objects({1}), f"'v' holds {{1}} in row 1, which would become [1]; {_ONE_TYPE}"),
        (
            objects(uuid.UUID(bytes=b"0123456789abcdef")),
            "'v' holds UUID('30313233-3435-3637-3839-616263646566') in row 1, which would become b'0123456789abcdef'; "
            f"{_ONE_TYPE}",
        ),
        (objects({"a": 1}), "'v' is Struct, which no column can hold; make each of its fields a column"),
        (objects(timedelta(1)), _DURATION),
        (pd.DataFrame({"v": pd.to_timedelta([1], "s")}), _DURATION),
        (pd.DataFrame({"v": pd.period_range("2024", periods=1)}), f"'v' is pandas.period, {_PLAIN}"),
        (pd.DataFrame({"v": pd.interval_range(0, 1)}), f"'v' is pandas.interval, {_PLAIN}"),
        (pd.DataFrame({"v": [1j]}), f"'v' holds values of complex128 that no column can hold; {_ONE_TYPE}"),
        (pd.DataFrame([[1, 2]], columns=["v", "v"]), "the column 'v' occurs twice; rename one of them"),
        (pd.DataFrame([[1]], columns=[0]), "the name of a column is 0, no text; rename it"),
        (
            pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
            "the name of a column is ('a', 'b'), no text; rename it",
        ),
    ],
)
def test_pandas_values_that_would_be_lost_are_refused_with_their_column(frame: pd.DataFrame, says: str) -> None:
    assert refused(frame) == f"kit.output: {says}"


@pytest.mark.parametrize(
    ("index", "first"),
    [
        (["north", "south"], "'north'"),
        ([1, 2], "1"),
        ([1, 0], "1"),
        (pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]), "('a', 'b')"),
    ],
)
def test_an_index_without_a_name_is_not_lost(index: Any, first: str) -> None:
    frame = pd.DataFrame({"v": [1.5, 2.5]}, index=index)
    assert refused(frame) == (
        f"the index of the frame holds labels, the first is {first}, which a port would lose; "
        "reset_index() first, or reset_index(drop=True) to leave them out"
    )
    assert as_table(frame.reset_index(drop=True))["v"].to_list() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("values", "dtype", "says"),
    [
        ([timedelta(1)], pl.Duration(), _DURATION),
        ([object()], pl.Object(), f"'v' is Object, {_PLAIN}"),
        ([None], pl.Null(), "'v' has no values and so no type; cast it, such as to pl.String"),
        ([time(12)], pl.Time(), "'v' is Time, in nanoseconds, which no column can hold; make it text or a timestamp"),
        (
            [None, _AT],
            pl.Datetime("ns", "UTC"),
            "'v' holds 2024-01-01 00:00:00.123456789+00:00, a column holds microseconds; round it to these",
        ),
        ([[1000]], pl.List(pl.Datetime("ns")), "'v' is a list of timestamps in nanoseconds; cast them to microseconds"),
    ],
)
def test_polars_values_that_would_be_lost_are_refused_with_their_column(values: list[Any], dtype: Any, says: str) -> None:
    is_number = isinstance(dtype, pl.Datetime | pl.List)
    column = pl.Series("v", values).cast(dtype) if is_number else pl.Series("v", values, dtype=dtype)
    assert refused(pl.DataFrame([column])) == f"kit.output: {says}"


def test_whole_microseconds_are_kept() -> None:
    frame = pl.DataFrame({"v": [_AT - 789, None]}).cast(pl.Datetime("ns", "UTC"))
    assert as_table(frame).schema == {"v": pl.Datetime("us", "UTC")}
    assert as_table(frame)["v"][0] == datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)


def test_what_is_no_frame_is_no_table() -> None:
    with pytest.raises(NotATable):
        as_table({"v": [1]})
