import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import sqlalchemy
from sqlalchemy.dialects import registry

from tests.support.files import write


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sqlalchemy.Engine]:
    """A database whose sandbox declares one file."""
    duckdb.connect(tmp_path / "audit.duckdb").close()
    write(tmp_path / "declared.csv", "a\n1\n")
    write(tmp_path / "other.csv", "a\n2\n")
    write(tmp_path / "audit.sandbox.json", json.dumps({"files": [str(tmp_path / "declared.csv")]}))
    registry.register("duckdb.kit", "kit.quality.dialect", "PlainDialect")
    made = sqlalchemy.create_engine(f"duckdb+kit:///{tmp_path / 'audit.duckdb'}")
    yield made
    made.dispose()


def test_a_query_reads_declared_files_only(engine: sqlalchemy.Engine, tmp_path: Path) -> None:
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text(f"select a from '{tmp_path}/declared.csv'")).fetchall()
        assert [tuple(row) for row in rows] == [(1,)]
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="Permission Error"):
            connection.execute(sqlalchemy.text(f"select a from '{tmp_path}/other.csv'"))


def test_a_rollback_leaves_results_to_be_fetched(engine: sqlalchemy.Engine) -> None:
    with engine.connect() as connection:
        result = connection.execute(sqlalchemy.text("select * from range(3)"))
        connection.rollback()
        assert [row[0] for row in result] == [0, 1, 2]


def test_a_column_may_be_called_like_any_word_of_duckdb(engine: sqlalchemy.Engine) -> None:
    words = [word for (word,) in duckdb.execute("select keyword_name from duckdb_keywords()").fetchall()]
    columns = ", ".join(f'"{word}" integer' for word in words)
    table = sqlalchemy.table("things", *map(sqlalchemy.column, words))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"create table things ({columns})"))
        query = sqlalchemy.select(*(sqlalchemy.func.max(table.c[word]) for word in words))
        assert connection.execute(query).fetchall() == [(None,) * len(words)]
