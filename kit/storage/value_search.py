"""Search of a mesh for values: the places in its storage and its files where they can be read, Dagster's history included."""

import html
import json
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import Config, database
from kit.mesh import RAW

if TYPE_CHECKING:
    import duckdb

_SQLITE = b"SQLite format 3\0"
_QUARANTINE = "__quarantine"
_AT_ONCE = 500  # values in one regular expression
_OWN = ("products", RAW, "runs")
"""Folders of the storage with a folder for each product."""
_REPOSITORY = ("domains", "notebooks")
_NO_DATA = {".git", ".venv", "__pycache__", "node_modules", ".ipynb_checkpoints"}


@dataclass(frozen=True, order=True)
class Place:
    """A file in which values were found.

    `kind` is `raw data`, `port`, `quarantine`, `manifest`, `run record`, `executed notebook`, `file of a run`,
    `unfinished build`, `Dagster history`, `domain folder`, `notebook`, or the name of the file's folder in the storage.
    `product` is the product that it belongs to, empty for none, `version` its snapshot, run or source. `part` names the
    columns or the table; `deleted rows` is what SQLite has not yet overwritten. `rows` counts rows, or lines of a text.
    """

    kind: str
    product: str
    version: str
    path: Path
    part: str
    rows: int


def find_values(config: Config, values: Collection[str]) -> list[Place]:
    """Return all places in which one of the values is found, as a whole cell or between characters that are no word.

    Searches Parquet files, the databases of Dagster and DuckDB, and all other files of the storage as text, further the domain
    folders and notebooks of the mesh. Values in compressed files of other kinds and in pictures are not found, nor is the
    history of git searched. Files that vanish meanwhile are left out.
    """
    values = sorted({value for value in values if value})
    places = []
    for path in _files(config) if values else ():
        with suppress(FileNotFoundError):
            for part, rows in _occurrences(path, values):
                kind, product, version = _belongs(config, path)
                places.append(Place(kind, product, version, path, part, rows))
    return sorted(places)


def contains(text: bytes, values: Collection[str]) -> bool:
    """Return whether a text has one of the values, between characters that are no word."""
    return bool(_lines(text, list(values)))


def _files(config: Config) -> Iterator[Path]:
    roots = [config.storage, *(config.root / name for name in _REPOSITORY)]
    for folder in {root.resolve(): root for root in roots}.values():
        for path in sorted(folder.rglob("*")):
            if not _NO_DATA.intersection(path.parts) and path.is_file() and not path.is_symlink():
                yield path


def _belongs(config: Config, path: Path) -> tuple[str, str, str]:
    """Return the kind of a file, its product and its version."""
    if not path.is_relative_to(config.storage):
        folder, *rest = path.relative_to(config.root).parts
        return ("domain folder", rest[0], "") if folder == "domains" else ("notebook", "", "")
    folder, *rest = path.relative_to(config.storage).parts
    if folder not in _OWN or len(rest) < 2:
        return "Dagster history" if folder == config.dagster_home.name else folder, "", ""
    product, version = rest[0], rest[1] if len(rest) > 2 else ""
    if folder == RAW:
        return "raw data", product, version
    if folder == "runs":
        kinds = {".ipynb": "executed notebook", ".json": "run record"}
        return kinds.get(path.suffix, "file of a run"), product, version
    if version.startswith("."):
        return "unfinished build", product, version
    if path.suffix == ".parquet":
        return "quarantine" if _QUARANTINE in path.parent.name else "port", product, version
    return "manifest", product, version


def _occurrences(path: Path, values: list[str]) -> Iterator[tuple[str, int]]:
    """Yield the parts of a file with one of the values, each with its number of rows."""
    with path.open("rb") as file:
        beginning = file.read(16)
    if path.suffix == ".parquet":
        yield from _in_parquet(path, values)
    elif beginning == _SQLITE:
        yield from _in_sqlite(path, values)
    elif beginning[8:12] == b"DUCK":
        yield from _in_duckdb(path, values)
    elif lines := _lines(path.read_bytes(), values):
        yield ("deleted rows" if path.name.endswith(("-wal", "-journal")) else ""), lines


def _forms(value: str) -> set[str]:
    """Return how JSON, JSON within JSON and HTML write a value."""
    once, plain = json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
    twice = {json.dumps(text)[1:-1] for text in (once, plain)}
    return {value, once, plain, *twice, html.escape(value), html.escape(value, quote=False)}


def _lines(text: bytes, values: list[str]) -> int:
    """Return the number of lines of a text with one of the values."""
    found: set[int] = set()
    for form in {form.encode() for value in values for form in _forms(value)}:
        if form in text:  # far faster than the regular expression
            matches = re.finditer(rb"(?<![\w])" + re.escape(form) + rb"(?![\w])", text)
            found |= {text.count(b"\n", 0, match.start()) for match in matches}
    return len(found)


def _condition(column: str, values: list[str]) -> str:
    """Return SQL for the rows in which a column has one of the values."""
    parts = ["|".join(map(re.escape, values[start : start + _AT_ONCE])) for start in range(0, len(values), _AT_ONCE)]
    patterns = (database.literal(f"(^|[^\\pL\\pN_])({part})([^\\pL\\pN_]|$)") for part in parts)
    cell = f"{database.identifier(column)}::varchar"
    return f"coalesce({' or '.join(f'regexp_matches({cell}, {pattern})' for pattern in patterns)}, false)"


def _in_parquet(path: Path, values: list[str]) -> Iterator[tuple[str, int]]:
    import duckdb

    with database.connect() as connection, suppress(duckdb.Error):  # a file that is not complete
        database.add_views(connection, {"searched": [path]})
        yield from _in_table(connection, "searched", values)


def _in_duckdb(path: Path, values: list[str]) -> Iterator[tuple[str, int]]:
    """Search the tables of a DuckDB database; its views lead to files that are searched themselves."""
    import duckdb

    with suppress(duckdb.Error), database.connect(path, read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables() where not internal").fetchall()
        for schema, table in tables:
            for part, rows in _in_table(connection, f"{schema}.{table}", values):
                yield f"{schema}.{table}: {part}", rows


def _in_table(connection: "duckdb.DuckDBPyConnection", table: str, values: list[str]) -> Iterator[tuple[str, int]]:
    columns = list(database.column_types(connection, table))
    matches = [_condition(name, values) for name in columns]
    numbers = ", ".join(f"count(*) filter ({match})" for match in (*matches, " or ".join(matches)))
    *each, rows = connection.execute(f"select {numbers} from {database.quoted(table)}").fetchone() or (0,)
    if rows:
        yield ", ".join(name for name, number in zip(columns, each, strict=True) if number), rows


def _in_sqlite(path: Path, values: list[str]) -> Iterator[tuple[str, int]]:
    found = False
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
        connection.text_factory = bytes
        for (name,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            table = name.decode().replace('"', '""')
            cells = (
                b"\n".join(cell for cell in row if isinstance(cell, bytes))
                for row in connection.execute(f'select * from "{table}"')
            )
            if rows := sum(bool(_lines(text, values)) for text in cells):
                found = True
                yield name.decode(), rows
    if not found and (lines := _lines(path.read_bytes(), values)):
        yield "deleted rows", lines
