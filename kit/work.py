"""The work database of one build: a throw-away DuckDB file of views over pinned inputs and staged ports."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.column_types import normal_type
from kit.contract import Contract
from kit.rule_query import literal as literal

if TYPE_CHECKING:
    import duckdb

Tables = Mapping[str, Iterable[Path]]
"""Parquet files by the name SQL knows them under: `SCHEMA.TABLE`, or `TABLE` for a port of the product itself."""


@contextmanager
def connect(path: Path | str = ":memory:", *, read_only: bool = False) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A DuckDB connection that is closed again and never fetches an extension."""
    connection = _open(path, read_only=read_only)
    try:
        yield connection
    finally:
        connection.close()


def relation(files: Iterable[Path], connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
    """Parquet files as a relation of the given connection, or of one of its own."""
    paths = ", ".join(file_literal(path) for path in files)
    return (connection or _open()).sql(f"select * from read_parquet([{paths}])")


def _open(path: Path | str = ":memory:", *, read_only: bool = False) -> "duckdb.DuckDBPyConnection":
    import duckdb

    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    return duckdb.connect(str(path), read_only=read_only, config=config)


def add_views(connection: "duckdb.DuckDBPyConnection", tables: Tables) -> None:
    """Create a view for each table over its Parquet files."""
    for name, files in tables.items():
        schema, dot, _ = name.partition(".")
        if dot:
            connection.execute(f"create schema if not exists {quoted(schema)}")
        paths = ", ".join(file_literal(path) for path in files)
        connection.execute(f"create or replace view {quoted(name)} as select * from read_parquet([{paths}])")


def add_tables(connection: "duckdb.DuckDBPyConnection", tables: Mapping[str, Mapping[str, str]]) -> None:
    """Create an empty table for each name, with columns of these types."""
    for name, types in tables.items():
        schema, dot, _ = name.partition(".")
        if dot:
            connection.execute(f"create schema if not exists {quoted(schema)}")
        columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in types.items())
        connection.execute(f"create table {quoted(name)} ({columns})")


def columns(connection: "duckdb.DuckDBPyConnection", table: str) -> dict[str, str]:
    """The columns of a table with their types, named as contracts name them."""
    rows = connection.execute(f"describe {quoted(table)}").fetchall()
    return {name: normal_type(kind) or kind.lower() for name, kind, *_ in rows}


def schema_problems(contract: Contract, found: Mapping[str, str]) -> list[str]:
    """How a table's columns differ from the contract's; empty when they are the same, order aside."""
    promised = {column.name: column.type for column in contract.columns}
    missing = [f"column '{name}' ({kind}) is missing" for name, kind in promised.items() if name not in found]
    extra = [f"column '{name}' ({kind}) is not in the contract" for name, kind in found.items() if name not in promised]
    wrong = [
        f"column '{name}' is {found[name]}, the contract says {kind}"
        for name, kind in promised.items()
        if name in found and found[name] != kind
    ]
    return missing + extra + wrong


def quoted(name: str) -> str:
    """A dotted name as SQL identifiers."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def file_literal(path: Path) -> str:
    """A file as an SQL literal; `*`, `?` and `[` in its name are taken as they stand, not as a pattern."""
    return literal(re.sub(r"[*?[]", r"[\g<0>]", str(path)))
