"""DuckDB: connections, column types, views over Parquet files, and quoting of names and values."""

import importlib.util
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kit.core import resources
from kit.core.errors import KitError

if TYPE_CHECKING:
    import duckdb


_T = TypeVar("_T")
_INTERRUPTED_AGAIN = 0.05  # seconds
_TYPES = {
    "bool": "boolean", "int8": "bigint", "long": "bigint", "int": "integer", "int4": "integer", "short": "smallint",
    "int2": "smallint", "real": "float", "float4": "float", "float8": "double", "text": "varchar", "string": "varchar",
    "char": "varchar", "datetime": "timestamp", "timestamptz": "timestamp with time zone", "numeric": "decimal",
}  # fmt: skip
KNOWN_TYPES = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint",
    "float", "double", "varchar", "date", "time", "timestamp", "timestamp with time zone", "blob", "uuid", "json",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")


@lru_cache
def normal_type(text: str) -> str | None:
    """Return the DuckDB name of a column type in lower case, or None for an unknown type."""
    whole = re.sub(r"\s*([(),])\s*", r"\1", text.strip().lower())
    name = re.sub(r"(\[\])+$", "", whole)
    lists = whole[len(name) :]
    base, bracket, rest = name.partition("(")
    base = _TYPES.get(base, base)
    if base == "varchar" and re.fullmatch(r"|\([0-9]+\)", bracket + rest):
        return f"varchar{lists}"
    if match := _DECIMAL.fullmatch(base + bracket + rest):
        precision, scale = int(match[1]), int(match[2])
        return f"decimal({precision},{scale}){lists}" if 0 < precision <= 38 and scale <= precision else None
    return f"{base}{lists}" if base in KNOWN_TYPES and not bracket else None


Tables = Mapping[str, Iterable[Path]]
"""Parquet files by table name in SQL: `SCHEMA.TABLE`, or `TABLE` for a port of the product itself."""


@contextmanager
def connect(path: Path | str = ":memory:", *, read_only: bool = False) -> "Iterator[duckdb.DuckDBPyConnection]":
    """DuckDB connection that is closed at the end and never downloads extensions."""
    connection = opened(path, read_only=read_only)
    try:
        yield connection
    except BaseException:
        connection.interrupt()  # closing waits for the threads of a query
        raise
    finally:
        connection.close()


def interruptible(connection: "duckdb.DuckDBPyConnection", work: Callable[[], _T]) -> _T:
    """Return the result of work on a connection; an interrupt ends its query at once and raises `KeyboardInterrupt`.

    DuckDB looks for signals only between some steps of a query, and never while another library reads its rows. Therefore
    the work runs in a thread of its own, and this one waits for it.
    """
    from concurrent.futures import Future

    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, name="query", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        while thread.is_alive():
            connection.interrupt()  # again, for work that had not begun its query
            thread.join(_INTERRUPTED_AGAIN)
        raise
    return done.result()


def load_extension(connection: "duckdb.DuckDBPyConnection", name: str, extra: str) -> None:
    """Load an extension of DuckDB from its package on this machine, without a download.

    Raises `KitError`, which names the `extra` of the kit to install, where the package is missing or of another release.
    """
    import duckdb

    package = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    file = Path("extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
    path = next((place / file for place in places if (place / file).is_file()), None)
    if path is None:
        raise KitError(f"this needs the package {package}; install it with `pip install 'data-mesh-kit[{extra}]'`")
    try:
        connection.load_extension(str(path))
    except duckdb.Error as error:
        raise KitError(f"{package} cannot be loaded: {str(error).partition(chr(10))[0]}") from None


def relation(files: Iterable[Path], connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
    """Return Parquet files as a relation of the given connection, or of a new one."""
    return (connection or opened()).sql(f"select * from {parquet(files)}")


def limit(connection: Any) -> None:
    """Let a connection that was opened elsewhere use what those of `connect` may use: memory, threads and spill folder."""
    for name, value in resources.current().settings().items():
        connection.execute(f"set {name} = {literal(value)}")


def opened(path: Path | str = ":memory:", *, read_only: bool = False) -> "duckdb.DuckDBPyConnection":
    """Return a connection as that of `connect`, for the caller to close."""
    import duckdb

    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    return duckdb.connect(str(path), read_only=read_only, config=config | resources.current().settings())


def add_views(connection: "duckdb.DuckDBPyConnection", tables: Tables) -> None:
    """Create a view for each table over its Parquet files."""
    for name, files in tables.items():
        schema, dot, table = name.partition(".")
        if dot:
            connection.execute(f"create schema if not exists {identifier(schema)}")
        view = f"{identifier(schema)}.{identifier(table)}" if dot else identifier(name)
        connection.execute(f"create or replace view {view} as select * from {parquet(files)}")


def add_tables(connection: "duckdb.DuckDBPyConnection", tables: Mapping[str, Mapping[str, str]]) -> None:
    """Create an empty table for each name, with columns of these types."""
    for name, types in tables.items():
        schema, dot, _ = name.partition(".")
        if dot:
            connection.execute(f"create schema if not exists {quoted(schema)}")
        columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in types.items())
        connection.execute(f"create table {quoted(name)} ({columns})")


def column_types(connection: "duckdb.DuckDBPyConnection", table: str) -> dict[str, str]:
    """Return the types of a table's columns, named as in contracts."""
    rows = connection.execute(f"describe {quoted(table)}").fetchall()
    return {name: normal_type(kind) or kind.lower() for name, kind, *_ in rows}


def quoted(name: str) -> str:
    """Return a dotted name as quoted SQL identifiers."""
    return ".".join(map(identifier, name.split(".")))


def identifier(name: str) -> str:
    """Return one name as a quoted SQL identifier, dots included."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Return a number or text as an SQL literal."""
    if isinstance(value, int | float):
        return str(value)
    # DuckDB ends a query at NUL.
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in str(value).split("\0")]
    return f"({' || chr(0) || '.join(pieces)})" if len(pieces) > 1 else pieces[0]


def parquet(files: Iterable[Path]) -> str:
    """Return SQL that reads Parquet files; a folder named `key=value` in a path adds no column."""
    return f"read_parquet([{', '.join(map(file_literal, files))}], hive_partitioning = false)"


def file_literal(path: Path) -> str:
    """Return a path as an SQL literal; `*`, `?` and `[` in it match themselves and are no pattern."""
    return literal(re.sub(r"[*?[]", r"[\g<0>]", str(path)))
