from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.core import database
from kit.core.database import normal_type


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two Parquet files, whose names are patterns and contain a quote."""
    paths = [tmp_path / "it's [1].parquet", tmp_path / "it's [2].parquet"]
    for number, path in enumerate(paths):
        pl.DataFrame({"id": [number]}).write_parquet(path)
    pl.DataFrame({"id": [7]}).write_parquet(tmp_path / "it's 1.parquet")
    return paths


def test_parquet_files_are_a_relation_and_views(files: list[Path]) -> None:
    assert database.relation(files).order("id").fetchall() == [(0,), (1,)]
    with database.connect() as connection:
        database.add_views(connection, {"sales": files, "raw.sales": files[:1], 'or"der': files[1:]})
        assert connection.execute("select count(*) from sales").fetchall() == [(2,)]
        assert connection.execute("select id from raw.sales").fetchall() == [(0,)]
        assert connection.execute('select id from "or""der"').fetchall() == [(1,)]


def test_a_connection_is_closed_and_downloads_no_extension(tmp_path: Path) -> None:
    with database.connect(tmp_path / "work.duckdb") as connection:
        settings = "select current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"
        assert connection.execute(settings).fetchall() == [(False, False)]
        connection.execute("create table kept as select 1 as id")
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("select 1")
    with (
        database.connect(tmp_path / "work.duckdb", read_only=True) as connection,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        connection.execute("drop table kept")


def test_tables_have_the_types_they_are_created_with() -> None:
    types = {"id": "bigint", "a b": "decimal(10,2)", "at": "timestamp with time zone", "tags": "varchar[]"}
    with database.connect() as connection:
        database.add_tables(connection, {"raw.sales": types})
        assert database.column_types(connection, "raw.sales") == types
        connection.execute("create table odd as select {'a': 1} as item, 'x'::char(3) as name")
        assert database.column_types(connection, "odd") == {"item": "struct(a integer)", "name": "varchar"}


@pytest.mark.parametrize(
    ("value", "sql"),
    [(7, "7"), (1.5, "1.5"), ("it's", "'it''s'"), ("a\0b", "('a' || chr(0) || 'b')"), (Decimal("1.50"), "'1.50'")],
)
def test_a_literal_is_quoted(value: object, sql: str) -> None:
    assert database.literal(value) == sql


@given(st.text())
def test_every_text_is_its_own_literal(text: str) -> None:
    with database.connect() as connection:
        assert connection.execute(f"select {database.literal(text)}").fetchall() == [(text,)]


def test_a_name_is_quoted_by_its_parts() -> None:
    assert database.quoted("raw.sales") == '"raw"."sales"'
    assert database.quoted('a"b') == '"a""b"'


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bigint", "bigint"),
        (" BIGINT ", "bigint"),
        ("long", "bigint"),
        ("int", "integer"),
        ("INT4", "integer"),
        ("bool", "boolean"),
        ("real", "float"),
        ("float8", "double"),
        ("datetime", "timestamp"),
        ("timestamptz", "timestamp with time zone"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp with time zone"),
        ("text", "varchar"),
        ("string", "varchar"),
        ("varchar(20)", "varchar"),
        ("char( 3 )", "varchar"),
        ("decimal(10,2)", "decimal(10,2)"),
        ("NUMERIC( 10 , 2 )", "decimal(10,2)"),
        ("decimal(05,02)", "decimal(5,2)"),
        ("decimal(38,38)", "decimal(38,38)"),
        ("int[]", "integer[]"),
        ("varchar(20)[]", "varchar[]"),
        ("decimal(10,2)[][]", "decimal(10,2)[][]"),
        ("integer" + "[]" * 5000, "integer" + "[]" * 5000),
        ("", None),
        ("[]", None),
        ("money", None),
        ("decimal", None),
        ("decimal(10)", None),
        ("decimal(0,0)", None),
        ("decimal(39,2)", None),
        ("decimal(2,3)", None),
        ("varchar(", None),
        ("varchar(x)", None),
        ("integer(5)", None),
        ("integer[3]", None),
        ("integer[", None),
        ("bigint; drop table x", None),
        ("struct(a integer)", None),
    ],
)
def test_a_type_has_one_name(text: str, name: str | None) -> None:
    assert normal_type(text) == name


@given(st.text("abcdeilmnrt()[],0123456789 "))
def test_the_name_of_a_type_is_its_own_name(text: str) -> None:
    name = normal_type(text)
    assert name is None or normal_type(name) == name


def test_a_folder_named_key_value_adds_no_column(tmp_path: Path) -> None:
    file = tmp_path / "year=2024" / "a[1].parquet"
    file.parent.mkdir()
    pl.DataFrame({"id": [1]}).write_parquet(file)
    with database.connect() as connection:
        database.add_views(connection, {"t": [file]})
        assert database.column_types(connection, "t") == {"id": "bigint"}
        assert database.relation([file], connection).fetchall() == [(1,)]


def test_an_identifier_is_one_name() -> None:
    assert database.identifier('a."b') == '"a.""b"'
