from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.contracts.csv_format import CsvFormat
from kit.core import database
from kit.core.errors import IngestError
from kit.ingest.raw_table import ParquetTable, RawTable, listed, parquet_columns, shown


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with database.connect() as opened:
        yield opened


def table(connection: duckdb.DuckDBPyConnection, query: str, wanted: Mapping[str, str]) -> RawTable:
    """The rows of a query as a raw table, to be written in these types."""
    made = RawTable("feed", Path("feed.csv"), {name: name for name in wanted}, CsvFormat(), connection)
    connection.execute(f"create view raw as {query}")
    made.types = database.column_types(connection, "raw")
    made.wanted = wanted
    return made


def parquet(connection: duckdb.DuckDBPyConnection, folder: Path, query: str, names: Mapping[str, str]) -> ParquetTable:
    path = folder / "feed.parquet"
    connection.execute(f"copy ({query}) to '{path}' (format parquet)")
    return ParquetTable("feed.parquet", path, names, CsvFormat(), connection)


def test_rows_are_written_in_the_types_of_the_contract(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    wanted = {"day": "date", "number": "bigint"}
    made = table(connection, "select '12' as number, '2024-01-31' as day, 'x' as more", wanted)
    made.write(wanted, tmp_path / "landed.parquet")
    assert parquet_columns(connection, tmp_path / "landed.parquet") == {"day": "DATE", "number": "BIGINT"}
    rows = connection.execute(f"select day::varchar, number from '{tmp_path}/landed.parquet'").fetchall()
    assert rows == [("2024-01-31", 12)]


def test_types_that_cannot_be_cast_are_refused_before_anything_is_read(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    wanted = dict.fromkeys("abcd", "date")
    made = table(connection, "select 1 as a, 2 as b, 3 as c, 4 as d", wanted)
    with pytest.raises(IngestError) as error:
        made.write(wanted, tmp_path / "landed.parquet")
    each = [f"'{name}' is integer, the contract says date" for name in "abc"]
    assert str(error.value) == f"feed: {'; '.join(each)}"


def test_a_write_that_fails_leaves_no_file(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made = table(connection, "select if(i = 299_999, 'x', i::varchar) as a from range(300_000) as t(i)", {"a": "bigint"})
    with pytest.raises(duckdb.Error):
        made.write({"a": "bigint"}, tmp_path / "landed.parquet")
    assert list(tmp_path.iterdir()) == []


def test_the_first_misfit_has_its_row_column_value_and_the_form_of_its_type(connection: duckdb.DuckDBPyConnection) -> None:
    rows = "(1, '2024-01-31', '1'), (2, null, '2'), (3, '31.1.2024', 'x'), (4, '2024-01-31', 'y')"
    query = f"select day, number from (values {rows}) as t(id, day, number) order by id"
    wanted = {"day": "date", "number": "bigint"}
    made = table(connection, query, wanted)
    says = ", row 3: day is '31.1.2024', the contract says date, written 2024-01-31"
    assert made.first_misfit() == says
    assert made.problem(ValueError("whatever DuckDB says")) == says
    made.wanted = {"number": "bigint"}
    assert made.first_misfit() == ", row 3: number is 'x', the contract says bigint"


def test_without_a_misfit_the_problem_is_the_reason_of_duckdb(connection: duckdb.DuckDBPyConnection) -> None:
    made = table(connection, "select '1' as a", {"a": "bigint"})
    assert made.first_misfit() is None
    made.path = Path("/srv/secret/feed.csv")
    error = duckdb.Error("IO Error: Cannot open /srv/secret/feed.csv\nLINE 1: more")
    assert made.problem(error) == " cannot be read: Cannot open feed.csv"
    assert made.reason(duckdb.Error("x" * 201)) == "x" * 200 + " …"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["b", "a"], ""),
        (["a"], "'b' is missing"),
        ([], "'a', 'b' are missing"),
        (["a", "b", "c", "d", "e", "f"], "'c', 'd', 'e' and 1 more are not in the contract"),
        (["a", "b", "a"], "'a' is there more than once"),
        (["a", "c", "c"], "'b' is missing; 'c' is not in the contract; 'c' is there more than once"),
    ],
)
def test_names_of_columns_are_compared_whatever_their_order(
    connection: duckdb.DuckDBPyConnection, names: list[str], problem: str
) -> None:
    made = RawTable("feed", Path("feed.csv"), {"a": "a", "b": "b"}, CsvFormat(), connection)
    assert made.name_problem(names) == problem


