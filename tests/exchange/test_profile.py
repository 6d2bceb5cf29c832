from pathlib import Path

import duckdb
import pytest

from kit.exchange.profile import ColumnProfile, Profile, profile


def write(path: Path, query: str) -> Path:
    duckdb.sql(f"copy ({query}) to '{path}' (format parquet)")
    return path


def test_the_footers_of_all_files_count(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", "select 1 as id, 2.5::decimal(10, 2) as price, 'tea' as item, [1] as list, 0.5 as x")
    second = write(
        tmp_path / "b.parquet", "select 7 as id, null::decimal(10, 2) as price, null::varchar as item, [2, 3] as list, 1.5 as x"
    )
    assert profile(duckdb.connect(), [first, second], set()) == Profile(
        2, first.stat().st_size + second.stat().st_size, 2,
        {
            "id": ColumnProfile(0, 1, 7), "price": ColumnProfile(1, 2.5, 2.5), "item": ColumnProfile(1),
            "list": ColumnProfile(None), "x": ColumnProfile(0, 0.5, 1.5),
        },
    )  # fmt: skip


def test_a_hidden_column_has_no_bounds(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", "select range as id, null::bigint as age from range(10)")
    assert profile(duckdb.connect(), [file], {"id", "age"}).columns == {"id": ColumnProfile(0), "age": ColumnProfile(10)}


def test_a_table_without_rows(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", "select 1 as id where false")
    assert profile(duckdb.connect(), [file], set()).rows == 0


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises((OSError, duckdb.Error)):
        profile(duckdb.connect(), [tmp_path / "gone.parquet"], set())
