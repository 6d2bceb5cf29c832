"""One SQL query taken apart: the tables it names, what its columns are made from, and all columns it uses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Tables = Mapping[str, list[str]]
"""Column names by table, as SQL knows it: `PRODUCT.PORT`, `raw.SOURCE` or `MODEL`."""

Column = tuple[str, str]
"""A column by table and name."""


@dataclass(frozen=True)
class Query:
    """`made` gives for each column of the result those it is directly made from; `used` is every column that is touched."""

    made: dict[str, tuple[Column, ...]]
    used: frozenset[Column]

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Query":
        """What `data()` gave."""
        made = {name: tuple((table, column) for table, column in origins) for name, origins in data["made"].items()}
        return cls(made, frozenset((table, column) for table, column in data["used"]))

    def data(self) -> dict[str, Any]:
        """Itself as JSON knows values."""
        return {"made": self.made, "used": sorted(self.used)}


def understand(queries: Mapping[str, str], tables: Tables) -> dict[str, Query | None]:
    """Queries by the name their result has for the others, over `tables`; None for one that cannot be understood."""
    known: dict[str, list[str]] = dict(tables)
    found: dict[str, Query | None] = {}

    def learn(name: str) -> None:
        found[name] = None  # also ends a circle
        tree = _parsed(queries[name])
        if tree is None:
            return
        for table in {table.name for table in _tables(tree)}:
            if table in queries and table not in found:
                learn(table)
        found[name] = query = _taken_apart(tree, known)
        if query is not None:
            known[name] = list(query.made)

    for name in queries:
        if name not in found:
            learn(name)
    return found


def _parsed(sql: str) -> Any:
    """The query with tables under one flat name, since own models have no schema; None when it is no single query."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return None
    if not isinstance(tree, exp.Query):
        return None
    for table in _tables(tree):
        if table.db:
            if not table.alias:  # columns go by it
                table.set("alias", exp.TableAlias(this=table.this.copy()))
            table.set("this", exp.to_identifier(f"{table.db}.{table.name}", quoted=True))
            table.set("db", None)
    for column in tree.find_all(exp.Column):
        column.set("db", None)
    return tree


def _tables(tree: Any) -> list[Any]:
    from sqlglot import exp

    return list(tree.find_all(exp.Table))


def _taken_apart(tree: Any, known: Tables) -> Query | None:
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.pushdown_projections import pushdown_projections
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema: dict[str, object] = {f'"{table}"': dict.fromkeys(columns, "varchar") for table, columns in known.items()}

    def qualified(*, expand: bool) -> Any:
        return qualify(
            tree.copy(), schema=schema, dialect="duckdb", expand_stars=expand, validate_qualify_columns=False,
            quote_identifiers=False,
        )  # fmt: skip

    try:
        whole = qualified(expand=True)
        root = build_scope(whole)
        if root is None or any(column.is_star for column in whole.selects):
            return None
        made = {name: tuple(dict.fromkeys(_origins(root, name))) for name in whole.named_selects}
        if _is_opaque(tree) or whole.find(exp.TableColumn):  # a whole row by the name of its table
            return Query(made, frozenset(_every(tree, known)))
        everything, unclear = _columns(whole)
        named, vague = _columns(qualified(expand=False))
        passed_on, _ = _columns(pushdown_projections(whole.copy()))
    except (SqlglotError, RecursionError):
        return None
    # A name that could belong to several tables counts for all of them.
    doubtful = {column for column in everything if column[1] in vague} | {
        (table, name) for table, name in _every(tree, known) if name in unclear
    }
    return Query(made, frozenset(named | passed_on | doubtful))


def _is_opaque(tree: Any) -> bool:
    """Whether columns are chosen by what only running it tells."""
    from sqlglot import exp

    natural = any(str(join.args.get("method") or "").upper() == "NATURAL" for join in tree.find_all(exp.Join))
    return natural or tree.find(exp.Columns, exp.Pivot) is not None


def _every(tree: Any, known: Tables) -> set[Column]:
    return {(table.name, column) for table in _tables(tree) for column in known.get(table.name, ())}


def _columns(tree: Any) -> tuple[set[Column], set[str]]:
    """The columns of tables a qualified query touches, and the names that nobody can place."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    found, unclear = set(), set()
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table):
                found.add((source.name, column.name))
            elif not column.table:
                unclear.add(column.name)
    return found, unclear


def _origins(scope: Any, name: str) -> Iterator[Column]:
    """The columns of tables that one column of a query is made from."""
    from sqlglot import exp

    if scope.set_operation_scopes:
        position = scope.expression.named_selects.index(name)
        for part in scope.set_operation_scopes:
            yield from _origins(part, part.expression.named_selects[position])
        return
    item = next((item for item in scope.expression.selects if item.alias_or_name == name), None)
    for column in item.find_all(exp.Column) if item is not None else ():
        for inside in (scope, *scope.subquery_scopes):
            source = inside.sources.get(column.table)
            if isinstance(source, exp.Table):
                yield source.name, column.name
            elif source is not None and source is not scope:
                yield from _origins(source, column.name)
            if source is not None:
                break
