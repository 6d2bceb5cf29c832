from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import pyarrow as pa
import pytest

from kit.core.errors import IngestError
from kit.ingest.batches import BatchFiles, is_batches


def written(tmp_path: Path, *batches: Any) -> list[pl.DataFrame]:
    files = BatchFiles("shop.raw.sales", tmp_path / "batches")
    for batch in batches:
        files.add(batch)
    return [pl.read_parquet(path) for path in files.close()]


def rows(tmp_path: Path, *batches: Any) -> list[dict[str, Any]]:
    return [row for frame in written(tmp_path, *batches) for row in frame.to_dicts()]


def test_mappings_lists_of_them_frames_arrow_tables_and_files_are_rows_in_their_order(tmp_path: Path) -> None:
    pl.DataFrame({"n": [6]}).write_parquet(tmp_path / "six.parquet")
    found = rows(
        tmp_path, {"n": 1}, [{"n": 2}, [{"n": 3}]], pl.DataFrame({"n": [4]}), pl.LazyFrame({"n": [5]}),
        tmp_path / "six.parquet", pa.table({"n": [7]}), iter([{"n": 8}]),
    )  # fmt: skip
    assert [row["n"] for row in found] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_key_that_some_mappings_lack_is_null_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.ingest.batches._ROWS_AT_ONCE", 2)
    found = rows(tmp_path, {"a": 1}, {"b": 2}, {"a": 3}, {"a": 4, "c": "x"})
    assert found == [
        {"a": 1, "b": None, "c": None},
        {"a": None, "b": 2, "c": None},
        {"a": 3, "c": None, "b": None},
        {"a": 4, "c": "x", "b": None},
    ]


def test_values_stay_as_they_are_and_objects_are_json(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    row = {
        "day": date(2024, 1, 1), "moment": moment, "price": Decimal("1.10"), "id": UUID(int=1), "tags": ["a", "b"],
        "address": {"city": "Köln", "codes": [1]}, "lines": [{"n": 1}], "raw": b"\0", "empty": None,
    }  # fmt: skip
    (found,) = rows(tmp_path, row)
    assert found == {
        **row, "id": "00000000-0000-0000-0000-000000000001", "moment": moment.astimezone(UTC),
        "address": '{"city": "Köln", "codes": [1]}', "lines": '[{"n": 1}]',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2.5], [1.0, 2.5]), ([Decimal("0.1"), 2, 0.25], [Decimal("0.10"), Decimal("2.00"), Decimal("0.25")])],
)
def test_numbers_of_several_types_are_exact(tmp_path: Path, values: list[Any], expected: list[Any]) -> None:
    assert [row["n"] for row in rows(tmp_path, *({"n": value} for value in values))] == expected


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([1, "x"], "'n' is a number in row 1 and text in row 2; make all of them one type, or text"),
        ([None, True, 1], "'n' is a boolean in row 2 and a number in row 3; make all of them one type, or text"),
        ([2**60 + 1, 0.5], "'n' cannot be a column: it has floats, and 1152921504606846977, which no float holds; "
                           "make all of them text or Decimal"),
        ([2**70], "the frame: 'n' is Int128, which no column can hold; make it a decimal of at most 38 digits, or text"),
        ([timedelta(1)], "the frame: 'n' is Duration, which no column can hold; make it a number with the unit in its name, "
                         "such as dt.total_seconds()"),
    ],
)  # fmt: skip
def test_values_that_no_column_holds_are_refused(tmp_path: Path, values: list[Any], problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        written(tmp_path, *({"n": value} for value in values))
    assert str(caught.value) == f"shop.raw.sales: {problem}"


@pytest.mark.parametrize(("batch", "kind"), [(1, "an int"), (None, "nothing"), (b"x", "a bytes")])
def test_what_is_no_batch_is_refused(tmp_path: Path, batch: Any, kind: str) -> None:
    with pytest.raises(IngestError, match=f"yielded {kind}; yield mappings, lists of them, polars frames or Parquet files"):
        written(tmp_path, batch)


def test_the_number_of_rows_so_far_is_counted(tmp_path: Path) -> None:
    counts: list[int] = []
    files = BatchFiles("shop.raw.sales", tmp_path / "batches", counts.append)
    files.add(pl.DataFrame({"n": [1, 2]}))
    files.add([{"n": 3}])
    files.close()
    assert counts == [2, 3]
    assert files.rows == 3


def test_frames_of_other_libraries_only_look_like_batches() -> None:
    import pandas as pd

    assert is_batches(iter([]))
    assert not any(map(is_batches, [pd.DataFrame(), pl.Series([1]), {"a": 1}, "text", b"x", 1]))


def test_a_page_without_columns_has_no_rows_and_another_file_is_refused(tmp_path: Path) -> None:
    assert written(tmp_path, pl.DataFrame(), []) == []
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(IngestError, match=r"^shop.raw.sales: rows.csv is no Parquet file; yield the path of one$"):
        written(tmp_path, tmp_path / "rows.csv")
