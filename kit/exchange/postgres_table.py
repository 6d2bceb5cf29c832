"""One port as a table of PostgreSQL: columns, key, comments, roles and rows, and what of it a database refuses."""

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from kit.contracts import Contract
from kit.core import KitError, database, mappings, read_yaml
from kit.storage import Snapshot

if TYPE_CHECKING:
    import duckdb

_TYPES = {
    "boolean": "boolean", "tinyint": "smallint", "smallint": "smallint", "utinyint": "smallint", "integer": "integer",
    "usmallint": "integer", "bigint": "bigint", "uinteger": "bigint", "ubigint": "numeric(20,0)", "float": "real",
    "double": "double precision", "varchar": "text", "date": "date", "time": "time", "timestamp": "timestamp",
    "timestamp with time zone": "timestamptz", "blob": "bytea", "uuid": "uuid", "json": "json",
}  # fmt: skip
_KINDS = {"r": "table", "v": "view", "m": "materialized view", "f": "foreign table", "p": "partitioned table", "i": "index"}
_LONGEST = 63
"""Bytes of a name that PostgreSQL does not cut off."""


class Target:
    """A PostgreSQL database that a connection of DuckDB has attached as `pg`."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self.connection = connection

    def run(self, *statements: str) -> None:
        """Run statements at the server."""
        for statement in statements:
            self.connection.execute("call postgres_execute('pg', ?)", [statement])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the server."""
        return self.connection.execute("from postgres_query('pg', ?)", [query]).fetchall()

    def make_schema(self, name: str) -> None:
        """Make a schema where there is none, for which alone the user needs the right to make one."""
        if not self.rows(f"select 1 as found from pg_namespace where nspname = {database.literal(name)}"):
            self.run(f"create schema {database.identifier(name)}")

    def kind(self, name: str) -> str:
        """Return whether a name is that of a table, a view or another relation; empty without one."""
        found = self.rows(f"select relkind::text as kind from pg_class where oid = to_regclass({database.literal(name)})")
        return _KINDS.get(found[0][0], "relation") if found else ""

    def columns(self, name: str) -> dict[str, tuple[str, bool]]:
        """Return the type of each column of a table and whether it is required; none without the table."""
        found = self.rows(
            "select attname::text, format_type(atttypid, atttypmod) || repeat('[]', attndims - 1), attnotnull "
            f"from pg_attribute where attrelid = to_regclass({database.literal(name)}) and attnum > 0 and not attisdropped"
        )
        return {column: (kind, required) for column, kind, required in found}

    def dependents(self, name: str, column: str = "") -> str:
        """Return the views, keys and functions that depend on a table, or on one column of it; empty when nothing does."""
        number = f"select attnum from pg_attribute where attrelid = refobjid and attname = {database.literal(column)}"
        found = self.rows(
            "select distinct pg_describe_object(classid, objid, objsubid) as dependent from pg_depend "
            f"where refclassid = 'pg_class'::regclass and refobjid = to_regclass({database.literal(name)}) and deptype = 'n' "
            f"and {f'refobjsubid = ({number})' if column else 'true'} order by 1"
        )
        return ", ".join(str(dependent).removeprefix("rule _RETURN on ") for (dependent,) in found)

    def roles(self) -> set[str]:
        """Return the roles of the server."""
        return {role for (role,) in self.rows("select rolname::text from pg_roles")}


