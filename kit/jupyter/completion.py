"""Completions at the cursor of a notebook cell: products, ports and frames, and the columns of the tables a query names."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from kit.core import SqlError
from kit.lineage import SqlWord, sql_words
from kit.notebooks import sql_cells

Tables = Mapping[str, Sequence[str]]
"""Columns by table: `PRODUCT.PORT`, or the name of a frame."""

_PORT_IN_PYTHON = re.compile(r"""\.(?:read|scan|to_duckdb|to_pandas)\(\s*["']([\w.]*)$""")
_PRODUCT = re.compile(r"\s*%mesh\s+(?:pin|refresh)\s+(\w*)$")
_FRAGMENT = re.compile(r"[\w.]*$")
_CLAUSES = {
    "select", "from", "join", "on", "using", "where", "having", "qualify", "describe", "summarize", "pivot",
    "group by", "order by", "partition by",
}  # fmt: skip
_TABLE_CLAUSES = ("from", "join", "describe", "summarize", "pivot")


def complete(before: str, cell: str, load_tables: Callable[[], Tables]) -> tuple[str, list[tuple[str, str]]] | None:
    """Return the fragment at the end of `before`, the part of a cell before the cursor, and its completions with their kind.

    None, without loading the tables, where neither SQL nor the name of a port is being typed.
    """
    line = before.rpartition("\n")[2]
    if port := _PORT_IN_PYTHON.search(line):
        return port[1], [(name, "port") for name in _matching(port[1], _ports(load_tables()))]
    if product := _PRODUCT.fullmatch(line):
        products = dict.fromkeys(name.partition(".")[0] for name in _ports(load_tables()))
        return product[1], [(name, "product") for name in products if name.startswith(product[1])]
    queries = _queries(before, cell)
    if queries is None:
        return None
    typed, query = queries
    fragment = _FRAGMENT.search(typed)
    assert fragment is not None
    return fragment[0], list(_in_sql(typed, query, fragment[0], load_tables()))


def _queries(before: str, cell: str) -> tuple[str, str] | None:
    """Return the query up to the cursor and the whole query; None outside of SQL."""
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
    qualifier, dot, last = fragment.rpartition(".")
    columns_by_name = dict(_columns_by_name(query, tables))
    if dot:
        columns = columns_by_name.get(qualifier.lower(), ())
        yield from ((name, "port") for name in tables if "." in name and name.startswith(fragment.lower()))
        yield from ((f"{qualifier}.{name}", "column") for name in columns if name.lower().startswith(last.lower()))
        return
    clauses = [clause for word in sql_words(typed) if (clause := _clause(word))]
    if clauses and clauses[-1] in _TABLE_CLAUSES:
        yield from ((name, "port" if "." in name else "frame") for name in _matching(fragment, tables))
        return
    names = dict.fromkeys(column for columns in columns_by_name.values() for column in columns)
    yield from ((name, "column") for name in names if name.lower().startswith(fragment.lower()))


def _columns_by_name(query: str, tables: Tables) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the columns of each table in a query under its full name, its last part and its alias."""
    words = [word for word in sql_words(query) if word.quoted or str(word).lower() != "as"]
    for word, following in zip_longest(words, words[1:]):
        table = str(word) if str(word) in tables else str(word).lower()
        if table in tables:
            alias = [str(following).lower()] if following and not _clause(following) else []
            for name in (table.lower(), table.rpartition(".")[2].lower(), *alias):
                yield name, tables[table]


def _clause(word: SqlWord) -> str:
    """Return the keyword of a clause in small letters; an empty text for another word."""
    text = str(word).lower()
    return text if text in _CLAUSES and not word.quoted else ""


def _ports(tables: Tables) -> list[str]:
    return [name for name in tables if "." in name]


def _matching(fragment: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin with the fragment, then those whose last part does."""
    start = fragment.lower()
    names = list(names)
    whole = [name for name in names if name.lower().startswith(start)]
    parts = [name for name in names if name.rpartition(".")[2].startswith(start)]
    return list(dict.fromkeys(whole + parts))
