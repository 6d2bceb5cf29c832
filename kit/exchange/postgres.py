"""Current snapshots as tables of a PostgreSQL database, for BI tools that read one."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kit.build import Listener
from kit.contracts import Contract
from kit.core import Config, KitError, database, mappings, read_yaml
from kit.storage import Snapshot, Store

if TYPE_CHECKING:
    import duckdb

_TYPES = {
    "boolean": "boolean", "tinyint": "smallint", "smallint": "smallint", "utinyint": "smallint", "integer": "integer",
    "usmallint": "integer", "bigint": "bigint", "uinteger": "bigint", "ubigint": "numeric(20,0)", "float": "real",
    "double": "double precision", "varchar": "text", "date": "date", "time": "time", "timestamp": "timestamp",
    "timestamp with time zone": "timestamptz", "blob": "bytea", "uuid": "uuid", "json": "json",
}  # fmt: skip
_STATE = '"kit"."snapshots"'


class PostgresTables(Listener):
    """Pushes a product after each move of its pointer, when the setting `postgres_dsn_env` names a database."""

    def moved(self, config: Config, product: str) -> None:
        """Push the snapshot that became current."""
        if config.postgres_dsn_env:
            push(config, config.postgres_dsn_env, [product])


def push(config: Config, dsn_env: str, ports: Iterable[str] = ()) -> list[str]:
    """Make tables of the current snapshots of products or ports, of all without; return what was done, a line for each.

    The environment variable `dsn_env` has the address of the database. Each product is one transaction, which replaces the
    rows of the tables that changed: readers see one snapshot, views of users stay. Columns that are personal and not masked
    are left out. The table `kit.snapshots` remembers what was pushed. Raises `KitError` without an address
    and when the database refuses; what was committed until then stays.
    """
    store, chosen, lines = Store(config.storage), dict[str, set[str]](), list[str]()
    for name in ports or store.products():
        product, _, port = name.partition(".")
        chosen.setdefault(product, set()).update([port] if port else [])
    with _connected(dsn_env) as connection:
        for product, names in chosen.items():
            lines += _push(connection, store, product, names)
    return lines


def _push(connection: "duckdb.DuckDBPyConnection", store: Store, product: str, names: set[str]) -> Iterator[str]:
    connection.execute("begin")
    _run(connection, "select pg_advisory_xact_lock(hashtext('kit'))")  # of several builds one pushes at a time
    with store.open(product) as snapshot:  # read under the lock: a push that waited pushes what is current now
        wanted = [name for name in snapshot.manifest["ports"] if name in names or (not names and "." not in name)]
        for name in names:
            snapshot.port(name)
        tables = [_Table(snapshot, name) for name in wanted]
        _run(
            connection,
            'create schema if not exists "kit"',
            f"create table if not exists {_STATE} (product text, port text, version text not null, content text not null, "
            "pushed_at timestamptz not null default now(), primary key (product, port))",
            f"create schema if not exists {database.identifier(product)}",
        )
        known = dict(_rows(connection, f"select port, content from {_STATE} where product = {database.literal(product)}"))
        roles = {role for (role,) in _rows(connection, "select rolname::text from pg_roles")}
        for table in tables:
            if known.get(table.port) != table.content:
                table.replace(connection, roles)
                yield f"{product}.{table.port}: {snapshot.version}"
            values = ", ".join(map(database.literal, table.state))
            _run(
                connection,
                f"insert into {_STATE} (product, port, version, content) values ({values}) "
                "on conflict (product, port) do update set version = excluded.version, content = excluded.content, "
                "pushed_at = now()",
            )
            if missing := sorted(table.roles - roles):
                yield f"{product}.{table.port}: the database has no role {', '.join(missing)}, which its contract names"
    connection.execute("commit")


class _Table:
    """One port as a table: its columns by name and type of PostgreSQL, key, comments, roles."""

    def __init__(self, snapshot: Snapshot, port: str) -> None:
        self.snapshot, self.port, self.product = snapshot, port, snapshot.product
        entry, path = snapshot.port(port), snapshot.contract(port)
        facts = entry.get("about", {})
        contract = Contract.load(path) if path else None
        columns = contract.columns if contract else ()
        hidden = {column.name for column in columns if column.hidden == "personal" and not column.mask}
        self.columns = {name: _type(kind) for name, kind, _ in facts.get("columns", ()) if name not in hidden}
        self.required = {column.name for column in columns if column.required}
        key = contract.key if contract else ()
        self.key = key if hidden.isdisjoint(key) else ()
        self.comments = {name: text for name, _, text in facts.get("columns", ()) if name in self.columns and text}
        self.comment = str(facts.get("description", ""))
        data = read_yaml(path).data if path else {}
        self.roles = {str(item["role"]) for item in mappings(data.get("roles")) if item.get("role")}
        parts = [entry["files"], self.columns, self.key, sorted(self.required), self.comments, self.comment, sorted(self.roles)]
        self.content = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        self.name = f"{database.identifier(self.product)}.{database.identifier(port)}"
        self.state = (self.product, port, snapshot.version, self.content)

    def replace(self, connection: "duckdb.DuckDBPyConnection", roles: set[str]) -> None:
        """Put the rows of the snapshot in place of those of the table, whose views stay."""
        if not self.columns:
            raise KitError(f"{self.product}.{self.port} has no columns for PostgreSQL; build it again with this kit")
        columns_there = _rows(
            connection,
            "select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute "
            f"where attrelid = to_regclass({database.literal(self.name)}) and attnum > 0 and not attisdropped",
        )
        there = {name: kind for name, kind, _ in columns_there}
        required = {name for name, _, not_null in columns_there if not_null}
        same = {name: kind for name, kind in there.items() if self.columns.get(name) and _same(kind, self.columns[name])}
        if there and same != there:  # other types, or columns fewer; PostgreSQL refuses it where views depend on the table
            _run(connection, f"drop table {self.name}")
            there, required = {}, set()
        # What stays as it is, is not altered: that would lock readers out until the end of the transaction.
        ((key_there,),) = _rows(
            connection,
            "select string_agg(attname::text, ',' order by array_position(conkey, attnum)) from pg_constraint "
            "join pg_attribute on attrelid = conrelid and attnum = any(conkey) "
            f"where contype = 'p' and conrelid = to_regclass({database.literal(self.name)})",
        )
        has_key = bool(self.key) and key_there == ",".join(self.key)
        columns = [f"{database.identifier(name)} {kind}" for name, kind in self.columns.items()]
        constraint = f"{self.port}_key"[-63:]
        _run(
            connection,
            *([] if there else [f"create table {self.name} ({', '.join(columns)})"]),
            *(
                f"alter table {self.name} add column {database.identifier(name)} {kind}"
                for name, kind in self.columns.items() if there and name not in there
            ),
            *(
                [f"alter table {self.name} drop constraint if exists {database.identifier(constraint)}"]
                if there and not has_key
                else []
            ),
            f"delete from {self.name}",
        )  # fmt: skip
        connection.execute("call pg_clear_cache()")
        names = ", ".join(map(database.identifier, self.columns))
        rows = f"select {names} from {database.parquet(self.snapshot.files(self.port))}"
        connection.execute(f"insert into pg.{self.name} ({names}) {rows}")
        key = ", ".join(map(database.identifier, self.key))
        comments = {f"table {self.name}": self.comment}
        comments |= {f"column {self.name}.{database.identifier(name)}": text for name, text in self.comments.items()}
        _run(
            connection,
            *(
                f"alter table {self.name} alter column {database.identifier(name)} "
                f"{'set' if name in self.required else 'drop'} not null"
                for name in self.columns
                if (name in self.required) != (name in required) and name not in self.key
            ),
            *(
                [f"alter table {self.name} add constraint {database.identifier(constraint)} primary key ({key})"]
                if key and not has_key
                else []
            ),
            *(f"comment on {item} is {_text(text)}" for item, text in comments.items()),
            *(
                f"grant {right} to {database.identifier(role)}"
                for role in sorted(self.roles & roles)
                for right in (f"usage on schema {database.identifier(self.product)}", f"select on {self.name}")
            ),
        )


def _type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"{_type(kind[:-2])}[]"
    return _TYPES.get(kind, kind.replace("decimal", "numeric"))


def _same(there: str, wanted: str) -> bool:
    zones = {" without time zone": "", "timestamp with time zone": "timestamptz"}
    for long, short in zones.items():
        there = there.replace(long, short)
    return there == wanted


def _text(text: str) -> str:
    return database.literal(text.replace("\0", "")) if text else "null"


def _run(connection: "duckdb.DuckDBPyConnection", *statements: str) -> None:
    for statement in statements:
        connection.execute("call postgres_execute('pg', ?)", [statement])


def _rows(connection: "duckdb.DuckDBPyConnection", query: str) -> list[tuple[Any, ...]]:
    return connection.execute("from postgres_query('pg', ?)", [query]).fetchall()


@contextmanager
def _connected(dsn_env: str) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection with the database attached as `pg`; no error contains the address."""
    import duckdb

    dsn = os.environ.get(dsn_env, "")
    if not dsn:
        raise KitError(
            f"the environment variable {dsn_env} has no address of a database; set it to one such as "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    with database.connect() as connection:
        database.load_extension(connection, "postgres_scanner", "postgres")
        try:
            connection.execute(f"attach {database.literal(dsn)} as pg (type postgres)")
            yield connection
        except duckdb.Error as error:
            raise KitError(f"PostgreSQL at {dsn_env}: {_without(dsn, dsn_env, str(error))}") from None


def _without(dsn: str, name: str, message: str) -> str:
    """Return the first lines of an error without the address and its password."""
    password = (urlsplit(dsn).password or "") if "://" in dsn else next(iter(re.findall(r"password='?([^'\s]+)", dsn)), "")
    for secret in (dsn, password, unquote(password)):
        message = message.replace(secret, f"[{name}]") if secret else message
    return " ".join(message.split())[:400]
