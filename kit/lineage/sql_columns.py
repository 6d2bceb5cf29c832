"""The columns of one parsed SQL query: the origins of those in its result, and all that it uses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TableColumns = Mapping[str, Sequence[str]]
"""Column names by table, as SQL names it: `PRODUCT.PORT`, `raw.SOURCE` or `MODEL`."""

Column = tuple[str, str]
"""A column by table and name."""


@dataclass(frozen=True)
class ColumnReferences:
    """`origins` are, for each column of the result, the columns it is directly made from; `used` are all that are touched."""

    origins: Mapping[str, tuple[Column, ...]]
    used: frozenset[Column]


def resolve_columns(tree: Any, columns: TableColumns) -> ColumnReferences | None:
    """The columns of one query over tables of which all columns are known; None where they cannot be resolved."""
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.pushdown_projections import pushdown_projections
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    if not isinstance(tree, exp.Query):
        return None
    tree = _with_flat_names(tree)
    schema: dict[str, object] = {f'"{table}"': dict.fromkeys(names, "varchar") for table, names in columns.items()}

    def qualified(*, expand: bool) -> Any:
        return qualify(
            tree.copy(), schema=schema, dialect="duckdb", expand_stars=expand, validate_qualify_columns=False,
            quote_identifiers=False,
        )  # fmt: skip

    try:
        whole = qualified(expand=True)
        root = build_scope(whole)
        if root is None or any(column.is_star for query in whole.find_all(exp.Query) for column in query.selects):
            return None
        origins = {name: tuple(dict.fromkeys(_origins(root, name))) for name in whole.named_selects}
        if _chooses_columns(tree) or whole.find(exp.TableColumn):  # a whole row by the name of its table
            return ColumnReferences(origins, frozenset(_every_column(tree, columns)))
        everything, unclear = _used(whole)
        named, ambiguous = _used(qualified(expand=False))
        passed_on, _ = _used(pushdown_projections(whole.copy()))
    except (SqlglotError, RecursionError):
        return None
    # A name that could belong to several tables counts for all of them.
    doubtful = {column for column in everything if column[1] in ambiguous} | {
        (table, name) for table, name in _every_column(tree, columns) if name in unclear
    }
    return ColumnReferences(origins, frozenset(named | passed_on | doubtful))


def _with_flat_names(tree: Any) -> Any:
    """A copy in which each table has one name without a schema, since models have none."""
    from sqlglot import exp

    tree = tree.copy()
    for table in tree.find_all(exp.Table):
        if table.db:
            if not table.alias:  # columns go by it
                table.set("alias", exp.TableAlias(this=table.this.copy()))
            table.set("this", exp.to_identifier(f"{table.db}.{table.name}", quoted=True))
            table.set("db", None)
    for column in tree.find_all(exp.Column):
        column.set("db", None)
    return tree


def _chooses_columns(tree: Any) -> bool:
    """Whether the text leaves it to its run which columns are read."""
    from sqlglot import exp

    natural = any(str(join.args.get("method") or "").upper() == "NATURAL" for join in tree.find_all(exp.Join))
    return natural or tree.find(exp.Columns, exp.Pivot) is not None


def _every_column(tree: Any, columns: TableColumns) -> set[Column]:
    from sqlglot import exp

    return {(table.name, column) for table in tree.find_all(exp.Table) for column in columns.get(table.name, ())}


def _used(tree: Any) -> tuple[set[Column], set[str]]:
    """The columns of tables in a qualified query, and the names that belong to no known table."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    used, unclear = set(), set()
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table):
                used.add((source.name, column.name))
            elif not column.table:
                unclear.add(column.name)
    return used, unclear


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