class PostgresTable:
    """One port of a snapshot as a table."""

    def __init__(self, snapshot: Snapshot, port: str) -> None:
        self.snapshot, self.port, self.product = snapshot, port, snapshot.product
        self.id, self.name = f"{self.product}.{port}", f"{database.identifier(self.product)}.{database.identifier(port)}"
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
        parts = [entry["files"], self.columns, self.key, sorted(self.required), self.comments, self.comment]
        self.content = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def replace(self, target: Target, *, is_known: bool) -> None:
        """Put the rows of the snapshot in place of those of the table, whose views stay.

        Raises `KitError` for a relation of this name that is not `is_known` to be of the kit, for changed columns on which
        something depends, and for names and values that PostgreSQL cannot hold.
        """
        if not self.columns:
            raise KitError(f"{self.id} has no columns for PostgreSQL; build it again with this kit")
        if too_long := [name for name in (self.port, *self.columns) if len(name.encode()) > _LONGEST]:
            raise KitError(
                f"{self.id}: '{too_long[0]}' is longer than the {_LONGEST} bytes of a name in PostgreSQL; give it a shorter one"
            )
        kind = target.kind(self.name)
        if kind and not (is_known and kind == "table"):
            raise KitError(
                f"{self.id}: the database has a {kind} of this name that the kit has not made; rename or drop it, or push to "
                "another database"
            )
        there = self._with_these_columns(target)
        # What stays as it is, is not altered: that would lock readers out until the end of the transaction.
        key = ", ".join(map(database.identifier, self.key))
        constraint, key_there = self._key_there(target)
        has_key = bool(self.key) and key_there == self.key
        if constraint and not has_key:
            target.run(f"alter table {self.name} drop constraint {database.identifier(constraint)}")
        target.run(f"delete from {self.name}")
        self._insert(target)
        for name in self.columns:
            if (name in self.required) != there.get(name, False) and name not in self.key:
                rule = f"{'set' if name in self.required else 'drop'} not null"
                target.run(f"alter table {self.name} alter column {database.identifier(name)} {rule}")
        if key and not has_key:
            target.run(f"alter table {self.name} add primary key ({key})")
        comments = {f"table {self.name}": self.comment}
        comments |= {f"column {self.name}.{database.identifier(name)}": self.comments.get(name, "") for name in self.columns}
        target.run(*(f"comment on {item} is {_text(text)}" for item, text in comments.items()))

    def grant(self, target: Target, roles: set[str], before: set[str]) -> list[str]:
        """Let exactly the roles of the contract select, of those that were granted `before`; return a line for each problem.

        `roles` are those of the server.
        """
        schema, wanted = database.identifier(self.product), self.roles & roles
        have = {
            role
            for (role,) in target.rows(
                "select rolname::text from pg_class, aclexplode(relacl) as entry join pg_roles on pg_roles.oid = grantee "
                f"where pg_class.oid = to_regclass({database.literal(self.name)}) and privilege_type = 'SELECT'"
            )
        }
        for role in sorted(wanted - have):
            target.run(f"grant usage on schema {schema} to {database.identifier(role)}")
            target.run(f"grant select on {self.name} to {database.identifier(role)}")
        lines = []
        for role in sorted(before & have - wanted):
            target.run(f"revoke select on {self.name} from {database.identifier(role)}")
            lines.append(f"{self.id}: the role {role} may select no more")
        if missing := sorted(self.roles - roles):
            lines.append(f"{self.id}: the database has no role {', '.join(missing)}, which its contract names")
        return lines

    def _with_these_columns(self, target: Target) -> dict[str, bool]:
        """Make the table, or give it these columns; return whether those that it had are required."""
        there = target.columns(self.name)
        changed = [name for name, (kind, _) in there.items() if not _same(kind, self.columns.get(name, ""))]
        if changed and not target.dependents(self.name):  # a new table has the columns in their order
            target.run(f"drop table {self.name}")
            there = {}
        if not there:
            columns = ", ".join(f"{database.identifier(name)} {kind}" for name, kind in self.columns.items())
            target.run(f"create table {self.name} ({columns})")
            return {}
        for name in changed:
            if dependents := target.dependents(self.name, name):
                now = f"is now {self.columns[name]}, was {there[name][0]}" if name in self.columns else "is no more"
                raise KitError(
                    f"{self.id}: the column '{name}' {now}, and {dependents} depends on it; the table keeps its rows until "
                    "that is dropped"
                )
            target.run(f"alter table {self.name} drop column {database.identifier(name)}")
            del there[name]
        for name, kind in self.columns.items():
            if name not in there:
                target.run(f"alter table {self.name} add column {database.identifier(name)} {kind}")
        return {name: required for name, (_, required) in there.items()}

    def _key_there(self, target: Target) -> tuple[str, tuple[str, ...]]:
        """The primary key of the table: the name of its constraint and its columns."""
        found = target.rows(
            "select conname::text, array_agg(attname::text order by array_position(conkey, attnum)) from pg_constraint "
            "join pg_attribute on attrelid = conrelid and attnum = any(conkey) "
            f"where contype = 'p' and conrelid = to_regclass({database.literal(self.name)}) group by 1"
        )
        return (found[0][0], tuple(found[0][1])) if found else ("", ())

    def _insert(self, target: Target) -> None:
        import duckdb

        names, files = ", ".join(map(database.identifier, self.columns)), self.snapshot.files(self.port)
        target.connection.execute("call pg_clear_cache()")
        try:
            target.connection.execute(f"insert into pg.{self.name} ({names}) select {names} from {database.parquet(files)}")
        except duckdb.Error as error:
            text = str(error)
            if "NULL-byte" in text:
                raise KitError(
                    f"{self.id}: the character NUL, which PostgreSQL cannot hold, is in {', '.join(self._with_nul())}; take it "
                    "out in the model"
                ) from None
            if found := re.search(r"ERROR:\s+([^\n]*)[\s\S]*^CONTEXT:\s+COPY .*, column (\w+)", text, re.MULTILINE):
                raise KitError(f"{self.id}: the column '{found[2]}': {found[1]}") from None
            if text.startswith("Invalid Input Error: "):
                raise KitError(f"{self.id}: {text.removeprefix('Invalid Input Error: ').partition(chr(10))[0]}") from None
            raise

    def _with_nul(self) -> list[str]:
        """The columns that contain the character NUL."""
        with database.connect() as connection:
            rows = database.parquet(self.snapshot.files(self.port))
            texts = [name for name, kind in self.columns.items() if kind in ("text", "json", "text[]")]
            return [
                f"'{name}'"
                for name in texts
                if connection.execute(
                    f"select 1 from {rows} where contains({database.identifier(name)}::varchar, chr(0)) limit 1"
                ).fetchone()
            ]


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
