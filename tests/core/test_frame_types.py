from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from kit.core.frame_types import innermost, is_nanoseconds, misfits, scan


def test_json_and_uuids_of_a_file_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    uuid = "00000000-0000-4000-8000-00000000000a"
    duckdb.sql(
        f"copy (select 1 as n, '{uuid}'::uuid as u, '[1]'::json as j, ['{uuid}'::uuid, null] as us, [['{{}}'::json]] as js, "
        f"'a'::blob as b union all select 2, null, null, null, null, null) to '{path}' (format parquet)"
    )
    frame = scan([path])
    assert frame.collect().rows() == [(1, uuid, "[1]", [uuid, None], [["{}"]], b"a"), (2, None, None, None, None, None)]
    assert frame.filter(pl.col("u") == uuid).select("j").collect().rows() == [("[1]",)]


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Boolean(), pl.Int64(), pl.UInt64(), pl.Float16(), pl.Float64(), pl.Decimal(38, 4), pl.String(), pl.Binary(),
        pl.Categorical(), pl.Enum(["a"]), pl.Date(), pl.Time(), pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Datetime("ns"),
        pl.Null(), pl.List(pl.Array(pl.Int8(), 2)), pl.Extension("arrow.json", pl.String()),
        pl.Extension("arrow.uuid", pl.Binary()),
    ],
)  # fmt: skip
def test_types_whose_values_are_kept(dtype: Any) -> None:
    assert list(misfits({"v": dtype})) == []


_NARROWER = "make it a decimal of at most 38 digits, or text"
_PLAIN = "which no column can hold; make it text, a number, a date or a timestamp"


@pytest.mark.parametrize(
    ("dtype", "says"),
    [
        (
            pl.Duration("ms"),
            "'v' is Duration, which no column can hold; make it a number with the unit in its name, such as dt.total_seconds()",
        ),
        (pl.Decimal(50, 2), f"'v' is a decimal of 50 digits, a column holds 38; {_NARROWER}"),
        (pl.Int128(), f"'v' is Int128, which no column can hold; {_NARROWER}"),
        (pl.Object(), f"'v' is Object, {_PLAIN}"),
        (pl.Struct({"a": pl.Int64()}), "'v' is Struct, which no column can hold; make each of its fields a column"),
        (pl.Extension("pandas.period", pl.Int64()), f"'v' is pandas.period, {_PLAIN}"),
        (pl.List(pl.Int128()), f"'v' is a list of Int128, which no column can hold; {_NARROWER}"),
    ],
)
def test_types_whose_values_would_be_lost_have_a_remedy(dtype: Any, says: str) -> None:
    assert list(misfits({"id": pl.Int64(), "v": dtype})) == [says]


def test_the_innermost_type_of_lists() -> None:
    assert innermost(pl.Series([[[date(2024, 1, 1)]]]).dtype) == pl.Date()
    assert is_nanoseconds(pl.List(pl.Datetime("ns", "UTC")))
    assert is_nanoseconds(pl.List(pl.Time()))
    assert not is_nanoseconds(pl.Datetime("us"))
