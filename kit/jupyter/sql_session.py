"""The SQL of one notebook: each query runs in its own database, which contains only the tables that the query names."""

import os
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kit.contracts import quarantine_table
from kit.core import KitError, SqlError, database, sandbox
from kit.jupyter.session_pins import BuildPins, SessionPins
from kit.jupyter.sql_errors import explain
from kit.lineage import sql_words
from kit.mesh import RAW, Context
from kit.notebooks import RUN_FILE, asset
from kit.quality import quarantine
from kit.storage import ProductSummary

if TYPE_CHECKING:
    import duckdb
    import polars as pl

_READING = ("SELECT", "EXPLAIN")
_NO_READING = ("show", "pragma")  # which DuckDB takes for one
_SHOW_TABLES = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)
_IN_NO_FRAME = re.compile(r"\b(INTERVAL|UNION)\b")


class SqlSession:
    """Runs the queries of one notebook on ports, at the snapshots of its `pins`."""

    def __init__(self, pins: SessionPins | BuildPins) -> None:
        self.pins = pins

    @classmethod
    def open(cls, load: Callable[[], Context]) -> "SqlSession":
        """Return a session on all published ports of the loaded mesh; in a build on its pinned inputs. Raises `KitError`."""
        if RUN_FILE in os.environ:
            return cls(BuildPins(asset.inputs()))
        return cls(SessionPins(load().config))

    def query(self, query: str, names: Mapping[str, Any], row: int | None = 1) -> "pl.DataFrame":
        """Return the rows of one query, which begins in line `row` of its cell; None for a cell of one line.

        Tables are ports `product.port`, quarantined rows `product.port__quarantine` and `product."raw.source__quarantine"`,
        and the frames among the variables `names`; other variables are `$name`. `show tables` lists the first two. Columns
        that no frame can hold, intervals and unions, are texts. Raises `SqlError` for text that is no query, or fails,
        `KitError` for a snapshot that cannot be read.
        """
        import duckdb

        query = query.rstrip()
        if _SHOW_TABLES.fullmatch(query):
            return self._tables()
        with database.connect() as connection:
            connection.execute("set errors_as_json = true")
            connection.execute("set enable_progress_bar = false")  # it would be a widget, which no saved notebook shows
            values: dict[str, Any] = {}
            try:
                values |= self._values(connection, query, names)
                self._create_tables(connection, query, names)
                return _frame(connection, query, values)
            except duckdb.Error as error:
                if not isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException):
                    self.pins.check()
                details = _error_json(connection, query, values, error)
                raise explain(details, query, row, _columns(connection), self.pins.describe_unknown) from None
            except KeyboardInterrupt:
                raise SqlError("the query was interrupted") from None

    def _tables(self) -> "pl.DataFrame":
        import polars as pl

        rows = [
            (name, ", ".join(columns)) for summary in self.pins.summaries() for name, columns in sql_tables(summary).items()
        ]
        rows += [(name, "") for name in self.pins.input_names()]
        return pl.DataFrame(rows, schema={"table": pl.String, "columns": pl.String}, orient="row")

    def _values(self, connection: "duckdb.DuckDBPyConnection", query: str, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the `$name` parameters; raises `SqlError` unless the text is one query that only reads."""
        extracted = connection.extract_statements(query)
        # A pivot without `in` becomes two statements, which have no text.
        statements = [item for item in extracted if item.query.strip()] or extracted[-1:]
        if len(statements) != 1:
            raise SqlError(f"{len(statements) or 'no'} queries; write one in each cell")
        kind = statements[0].type.name
        first = str(next(iter(sql_words(query)), "")).lower()
        if kind not in _READING or first in _NO_READING:
            raise SqlError(
                f"'{first}' is no query of ports: write select, from, with, describe, summarize, "
                "pivot or explain; kit.open() lists the ports"
            )
        for name in sorted(statements[0].named_parameters):
            if name.isdigit():
                raise SqlError("a value without a name; write $name, where name is a variable of the notebook")
            if name not in names:
                raise SqlError(f"${name} is no variable of the notebook; assign it in a cell before")
            if _is_frame(names[name]):
                raise SqlError(f"${name} is a frame; use its name without the $")
        return {name: _plain(names[name]) for name in statements[0].named_parameters}

    def _create_tables(self, connection: "duckdb.DuckDBPyConnection", query: str, names: Mapping[str, Any]) -> None:
        """Create the tables that the text names, and confine the connection to their files."""
        words, tables = sql_words(query), {}
        for product, *rest in dict.fromkeys(word.parts[:2] for word in words):
            port = ".".join((product, *rest)).lower()
            if rest and (files := self.pins.files(port)) is not None:
                tables[port] = files
        for word in words:
            if word.parts[1:2] == (RAW,) and len(word.parts) > 2 and self.pins.files(str(word).lower()) is not None:
                raise SqlError(f"'{word}' has three parts; write {word.parts[0]}.\"{'.'.join(word.parts[1:])}\"")
        database.add_views(connection, tables)
        for name in dict.fromkeys(part for word in words for part in word.parts):
            if _is_frame(names.get(name)):
                if find_spec("pyarrow") is None:
                    raise KitError(f"to query '{name}' in SQL, pyarrow must be installed; run `pip install pyarrow`")
                connection.register(name, names[name])
        sandbox.confine(connection, (path for files in tables.values() for path in files))


def _frame(connection: "duckdb.DuckDBPyConnection", query: str, values: Mapping[str, Any]) -> "pl.DataFrame":
    """Return the rows as a frame, without pyarrow; raises `SqlError` for columns that no frame can hold."""
    import polars as pl

    relation = connection.sql(query, params=dict(values) or None)
    columns = []
    for name, kind in zip(relation.columns, map(str, relation.types), strict=True):
        if relation.columns.count(name) > 1:
            raise SqlError(f"two columns of the result are called '{name}'; name one of them with `as`")
        column = database.identifier(name)
        columns.append(f"{column}::varchar as {column}" if _IN_NO_FRAME.search(kind) else column)
    relation = relation.project(", ".join(columns)) if any("::varchar" in column for column in columns) else relation
    return database.interruptible(connection, lambda: pl.DataFrame(relation))


def _error_json(connection: "duckdb.DuckDBPyConnection", query: str, values: Mapping[str, Any], error: Exception) -> str:
    """Return the error as JSON; for a query that cannot be bound DuckDB adds the position only when it is executed."""
    import duckdb

    if "{" not in str(error):
        try:
            connection.execute(query, dict(values))
        except duckdb.Error as again:
            return str(again)
    return str(error)


def _columns(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    return [name for (name,) in connection.execute("select column_name from duckdb_columns() where not internal").fetchall()]


def sql_tables(summary: ProductSummary) -> dict[str, list[str]]:
    """Return the names in SQL of the ports and the quarantined rows of a product, each with its columns."""
    tables = {f"{summary.name}.{port.name}": [column.name for column in port.columns] for port in summary.ports}
    aside = [quarantine_table(port.name) for port in summary.ports if port.quarantined is not None]
    aside += [database.identifier(quarantine_table(table)) for table in summary.set_aside]
    return tables | {f"{summary.name}.{name}": [column for column, *_ in quarantine.COLUMNS] for name in aside}


def frame_columns(names: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the frames among some variables with their columns; a lazy frame has none, its schema is not computed."""
    frames = {name: value for name, value in names.items() if _is_frame(value)}
    return {
        name: [] if type(value).__name__ == "LazyFrame" else list(map(str, value.columns)) for name, value in frames.items()
    }


def _is_frame(value: object) -> bool:
    """Return whether a value is a frame of polars or pandas, without importing either."""
    return type(value).__name__ in ("DataFrame", "LazyFrame") and type(value).__module__.partition(".")[0] in (
        "polars",
        "pandas",
    )


def _plain(value: Any) -> Any:
    """Convert a value for DuckDB: lists for series, arrays and sets, Python numbers for those of numpy."""
    for method in ("to_list", "tolist"):
        if hasattr(value, method):
            return getattr(value, method)()
    return list(value) if isinstance(value, set | frozenset | range) else value
