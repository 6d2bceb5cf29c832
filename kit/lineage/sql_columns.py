"""The columns of one parsed SQL query: the origins of those in its result, and all that it uses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

TableColumns = Mapping[str, Sequence[str]]
"""Column names by table, as SQL names it: `PRODUCT.PORT`, `raw.SOURCE` or `MODEL`."""

Column = tuple[str, str]
"""A column by table and name."""


How = Literal["copy", "value", "summary"]
"""How a column is made from another one: with its very values, from each value, or from many at once, so that none is left."""

_SUMMARIES = {
    "ApproxDistinct", "Avg", "Corr", "Count", "CountIf", "CovarPop", "CovarSamp", "Is", "Kurtosis", "LogicalAnd", "LogicalOr",
    "Median", "PercentileCont", "Quantile", "Skewness", "Stddev", "StddevPop", "StddevSamp", "Sum", "Variance", "VariancePop",
}  # fmt: skip
"""Expressions that keep no single value; `min`, `max`, `any_value` and lists keep some."""
_COPIES = {"Alias", "Column", "Cast", "TryCast", "Paren", "Trim"}


@dataclass(frozen=True)
class ColumnReferences:
    """`origins` are, for each column of the result, the columns it is directly made from; `used` are all that are touched.

    `how` tells, for each column of the result and its origins in their order, how it is made from them.
    """

    origins: Mapping[str, tuple[Column, ...]]
    used: frozenset[Column]
    how: Mapping[str, tuple[How, ...]] = field(default_factory=dict)


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
        found = {name: _strongest(_origins(root, name)) for name in whole.named_selects}
        origins = {name: tuple(flows) for name, flows in found.items()}
        how = {name: tuple(flows.values()) for name, flows in found.items()}
        if _chooses_columns(tree) or whole.find(exp.TableColumn):  # a whole row by the name of its table
            return ColumnReferences(origins, frozenset(_every_column(tree, columns)), how)
        everything, unclear = _used(whole)
        named, ambiguous = _used(qualified(expand=False))
        passed_on, _ = _used(pushdown_projections(whole.copy()))
    except (SqlglotError, RecursionError):
        return None
    # A name that could belong to several tables counts for all of them.
    doubtful = {column for column in everything if column[1] in ambiguous} | {
        (table, name) for table, name in _every_column(tree, columns) if name in unclear
    }
    return ColumnReferences(origins, frozenset(named | passed_on | doubtful), how)


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


def _strongest(flows: Iterator[tuple[Column, How]]) -> dict[Column, How]:
    """Return each column once, with the way that keeps most of its values."""
    ways: dict[Column, How] = {}
    for column, how in flows:
        ways[column] = weaker(how, ways.get(column, "summary"), strongest=True)
    return ways


def weaker(one: How, other: How, *, strongest: bool = False) -> How:
    """Return the way that keeps less of the values, as of two steps in a row; with `strongest` the one that keeps more."""
    order: tuple[How, ...] = ("copy", "value", "summary")
    return (min if strongest else max)(one, other, key=order.index)


def _origins(scope: Any, name: str) -> Iterator[tuple[Column, How]]:
    """The columns of tables that one column of a query is made from."""
    from sqlglot import exp

    if scope.set_operation_scopes:
        position = scope.expression.named_selects.index(name)
        for part in scope.set_operation_scopes:
            yield from _origins(part, part.expression.named_selects[position])
        return
    item = next((item for item in scope.expression.selects if item.alias_or_name == name), None)
    for column in item.find_all(exp.Column) if item is not None else ():
        how = _how(column, item)
        for inside in (scope, *scope.subquery_scopes):
            source = inside.sources.get(column.table)
            if isinstance(source, exp.Table):
                yield (source.name, column.name), how
            elif source is not None and source is not scope:
                for origin, before in _origins(source, column.name):
                    yield origin, weaker(how, before)
            if source is not None:
                break


def _how(column: Any, item: Any) -> How:
    """Return how an expression is made from a column in it."""
    how: How = "copy"
    while column is not item.parent:
        kind = type(column).__name__
        if kind in _SUMMARIES:
            return "summary"
        how = how if kind in _COPIES else "value"
        column = column.parent
    return how
