from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
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


def test_a_value_is_shown_cut_and_on_one_line() -> None:
    assert shown("tea") == "'tea'"
    assert shown("a\nb\x00") == "'a\\nb\\x00'"
    assert shown("x" * 41) == "'" + "x" * 40 + "…'"
    assert listed(["a", "b", "c", "d"]) == "'a', 'b', 'c' and 1 more"
