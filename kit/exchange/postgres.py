"""Current snapshots as tables of a PostgreSQL database, for BI tools that read one."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kit.build import Listener
from kit.core import Config, KitError, PostgresAddress, database, lock, write_durably
from kit.exchange.postgres_table import PostgresTable, Target
from kit.storage import Store

if TYPE_CHECKING:
    import duckdb

_STATE = '"kit"."snapshots"'
_COLUMNS = {
    "product": "text", "port": "text", "version": "text not null", "content": "text not null",
    "pushed_at": "timestamptz not null default now()", "roles": "text[] not null default '{}'",
    "mesh": "text not null default ''",
}  # fmt: skip


class PostgresTables(Listener):
    """Pushes a product after each move of its pointer, when the setting `postgres_dsn_env` names a database."""

    def moved(self, config: Config, product: str) -> None:
        """Push the snapshot that became current."""
        if config.postgres_dsn_env:
            list(push(config, config.postgres_dsn_env, [product]))


def push(config: Config, dsn_env: str, ports: Iterable[str] = ()) -> Iterator[str]:
    """Make tables of the current snapshots of products or ports, of all without; yield what was done, a line for each.

    The environment variable `dsn_env` has the address of the database. Each product is one transaction, which replaces the
    rows of the tables that changed: readers see one snapshot, views of users stay. Columns that are personal and not masked
    are left out. The table `kit.snapshots` remembers what was pushed: tables of ports and, without `ports`, of products that
    this mesh has no more are dropped, unless something of a user depends on them.

    Raises `KitError` without an address, and when the database refuses a product, after all others are pushed.
    """
    store, chosen, problems = Store(config.storage), dict[str, set[str]](), list[str]()
    for name in ports or store.products():
        product, _, port = name.partition(".")
        chosen.setdefault(product, set()).update([port] if port else [])
    address, mesh = PostgresAddress.from_environment(dsn_env), _mesh_id(config)
    with _connected(address) as connection:
        import duckdb

        state, gone = _State(connection, mesh), set[str]()
        if not ports:
            with state.transaction():
                gone = {product for product in state.products() if product not in chosen}
        for product in (*chosen, *sorted(gone)):
            try:
                with state.transaction():
                    lines = state.drop(product) if product in gone else state.push(store, product, chosen[product])
            except KitError as error:
                problems.append(str(error))
            except duckdb.Error as error:
                problems.append(f"{product}: {address.reason(str(error))}")
            else:
                yield from lines
    if problems:
        raise KitError(f"PostgreSQL at {dsn_env}: {'; '.join(problems)}")


class _State:
    """The table `kit.snapshots` of the database: what a mesh has pushed."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", mesh: str) -> None:
        self.target, self.mesh = Target(connection), mesh

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction; of several builds one pushes at a time."""
        connection = self.target.connection
        connection.execute("begin")
        try:
            self.target.run("select pg_advisory_xact_lock(hashtext('kit'))")
            self._prepare()
            yield
            connection.execute("commit")
        except BaseException:
            with suppress(Exception):  # the server has ended it
                connection.execute("rollback")
            raise

    def _prepare(self) -> None:
        self.target.make_schema("kit")
        there = self.target.columns(_STATE)
        missing = [f"{name} {kind}" for name, kind in _COLUMNS.items() if name not in there]
        if not there:
            self.target.run(f"create table {_STATE} ({', '.join(missing)}, primary key (product, port))")
        elif missing:  # of an earlier kit
            self.target.run(f"alter table {_STATE} {', '.join(f'add column {item}' for item in missing)}")

    def products(self) -> list[str]:
        """The products that this mesh has pushed."""
        query = f"select distinct product from {_STATE} where mesh = {database.literal(self.mesh)} order by 1"
        return [product for (product,) in self.target.rows(query)]

    def _known(self, product: str) -> dict[str, tuple[str, set[str]]]:
        """The ports of a product that were pushed, each with a digest of its content and the roles that may select."""
        query = f"select port, content, roles from {_STATE} where product = {database.literal(product)} order by port"
        return {port: (content, set(granted)) for port, content, granted in self.target.rows(query)}

    def drop(self, product: str) -> list[str]:
        """Drop the tables of a product that is no more; return what was done."""
        return [self._drop(product, port, "product") for port in self._known(product)]

    def push(self, store: Store, product: str, names: set[str]) -> list[str]:
        """Push the ports of a product, of all without names; return what was done."""
        known = self._known(product)
        with store.open(product) as snapshot:  # read under the lock: a push that waited pushes what is current now
            for name in names:
                snapshot.port(name)
            own = snapshot.manifest["ports"]
            tables = [PostgresTable(snapshot, name) for name in own if name in names or (not names and "." not in name)]
            self.target.make_schema(product)
            lines, roles = list[str](), self.target.roles()
            for table in tables:
                content, granted = known.get(table.port, ("", set[str]()))
                if content != table.content:
                    table.replace(self.target, is_known=bool(content))
                    lines.append(f"{table.id}: {snapshot.version}")
                lines += table.grant(self.target, roles, granted)
                self._remember(table, snapshot.version)
            if not names:
                lines += [self._drop(product, port, "port") for port in known if port not in own]
        return lines

    def _remember(self, table: PostgresTable, version: str) -> None:
        values = [table.product, table.port, version, table.content, self.mesh]
        names = ("version", "content", "mesh", "roles", "pushed_at")
        roles = f"array[{', '.join(map(database.literal, sorted(table.roles)))}]::text[]"
        self.target.run(
            f"insert into {_STATE} (product, port, version, content, mesh, roles) values "
            f"({', '.join(map(database.literal, values))}, {roles}) on conflict (product, port) do update set "
            + ", ".join(f"{name} = excluded.{name}" for name in names)
        )

    def _drop(self, product: str, port: str, noun: str) -> str:
        """Drop the table of a port that is no more, unless something depends on it; return the line that says so."""
        table, name = f"{database.identifier(product)}.{database.identifier(port)}", f"{product}.{port}"
        if dependents := self.target.dependents(table):
            return f"{name}: its {noun} is no more; the table stays, since {dependents} depends on it"
        if self.target.kind(table) == "table":
            self.target.run(f"drop table {table}")
        row = f"product = {database.literal(product)} and port = {database.literal(port)}"
        self.target.run(f"delete from {_STATE} where {row}")
        return f"{name}: dropped, since its {noun} is no more"


def _mesh_id(config: Config) -> str:
    """The name of this mesh in a database that several meshes may use; it stays when the storage is moved."""
    path = config.storage / ".mesh.id"
    if not path.exists():
        with lock(path.with_name(f"{path.name}.lock"), wait=True):
            if not path.exists():
                write_durably(path, secrets.token_hex(8))
    return path.read_text()


@contextmanager
def _connected(address: PostgresAddress) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection with the database attached as `pg`; no error contains the address."""
    import duckdb

    with database.connect() as connection:
        database.load_extension(connection, "postgres_scanner", "postgres")
        try:
            # A push that waits for another one sees afterwards what that one has changed.
            options = "type postgres, isolation_level 'READ COMMITTED'"
            connection.execute(f"attach {database.literal(address.connection)} as pg ({options})")
            yield connection
        except duckdb.Error as error:
            raise KitError(f"PostgreSQL at {address.variable}: {address.reason(str(error))}") from None
