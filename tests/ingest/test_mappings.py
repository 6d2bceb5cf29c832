import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kit.core.errors import IngestError
from kit.ingest.mappings import frame_of


def column(*values: Any) -> pl.Series:
    return frame_of("shop.raw.sales", [{"n": value} for value in values])["n"]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (([1], [2.5], None, []), pl.List(pl.Float64), [[1.0], [2.5], None, []]),
        (([Decimal("1.1")], [Decimal("1.123")]), pl.List(pl.Decimal(38, 3)), [[Decimal("1.100")], [Decimal("1.123")]]),
        (([], [{"a": 1}]), pl.String, ["[]", '[{"a": 1}]']),
        (([1], {"a": 1}, [[2]]), pl.String, ["[1]", '{"a": 1}', "[[2]]"]),
        (([], None), pl.String, ["[]", None]),
        (({"a": Decimal("1.10")},), pl.String, ['{"a": 1.10}']),
        ((1, 2**63), pl.UInt64, [1, 2**63]),
        ((Decimal("1E+27"), Decimal("0.0000000001")), pl.Decimal(38, 10), [Decimal("1E+27"), Decimal("0.0000000001")]),
        ((np.int64(5), 1), pl.Int64, [5, 1]),
        ((np.float32(0.5), 1), pl.Float64, [0.5, 1.0]),
        ((np.array([1, 2]),), pl.List(pl.Int64), [[1, 2]]),
        ((pd.NaT, pd.Timestamp("2024-01-01")), pl.Datetime("us"), [None, datetime(2024, 1, 1)]),
        ((pd.NA, 1), pl.Int64, [None, 1]),
    ],
)
def test_values_are_kept_exactly(values: Any, dtype: Any, expected: list[Any]) -> None:
    found = column(*values)
    assert (found.dtype, found.to_list()) == (dtype, expected)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (([True], [1]), "is a list of a boolean in row 1 and a number in row 2; make all of them one type, or text"),
        ((["a"], [1]), "is a list of text in row 1 and a number in row 2; make all of them one type, or text"),
        (([date(2024, 1, 1)], [datetime(2024, 1, 1, 5)]),
         "is a list of a date in row 1 and a timestamp in row 2; make all of them one type, or text"),
        (([datetime(2024, 1, 1)], [datetime(2024, 1, 1, tzinfo=UTC)]),
         "is a list of a timestamp in row 1 and a moment with a time zone in row 2; make all of them one type, or text"),
        (([2**53 + 1], [0.5]),
         "cannot be a column: it has floats, and 9007199254740993, which no float holds; make all of them text or Decimal"),
        ((Decimal("1E+30"), Decimal("1E-9")), "has decimals of 40 digits together, a column holds 38; make them text"),
        ((Decimal("NaN"),), "has NaN, which no decimal holds; make it null, or all of them floats"),
        ((Decimal(1), math.inf), "has Infinity, which no decimal holds; make it null, or all of them floats"),
        ((None, time(10, tzinfo=UTC)), "in row 2 is a time with a time zone; make it a datetime, or text"),
        ((pd.Timestamp("2024-01-01 00:00:00.000000001"),),
         "in row 1 has nanoseconds, a column holds microseconds; round it to these"),
        ((datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),),
         "in row 1 is a moment before the year 1 or after 9999 in UTC; make it null, or text"),
        ((np.datetime64("2024-01-01T00:00:00.000000001"),),
         "in row 1 is a numpy.datetime64, which no column can hold; make it text, a number, a date or a timestamp"),
        (({1},), "in row 1 is a set, which no column can hold; make it text, a number, a date or a timestamp"),
        (({"a": math.nan},), "in row 1 has NaN or an infinite number inside of it, which JSON lacks; make that null"),
    ],
)  # fmt: skip
def test_values_that_would_change_are_refused(values: Any, problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        column(*values)
    assert str(caught.value) == f"shop.raw.sales: 'n' {problem}"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{}, {}], "yielded a mapping without keys; each key is a column"),
        ([{1: "a", "1": "b"}], "two of the keys 1, '1' name the same column; make all of them text"),
    ],
)
def test_keys_that_name_no_column_are_refused(rows: list[Any], problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        frame_of("shop.raw.sales", rows)
    assert str(caught.value) == f"shop.raw.sales: {problem}"


def test_a_problem_names_the_row_after_those_before() -> None:
    with pytest.raises(IngestError, match="'n' in row 12 is a set"):
        frame_of("x", [{"n": None}, {"n": {1}}], 10)