def test_a_parquet_file_has_its_columns_under_the_names_of_the_contract(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    made = parquet(connection, tmp_path, """select 1::bigint as "My.Id", 'x' as b""", {"b": "b", "my_id": "My.Id"})
    made.open()
    assert made.types == {"b": "varchar", "my_id": "bigint"}
    made.write({"my_id": "bigint", "b": "varchar"}, tmp_path / "landed.parquet")
    assert connection.execute(f"select my_id, b from '{tmp_path}/landed.parquet'").fetchall() == [(1, "x")]


def test_a_parquet_file_that_fits_is_copied_byte_for_byte(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made = parquet(connection, tmp_path, "select 1::bigint as a", {"a": "a"})
    made.open()
    made.write({"a": "bigint"}, tmp_path / "landed.parquet")
    assert (tmp_path / "landed.parquet").read_bytes() == made.path.read_bytes()


def test_a_parquet_file_of_other_columns_is_refused(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(IngestError) as error:
        parquet(connection, tmp_path, "select 1 as a", {"b": "b"}).open()
    assert str(error.value) == "feed.parquet: 'b' is missing; 'a' is not in the contract"


AT = [1_704_067_200_123_456_789, None]
"""Nanoseconds since 1970."""


def arrow(folder: Path, values: list[object], kind: pa.DataType, **how: object) -> Path:
    """A Parquet file as other tools write it, with the column `v`."""
    path = folder / "feed.parquet"
    pq.write_table(pa.table({"v": pa.array(values, kind)}), path, **how)
    return path


def landed(connection: duckdb.DuckDBPyConnection, path: Path, kind: str) -> list[str | None]:
    made = ParquetTable("feed.parquet", path, {"v": "v"}, CsvFormat(), connection)
    connection.execute("set timezone = 'UTC'")
    made.open()
    try:
        made.write({"v": kind}, path.with_name("landed.parquet"))
    except duckdb.Error as error:
        raise made.refusal(made.problem(error)) from None
    assert parquet_columns(connection, path.with_name("landed.parquet")) == {"v": kind.upper()}
    return [text for (text,) in connection.execute(f"select v::varchar from '{path.with_name('landed.parquet')}'").fetchall()]


@pytest.mark.parametrize(
    ("values", "arrow_type", "kind", "texts"),
    [
        ([18446744073709551615], pa.uint64(), "ubigint", ["18446744073709551615"]),
        ([Decimal("1.25")], pa.decimal256(10, 2), "decimal(10,2)", ["1.25"]),
        ([1.5], pa.float16(), "float", ["1.5"]),
        (["a"], pa.dictionary(pa.int8(), pa.string()), "varchar", ["a"]),
        ([None], pa.null(), "varchar", [None]),
        ([b"\x00a"], pa.binary(2), "blob", ["\\x00a"]),
        ([b"0123456789abcdef"], pa.uuid(), "uuid", ["30313233-3435-3637-3839-616263646566"]),
        ([1_704_067_200_123_456_000], pa.timestamp("ns", "UTC"), "timestamp with time zone", ["2024-01-01 00:00:00.123456+00"]),
        ([[1_704_067_200_123_456_000]], pa.list_(pa.timestamp("ns")), "timestamp[]", ["['2024-01-01 00:00:00.123456']"]),
        ([1_000], pa.time64("ns"), "time", ["00:00:00.000001"]),
    ],
)
def test_a_parquet_value_is_kept(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, values: list[object], arrow_type: Any, kind: str, texts: list[str]
) -> None:
    assert landed(connection, arrow(tmp_path, values, arrow_type), kind) == texts


DURATION = "'v' is Duration, which no column can hold; make it a number with the unit in its name, such as dt.total_seconds()"
DIGITS = "'v' is a decimal of 50 digits, a column holds 38; make it a decimal of at most 38 digits, or text"
ROUND_TIME = "'00:00:00.{}', a column holds microseconds; round it to these"
ROUND = "'2024-01-01 00:00:00.123456789{}', a column holds microseconds; round it to these"


@pytest.mark.parametrize(
    ("values", "arrow_type", "kind", "says"),
    [
        ([1], pa.duration("s"), "bigint", f": {DURATION}"),
        ([1], pa.duration("ns"), "varchar", f": {DURATION}"),
        ([Decimal("1.25")], pa.decimal256(50, 2), "double", f": {DIGITS}"),
        ([Decimal("1.25")], pa.decimal256(50, 2), "decimal(38,2)", f": {DIGITS}"),
        ([[1]], pa.list_(pa.duration("s")), "bigint[]", f": {DURATION.replace('is', 'is a list of', 1)}"),
        ([1], pa.bool8(), "tinyint", ": 'v' is arrow.bool8, which no column can hold; make it text, a number, a date or a "
         "timestamp"),
        (AT, pa.timestamp("ns", "UTC"), "timestamp with time zone", f", row 1: v is {ROUND.format('+00:00')}"),
        ([None, AT], pa.list_(pa.timestamp("ns", "UTC")), "timestamp with time zone[]",
         f", row 2: v is {ROUND.format('+00:00')}"),
        (AT, pa.timestamp("ns"), "timestamp", ", row 1: v is '2024-01-01 00:00:00.123456789', the contract says timestamp"),
        ([1_001], pa.time64("ns"), "time", f", row 1: v is {ROUND_TIME.format('000001001')}"),
        ([None, 1], pa.time64("ns"), "time", f", row 2: v is {ROUND_TIME.format('000000001')}"),
        ([[1]], pa.list_(pa.time64("ns")), "time[]", f", row 1: v is {ROUND_TIME.format('000000001')}"),
        ([-5], pa.time64("us"), "time", ", row 1: v is '00:00:00.00000+', a time column holds times before 24:00:00; "
         "make it null, or text"),
        ([{"a": 1}], pa.struct({"a": pa.int64()}), "varchar", ": 'v' is struct(a bigint), the contract says varchar"),
        ([[("a", 1)]], pa.map_(pa.string(), pa.int64()), "varchar", ": 'v' is map(varchar, bigint), the contract says varchar"),
    ],
)  # fmt: skip
def test_a_parquet_value_that_would_change_is_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, values: list[object], arrow_type: Any, kind: str, says: str
) -> None:
    with pytest.raises(IngestError) as error:
        landed(connection, arrow(tmp_path, values, arrow_type), kind)
    assert str(error.value) == f"feed.parquet{says}"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([datetime(2024, 1, 31, 12, 30, 0, 5), None], ""),
        ([datetime(2024, 1, 31), datetime(9999, 12, 31)],
         ", row 2: v is INT96, and before 1678 or after 2261; write timestamps in microseconds instead"),
        (AT, f", row 1: v is {ROUND.format('')}"),
    ],
)  # fmt: skip
def test_timestamps_of_96_bits(connection: duckdb.DuckDBPyConnection, tmp_path: Path, values: list[object], says: str) -> None:
    kind = pa.timestamp("ns" if values is AT else "us")
    path = arrow(tmp_path, values, kind, use_deprecated_int96_timestamps=True, store_schema=False)
    if not says:
        assert landed(connection, path, "timestamp") == ["2024-01-31 12:30:00.000005", None]
        return
    with pytest.raises(IngestError) as error:
        landed(connection, path, "timestamp")
    assert str(error.value) == f"feed.parquet{says}"


def test_damage_within_a_file_that_fits_is_found(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = arrow(tmp_path, list(range(1000)), pa.int64())
    content = bytearray(path.read_bytes())
    content[10:40] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(IngestError, match=r"^feed\.parquet cannot be read: "):
        landed(connection, path, "bigint")


def test_a_parquet_column_without_a_name_is_refused(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "feed.parquet"
    pl.DataFrame({"": [1]}).write_parquet(path)
    with pytest.raises(IngestError) as error:
        landed(connection, path, "bigint")
    assert str(error.value) == "feed.parquet: a column has no name; give it one"


def test_a_value_is_shown_cut_and_on_one_line() -> None:
    assert shown("tea") == "'tea'"
    assert shown("a\nb\x00") == "'a\\nb\\x00'"
    assert shown("x" * 41) == "'" + "x" * 40 + "…'"
    assert listed(["a", "b", "c", "d"]) == "'a', 'b', 'c' and 1 more"
