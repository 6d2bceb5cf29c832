"""What may stand at the cursor of a notebook cell: products, ports and frames, and the columns of those a query names."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from kit.core import SqlError
from kit.notebooks import sql_cells

Tables = Mapping[str, Sequence[str]]
"""Columns by table: `PRODUCT.PORT`, or the name of a frame."""

_IN_TEXT = re.compile(r"""\.(?:read|scan|to_duckdb|to_pandas)\(\s*["']([\w.]*)$""")
_PRODUCT = re.compile(r"\s*%mesh\s+(?:pin|refresh)\s+(\w*)$")
_FRAGMENT = re.compile(r"[\w.]*$")
_CLAUSE = re.compile(
    r"\b(select|from|join|on|using|where|having|qualify|describe|summarize|pivot|(?:group|order|partition)\s+by)\b", re.I
)
_NAME = re.compile(r"(?<![\w.])([\w.]+)(?=(?:\s+(?:as\s+)?(?!as\b)(\w+))?)", re.I)
_OF_TABLES = ("from", "join", "describe", "summarize", "pivot")


def complete(before: str, cell: str, known: Callable[[], Tables]) -> tuple[str, list[tuple[str, str]]] | None:
    """What could end the fragment at the end of `before`, the part of a cell before the cursor: names with their kind.

    None where neither SQL nor the name of a port is being typed; only elsewhere `known` is asked for what there is.
    """
    line = before.rpartition("\n")[2]
    if found := _IN_TEXT.search(line):
        return found[1], [(name, "port") for name in _matching(found[1], _ports(known()))]
    if found := _PRODUCT.fullmatch(line):
        products = dict.fromkeys(name.partition(".")[0] for name in _ports(known()))
        return found[1], [(name, "product") for name in products if name.startswith(found[1])]
    queries = _queries(before, cell)
    if queries is None:
        return None
    typed, query = queries
    fragment = _FRAGMENT.search(typed)
    assert fragment is not None
    return fragment[0], list(_in_sql(typed, query, fragment[0], known()))


def _queries(before: str, cell: str) -> tuple[str, str] | None:
    """The query up to the cursor and all of it; None outside of SQL."""
    number = before.count("\n")
    try:
        if number and sql_cells.of_cell(cell):
            return before.partition("\n")[2], cell.partition("\n")[2]
        typed = sql_cells.of_line(before.rpartition("\n")[2], 1)
        whole = sql_cells.of_line(cell.split("\n")[number], 1)
    except SqlError:
        return None
    return (typed[1].query, whole[1].query) if typed and whole else None


def _in_sql(typed: str, query: str, fragment: str, tables: Tables) -> Iterator[tuple[str, str]]:
    head, dot, last = fragment.rpartition(".")
    named = dict(_named(query, tables))
    if dot:
        yield from ((name, "port") for name in tables if "." in name and name.startswith(fragment.lower()))
        yield from ((f"{head}.{name}", "column") for name in named.get(head.lower(), ()) if name.startswith(last.lower()))
        return
    clauses = _CLAUSE.findall(typed)
    if clauses and clauses[-1].lower() in _OF_TABLES:
        yield from ((name, "port" if "." in name else "frame") for name in _matching(fragment, tables))
        return
    columns = dict.fromkeys(column for columns in named.values() for column in columns)
    yield from ((name, "column") for name in columns if name.lower().startswith(fragment.lower()))


def _named(query: str, tables: Tables) -> Iterator[tuple[str, Sequence[str]]]:
    """The columns of each table a query names, by every name it goes by there."""
    for found in _NAME.finditer(query):
        name = found[1] if found[1] in tables else found[1].lower()
        if name in tables:
            alias = [found[2].lower()] if found[2] and not _CLAUSE.fullmatch(found[2]) else []
            for known in (name.lower(), name.rpartition(".")[2].lower(), *alias):
                yield known, tables[name]


def _ports(tables: Tables) -> list[str]:
    return [name for name in tables if "." in name]


def _matching(fragment: str, names: Iterable[str]) -> list[str]:
    """Names of which all, or the port's own part, begin with what was typed; those of which all do come first."""
    start = fragment.lower()
    names = list(names)
    whole = [name for name in names if name.lower().startswith(start)]
    parts = [name for name in names if name.rpartition(".")[2].startswith(start)]
    return list(dict.fromkeys(whole + parts))
