"""The columns that a notebook makes from columns it reads, by their names and by what renames them. No code is run."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from kit.core import KitError
from kit.lineage.sql import read_sql
from kit.lineage.sql_columns import How, weaker
from kit.notebooks import code_cells

_SUMMARIES = {
    "approx_n_unique", "corr", "count", "cov", "is_not_null", "is_null", "isna", "isnull", "kurtosis", "len", "mean", "median",
    "n_unique", "notna", "null_count", "nunique", "quantile", "size", "skew", "std", "sum", "var",
}  # fmt: skip
"""Methods after which no single value is left."""


def notebook_flows(path: Path, columns: Mapping[str, Collection[str]], made: Collection[str]) -> set[tuple[str, str, str, How]]:
    """Return which columns `made` by a notebook come from which of its inputs: input, column, made column, and how.

    `columns` are those of each input. A column of the same name comes from it; further those that `rename`, `alias`, a keyword
    argument, the key of a dictionary, an assignment to `frame["name"]` or the SQL of a cell makes. A notebook that computes the
    names of columns can hide one.
    """
    flows: set[tuple[str, str, str, How]] = {
        (table, name, name, "value") for table, names in columns.items() for name in names if name in made
    }
    try:
        cells = code_cells(path)
    except KitError:
        return flows
    named = {name for names in columns.values() for name in names}
    nodes = [node for cell in cells for node in ast.walk(cell.tree)]
    pairs = {pair for node in nodes for pair in _pairs(node, named)}
    for query in (query for cell in cells for query in cell.queries):
        read = read_sql(query.query, columns={table: list(names) for table, names in columns.items()}).columns
        for name, origins in read.origins.items() if read else ():
            pairs |= {(origin, name, how) for (_, origin), how in zip(origins, read.how[name], strict=True)} if read else set()
    while renamed := {name for _, name, _ in pairs} - named - {*made}:  # and maybe once more
        named |= renamed
        again = {pair for node in nodes for pair in _pairs(node, renamed)}
        pairs |= {
            (first, last, weaker(how, then)) for first, middle, how in pairs for start, last, then in again if start == middle
        }
    return flows | {
        (table, origin, name, how)
        for origin, name, how in pairs
        if name in made
        for table, names in columns.items()
        if origin in names
    }


def _pairs(node: ast.AST, columns: Collection[str]) -> Iterator[tuple[str, str, How]]:
    """Yield which column an expression makes from which other one."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                if key.value in columns and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield key.value, value.value, "copy"  # as `rename` takes it
                yield from ((origin, key.value, how) for origin, how in _read(value, columns))
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg:
                yield from ((origin, keyword.arg, how) for origin, how in _read(keyword.value, columns))
        first = node.args[0] if node.args else None
        if isinstance(node.func, ast.Attribute) and node.func.attr == "alias" and isinstance(first, ast.Constant):
            yield from ((origin, str(first.value), how) for origin, how in _read(node.func.value, columns))
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                yield from ((origin, str(target.slice.value), how) for origin, how in _read(node.value, columns))


def _read(node: ast.AST, columns: Collection[str], *, summary: bool = False) -> Iterator[tuple[str, How]]:
    """Yield the columns that an expression names, and whether it only summarises them."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SUMMARIES:
        summary = True
    name = node.value if isinstance(node, ast.Constant) else node.attr if isinstance(node, ast.Attribute) else None
    if isinstance(name, str) and name in columns:
        yield name, "summary" if summary else "value"
    for child in ast.iter_child_nodes(node):
        yield from _read(child, columns, summary=summary)
