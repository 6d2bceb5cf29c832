"""The connector `postgres`: a table, a view or a query of PostgreSQL, read by DuckDB's scanner."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, quote

from kit.core import IngestError, KitError, PostgresAddress, database
from kit.ingest.connector import VARIABLE, Connector, Declaration, Origin, State, Stream, StreamColumn
from kit.ingest.postgres_types import ColumnReading, TypeEntry, modifier_of, reading, refusal

if TYPE_CHECKING:
    import duckdb

_ROWS_PER_GROUP, _GROUPS_PER_FILE = 100_000, 5
_LOOK_SECONDS = 0.5
_PREVIEW_ROWS = 1000
_SHOWN_TABLES = 20
_SETTINGS = {"IntervalStyle": "iso_8601", "DateStyle": "ISO, YMD", "TimeZone": "UTC", "bytea_output": "hex"}
"""Settings that decide on the texts of values, for the transaction."""

_PASSING = {
    r"Connection refused|could not connect|Network is unreachable|No route to host|Connection reset": "the network failed",
    r"Temporary failure in name resolution|server closed the connection|connection not open|SSL SYSCALL": "the network failed",
    r"timeout expired|Connection timed out|could not receive data": "the other side did not answer in time",
    r"is starting up|not yet accepting|is shutting down|in recovery mode": "the server restarts",
    r"terminating connection|crash of another": "the server ended the connection",
    r"too many clients|remaining connection slots": "the server has no free connection",
    r"deadlock detected|conflict with recovery|could not serialize|lock timeout": "another process holds a lock",
}
"""Why a failure may pass, by its text: libpq has no codes for those of a connection."""


@dataclass(kw_only=True)
class Postgres(Connector):
    """A `table` (or view) or the result of a `query` of PostgreSQL, at the address in the environment variable `dsn_env`.

    The address is a URL or a string of libpq, with all its options, such as `sslmode` and `sslrootcert`. With a `cursor`, a
    column that grows with each change, only rows from its greatest value on are read again: a number, a date or a timestamp.
    `lookback` reads this much more, for transactions that are committed late: a timedelta, or a number for numbers. `deleted`
    is the column that marks a deleted row. Columns in `as_text` are read as the text that the server shows, arrays and
    composite values as JSON. A query ends after `timeout_seconds`.
    """

    dsn_env: str
    table: str | None = None
    query: str | None = None
    cursor: str | None = None
    deleted: str | None = None
    as_text: Sequence[str] = ()
    lookback: timedelta | int | None = None
    timeout_seconds: int = 3600
    kind: ClassVar[str] = "postgres"
    reads_each_row_once: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.dsn_env, str) or not VARIABLE.fullmatch(self.dsn_env):
            raise IngestError("postgres(dsn_env=…) is the name of an environment variable with the address, such as SHOP_DSN")
        if (self.table is None) == (self.query is None):
            raise IngestError("postgres(…) reads a table or a query; give one of table='schema.name' and query='select …'")
        self.stream = self.table or "query"

    def declared(self) -> Mapping[str, Any]:
        """What decides on the rows, with host and database: a state belongs to one of them."""
        return {
            "address": self.address.place, "table": self.table, "query": self.query, "cursor": self.cursor,
            "as_text": sorted(self.as_text),
        }  # fmt: skip

    def secrets(self) -> Sequence[str]:
        """The variable with the address."""
        return (self.dsn_env,)

    def check(self) -> None:
        """Connect, and read no row of the stream."""
        with self._connected() as session:
            session.readings(self)

    def discover(self) -> Sequence[Stream]:
        """Return the tables and views that this user can read; first the query of this source, if it has one."""
        with self._connected() as session:
            own = [session.stream(self)] if self.query else []
            return [*own, *session.tables()]

    def describe(self) -> Stream:
        """Return the table or the query of this source."""
        with self._connected() as session:
            return session.stream(self)

    def read(self, state: Mapping[str, Any] | None) -> Iterator[Any]:
        """Yield Parquet files with the rows of one snapshot of the database, then the greatest value of the cursor."""
        with self._connected() as session:
            readings = session.readings(self)
            where, last = "", state["cursor"] if state else None
            cursor = self._cursor(readings)
            if cursor and last is not None:
                name, since = database.identifier(str(self.cursor)), f"{database.literal(last)}::{cursor.cursor}"
                where = f" where {name} >= {since}{self._lookback(cursor)} or {name} is null"
            columns = ", ".join(f"{item.expression} as {database.identifier(name)}" for name, item in readings.items())
            for part in session.copied(f"select {columns} from {self.relation} as source{where}"):
                if cursor:
                    last = session.greatest(str(self.cursor), [part], last)
                yield part
            if cursor and last is not None:
                yield State({"cursor": last})

    def preview(self) -> Iterator[Any]:
        """Yield the first rows in the order of the server."""
        with self._connected() as session:
            readings = session.readings(self)
            columns = ", ".join(f"{item.expression} as {database.identifier(name)}" for name, item in readings.items())
            yield from session.copied(f"select {columns} from {self.relation} as source limit {_PREVIEW_ROWS}")

    @classmethod
    def declare(cls, origin: str, source: str, folder: Path) -> Declaration:
        """Take `SHOP_DSN?table=SCHEMA.TABLE`, a variable with the address, or the address with `table` as a further option.

        Without a table its name is `source`.
        """
        name, _, query = origin.partition("?")
        if VARIABLE.fullmatch(name):
            table = dict(parse_qsl(query)).get("table", source)
            return Declaration({"dsn_env": name, "table": table}, table)
        given = PostgresAddress("", f"postgresql:{origin[origin.find('//') :]}")
        if given.problem:
            raise IngestError(f"the address {given.problem}")
        options = dict(given.options)
        table = options.pop("table", source)
        text = "".join(f"{'&' if n else '?'}{name}={quote(value, safe='/')}" for n, (name, value) in enumerate(options.items()))
        database_name = given.place.partition("/")[2]
        variable = f"{re.sub(r'[^A-Z0-9]+', '_', database_name.upper()) or 'POSTGRES'}_DSN"
        return Declaration({"dsn_env": variable, "table": table}, table, {variable: given.without_options + text})

    @property
    def address(self) -> PostgresAddress:
        """The address in the environment variable; raises `IngestError` when that is not set, or cannot be read."""
        try:
            return PostgresAddress.from_environment(self.dsn_env)
        except KitError as error:
            raise IngestError(str(error)) from None

    @property
    def relation(self) -> str:
        """SQL of the server for the rows of the source."""
        if self.query is not None:
            return f"({self.query.strip().rstrip(';')}\n)"  # it may end with a comment
        return database.quoted(str(self.table))

    def _cursor(self, readings: Mapping[str, ColumnReading]) -> ColumnReading | None:
        """How the cursor is read; raises `IngestError` for a column that is missing, or cannot be one."""
        if self.cursor is None:
            return None
        found = readings.get(self.cursor)
        if found is None:
            raise IngestError(f"there is no column '{self.cursor}', the cursor; there are: {', '.join(readings)}")
        if not found.cursor:
            problem = (
                f"the cursor '{self.cursor}' is {found.type}; choose a number, a date or a timestamp that grows with changes"
            )
            raise IngestError(problem)
        return found

    def _lookback(self, cursor: ColumnReading) -> str:
        is_moment = cursor.type.startswith(("date", "timestamp"))
        if not self.lookback:
            return ""
        if is_moment != isinstance(self.lookback, timedelta):
            expected = "timedelta" if is_moment else "number"
            raise IngestError(f"the lookback of the cursor '{self.cursor}' is {self.lookback!r}; give a {expected}")
        if isinstance(self.lookback, timedelta):
            return f" - interval '{int(self.lookback / timedelta(microseconds=1))} microseconds'"
        return f" - {self.lookback}"

    @contextmanager
    def _connected(self) -> "Iterator[_Session]":
        """A transaction that sees one snapshot of the database and writes nothing. Errors do not contain the address."""
        import duckdb

        address = self.address
        with database.connect() as connection:
            database.load_extension(connection, "postgres_scanner", "postgres")
            connection.execute("set timezone = 'UTC'")
            try:
                connection.execute(f"attach {database.literal(address.connection)} as pg (type postgres, read_only)")
                connection.execute("begin")
                session = _Session(connection)
                settings = _SETTINGS | {"statement_timeout": str(self.timeout_seconds * 1000)}
                calls = (
                    f"set_config({database.literal(name)}, {database.literal(value)}, true)" for name, value in settings.items()
                )
                session.rows(" , ".join(f"{call} as s{number}" for number, call in enumerate(calls)))
                yield session
            except duckdb.Error as error:
                raise _error(str(error), address) from None


class _Session:
    """One transaction with a server, by a connection of DuckDB that has it attached as `pg`."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self.connection = connection
        self._types: dict[int, TypeEntry] = {}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of `select QUERY` at the server; each column has a name."""
        return self.connection.execute(_query(f"select {query}")).fetchall()

    @property
    def types(self) -> Mapping[int, TypeEntry]:
        """The types of the database."""
        if not self._types:
            found = self.rows(
                "oid::int8 as oid, typname::text as name, typtype::text as kind, typbasetype::int8 as base, "
                "typtypmod as modifier, typelem::int8 as element from pg_type"
            )
            self._types = {oid: TypeEntry(*rest) for oid, *rest in found}
        return self._types

    def readings(self, source: Postgres) -> dict[str, ColumnReading]:
        """How each column of a source is read; raises `IngestError` for an unknown one in `as_text`."""
        found = self._of_tables(source.table)[0].columns if source.table else self._of_query(source)
        names = [name for name, *_ in found]
        if unknown := [name for name in source.as_text if name not in names]:
            raise IngestError(f"there is no column '{unknown[0]}', which as_text names; there are: {', '.join(names)}")
        return {
            name: reading(name, oid, modifier, self.types, as_text=name in source.as_text) for name, oid, modifier, *_ in found
        }

    def stream(self, source: Postgres) -> Stream:
        """The stream of a source, with what the catalog knows of a table."""
        readings = self.readings(source)
        if source.table:
            table = self._of_tables(source.table)[0]
            stream = table.stream(readings)
            return replace(stream, name=source.stream, origins=self._origins(source, [table.name], stream.types))
        columns = tuple(StreamColumn(name, item.type) for name, item in readings.items())
        names = [database.literal(name) for name in _tables_of(str(source.query))]
        found = self.rows(
            "n.nspname || '.' || c.relname as t from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            f"where c.oid = any(array[{', '.join(f'to_regclass({name})::oid' for name in names)}]::oid[]) order by 1"
        )
        origins = self._origins(source, [name for (name,) in found], {})
        return Stream(source.stream, columns, cursors=_cursors(readings), origins=origins)

    def _origins(self, source: Postgres, tables: Sequence[str], columns: Mapping[str, str]) -> tuple[Origin, ...]:
        """Tables as datasets of OpenLineage, by the host and port of the address, else those that the server knows."""
        ((name, host, port),) = self.rows(
            "current_database()::text as d, coalesce(host(inet_server_addr()), 'localhost') as h, "
            "coalesce(inet_server_port(), current_setting('port')::int4)::text as p"
        )
        named = source.address.server
        namespace = f"postgres://{named[0] or host}:{named[1] or port}"
        return tuple(Origin(namespace, f"{name}.{table}", columns) for table in tables)

    def tables(self) -> list[Stream]:
        """The tables and views that the user can read."""
        return [
            table.stream({name: reading(name, oid, modifier, self.types) for name, oid, modifier, *_ in table.columns})
            for table in self._of_tables()
        ]

    def _of_tables(self, only: str | None = None) -> "list[_Table]":
        """The tables and views that the user can read, or one by its name, with their columns."""
        which = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_table_privilege(c.oid, 'select')"
        if only:
            which = f"c.oid = to_regclass({database.literal(database.quoted(only))})"
        found = self.rows(
            "n.nspname::text as s, c.relname::text as t, coalesce(obj_description(c.oid, 'pg_class'), '') as d, "
            "a.attname::text as a, a.atttypid::int8 as o, a.atttypmod as m, a.attnotnull as r, "
            "coalesce(col_description(c.oid, a.attnum), '') as cd, "
            "coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int4 as k "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "left join pg_index i on i.indrelid = c.oid and i.indisprimary "
            f"where c.relkind in ('r', 'v', 'm', 'p', 'f') and {which} order by n.nspname, c.relname, a.attnum"
        )
        tables: dict[tuple[str, str], _Table] = {}
        for schema, table, description, *column in found:
            entry = tables.setdefault((schema, table), _Table(f"{schema}.{table}", description, []))
            entry.columns.append(tuple(column))
        if only and not tables:
            ((is_there,),) = self.rows(f"to_regclass({database.literal(database.quoted(only))}) is not null as t")
            if is_there:
                raise IngestError(f"the table {only} has no columns")
            names = [table.name for table in self._of_tables()]
            more = f" and {len(names) - _SHOWN_TABLES} more" if len(names) > _SHOWN_TABLES else ""
            raise IngestError(f"there is no table {only}; there are: {', '.join(names[:_SHOWN_TABLES]) or 'none'}{more}")
        return list(tables.values())

    def _of_query(self, source: Postgres) -> list[tuple[Any, ...]]:
        """The name, type and modifier of each column of a query."""
        relation = f"{source.relation} as source"
        described = self.connection.execute(f"describe {_query(f'select * from {relation}')}").fetchall()
        names = [name for name, *_ in described]
        typed = ", ".join(f"pg_typeof(source.{database.identifier(name)})::oid::int8 as c{i}" for i, name in enumerate(names))
        (oids,) = self.rows(f"{typed} from (select 1) one left join lateral (select * from {relation} limit 0) source on true")
        return [(name, oid, modifier_of(kind)) for (name, kind, *_), oid in zip(described, oids, strict=True)]

    def copied(self, query: str) -> Iterator[Path]:
        """Write the rows of a query as Parquet files, and yield each as soon as it is complete."""
        folder = Path(tempfile.mkdtemp())
        how = f"format parquet, row_group_size {_ROWS_PER_GROUP}, row_groups_per_file {_GROUPS_PER_FILE}"
        target = database.literal(str(folder / "rows"))
        yielded = -1
        with ThreadPoolExecutor(1) as pool:
            copying = pool.submit(self.connection.execute, f"copy (from {_query(query)[5:]}) to {target} ({how})")
            try:
                while True:
                    is_done = not wait([copying], _LOOK_SECONDS).not_done
                    if is_done:
                        copying.result()
                    parts = sorted((int(part.stem.rpartition("_")[2]), part) for part in (folder / "rows").glob("*.parquet"))
                    # The newest one is still being written; some of the others were yielded before, and may still be there.
                    for number, part in parts[: None if is_done else -1]:
                        if number > yielded:
                            yielded = number
                            yield part
                    if is_done:
                        return
            except BaseException:
                self.connection.interrupt()
                raise

    def greatest(self, column: str, files: Sequence[Path], before: str | None) -> str | None:
        """The greatest value of a column in files, as text; `before` where there is none. Infinite moments come again."""
        name = database.identifier(column)
        kinds = self.connection.execute(f"describe select {name} from {database.parquet(files)}").fetchall()
        kind = str(kinds[0][1])
        finite = f"isfinite({name})" if kind.startswith(("DATE", "TIMESTAMP")) else "true"
        query = f"select max({name}) filter ({finite})::varchar from {database.parquet(files)}"
        if before is not None:
            query = f"select greatest(({query})::{kind}, {database.literal(before)}::{kind})::varchar"
        (value,) = self.connection.execute(query).fetchone() or (None,)
        return before if value is None else str(value)


@dataclass(frozen=True)
class _Table:
    """A table of the catalog; of a column its name, type, modifier, whether it is never null, description, place in the key."""

    name: str
    description: str
    columns: list[tuple[Any, ...]]

    def stream(self, readings: Mapping[str, ColumnReading]) -> Stream:
        """The table as a stream."""
        key = sorted((place, name) for name, *_, place in self.columns if place >= 0)
        columns = tuple(
            StreamColumn(name, readings[name].type, bool(required), text) for name, _, _, required, text, _ in self.columns
        )
        return Stream(self.name, columns, tuple(name for _, name in key), _cursors(readings), self.description)


def _query(query: str) -> str:
    return f"from postgres_query('pg', {database.literal(query)})"


def _cursors(readings: Mapping[str, ColumnReading]) -> tuple[str, ...]:
    """The columns that may be a cursor: moments first, those that changes move by their name before others."""
    names = [name for name, item in readings.items() if item.cursor]
    return tuple(
        sorted(
            names,
            key=lambda name: (
                not readings[name].type.startswith("timestamp"),
                re.search(r"updat|modif|chang|version|synced", name) is None,
                not readings[name].type.startswith("date"),
            ),
        )
    )


def _tables_of(query: str) -> list[str]:
    """The names of the tables and views that a query reads, as it writes them; none of a query that cannot be parsed."""
    import sqlglot

    try:
        parsed = sqlglot.parse_one(query, dialect="postgres")
    except sqlglot.errors.SqlglotError:
        return []
    own = {cte.alias for cte in parsed.find_all(sqlglot.exp.CTE)}
    tables = [table for table in parsed.find_all(sqlglot.exp.Table) if table.name and (table.db or table.name not in own)]
    return sorted({".".join(part.sql(dialect="postgres") for part in table.parts) for table in tables})


def _error(text: str, address: PostgresAddress) -> IngestError:
    """The sentence of an error of DuckDB or of the server, without the address and its password."""
    if twin := re.search(r'has duplicate column name "(.*)"', text):
        return IngestError(
            f"two columns are named '{twin[1]}', in capitals or not; name one otherwise in query='select … as …'"
        )
    error = IngestError(refusal(text) or address.reason(text))
    error.passing = next((why for pattern, why in _PASSING.items() if re.search(pattern, text)), "")
    return error
