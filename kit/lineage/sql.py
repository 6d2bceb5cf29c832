"""The reader of SQL: the tables and columns a text names, and whatever in it leads out of tables."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kit.core import ContentCache
from kit.lineage.sql_columns import ColumnReferences, TableColumns, resolve_columns
from kit.mesh import DESCRIPTOR

_MAKE_ROWS = {
    "range", "generate_series", "generateseries", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "values",
}  # fmt: skip
_LEAD_OUT = re.compile(
    r"read_?\w+|\w+_scan|glob|sniff_csv|query|query_table|getenv|current_setting|set_config|which_secret|st_read\w*|"
    r"(duckdb|pragma|sqlite|postgres|mysql|ducklake|iceberg|delta|parquet|enable|disable|force|truncate)_\w+"
)
_CHANGES = {"Create", "Insert", "Update", "Delete", "Drop", "Alter", "Merge", "TruncateTable"}
_FORM = "2"  # of cached results
_WORD = re.compile(r"[^\W\d][\w ]*")  # `GROUP BY` is one token
_NO_NAME = re.compile(r"[./\\*?\[:]")


@dataclass(frozen=True)
class SqlReferences:
    """Everything outside of itself that one SQL text refers to.

    `tables` are names as written, with dots between their parts. `faults` say what leads out of tables: files, functions
    that read or set, statements that are no query. A text that cannot be `parsed` has one fault and no tables. `columns`
    is None where they were not asked for or cannot be resolved.
    """

    tables: tuple[str, ...]
    faults: tuple[str, ...]
    parsed: bool = True
    columns: ColumnReferences | None = None


def read_sql(sql: str, *, may_change: bool = False, columns: TableColumns | None = None) -> SqlReferences:
    """Read one query; with `may_change`, several statements that may also create or change tables.

    With the `columns` of all tables it reads, the columns are resolved too.
    """
    trees, error = _parsed(sql)
    if error:
        return SqlReferences((), (error,), parsed=False)
    tables: dict[str, None] = {}
    faults: dict[str, None] = {}
    if not may_change and len(trees) != 1:
        faults[f"is {len(trees)} statements; write one query"] = None
    for tree in trees:
        _read_tree(tree, may_change, tables, faults)
    resolved = resolve_columns(trees[0], columns) if columns is not None and len(trees) == 1 else None
    return SqlReferences(tuple(tables), tuple(faults), columns=resolved)


def names_in(sql: str) -> frozenset[str]:
    """Every name in an SQL text, each part of a dotted one for itself, in small letters; words, if it cannot be parsed."""
    from sqlglot import exp

    trees, error = _parsed(sql)
    names = re.findall(r"\w+", sql) if error else [name.name for tree in trees for name in tree.find_all(exp.Identifier)]
    return frozenset(name.lower() for name in names)


@dataclass(frozen=True)
class SqlWord:
    """A keyword, or a name by its parts; `quoted` when one of them is."""

    parts: tuple[str, ...]
    quoted: bool

    def __str__(self) -> str:
        return ".".join(self.parts)


def sql_words(sql: str) -> list[SqlWord]:
    """The keywords and names of a text, which may be unfinished, in order; strings, comments and numbers are left out."""
    import sqlglot
    from sqlglot import TokenType
    from sqlglot.errors import TokenError

    words: list[SqlWord] = []
    for closing in ("", "'", '"', "$$", "*/"):
        with suppress(TokenError):
            before = None
            for token in sqlglot.tokenize(sql + closing, read="duckdb"):
                quoted = token.token_type is TokenType.IDENTIFIER
                if quoted or (token.token_type is not TokenType.STRING and _WORD.fullmatch(token.text)):
                    word = words.pop() if before == "." else SqlWord((), quoted=False)
                    words.append(SqlWord((*word.parts, token.text), word.quoted or quoted))
                    before = "word"
                else:
                    before = "." if before == "word" and token.token_type is TokenType.DOT else None
            return words
    return words


class SqlReader:
    """Reads SQL and caches the results in a file; `save` keeps those that were asked for since it was opened."""

    def __init__(self, file: Path) -> None:
        self._cache = ContentCache(file)

    def read(self, sql: str, *, may_change: bool = False, columns: TableColumns | None = None) -> SqlReferences:
        """As `read_sql`."""
        known = json.dumps(columns and {table: list(names) for table, names in columns.items()}, sort_keys=True)
        key = ContentCache.key(sql, str(may_change), known, _FORM)
        text = self._cache.lookup(key)
        if text is None:
            references = read_sql(sql, may_change=may_change, columns=columns)
            text = json.dumps(asdict(references), default=sorted)
            self._cache.put(key, text)
        return _from_json(text)

    def save(self) -> None:
        """Write the file."""
        self._cache.save()


def _from_json(text: str) -> SqlReferences:
    data = json.loads(text)
    columns = data["columns"] and ColumnReferences(
        {name: tuple((table, column) for table, column in origins) for name, origins in data["columns"]["origins"].items()},
        frozenset((table, column) for table, column in data["columns"]["used"]),
        {name: tuple(ways) for name, ways in data["columns"]["how"].items()},
    )
    return SqlReferences(tuple(data["tables"]), tuple(data["faults"]), data["parsed"], columns)


@lru_cache(maxsize=256)
def _parsed(sql: str) -> tuple[tuple[Any, ...], str]:
    """The statements of a text, which callers must not change, or the reason why it cannot be parsed."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of every statement it keeps as it is
    try:
        return tuple(tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None), ""
    except (SqlglotError, RecursionError) as error:
        first = (getattr(error, "errors", None) or [{"description": "it is too deep", "line": 1}])[0]
        reason = first["description"].partition(" but got <Token")[0].rstrip(".")
        return (), f"cannot be parsed in line {first['line']}: {reason}"


def _read_tree(tree: Any, may_change: bool, tables: dict[str, None], faults: dict[str, None]) -> None:
    """Add the tables and the faults of one statement."""
    from sqlglot import exp

    if not isinstance(tree, exp.Query | exp.Pivot) and not (may_change and type(tree).__name__ in _CHANGES):
        word = tree.sql(dialect="duckdb").split(maxsplit=1)[0].lower()
        faults[f"runs '{word}', which is no query of tables; delete it"] = None
        return
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            if (name := _function(table.this)) not in _MAKE_ROWS:
                faults[f"takes rows from {name}(), which is no table; read a table"] = None
        elif not table.db and _NO_NAME.search(table.name):
            faults[f"reads the file '{table.name}' in place of a table; declare what it holds in {DESCRIPTOR}"] = None
        elif table.db or table.name.lower() not in set(_visible_queries(table)):
            tables[".".join(filter(None, (table.catalog, table.db, table.name)))] = None
    for node in tree.find_all(exp.Func):
        name = _function(node)
        if _LEAD_OUT.fullmatch(name) and not isinstance(node.parent, exp.Table):
            faults[f"calls {name}(), which leads out of the tables; delete the call"] = None


def _function(node: Any) -> str:
    """The name of a function as SQL knows it."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return str(node.sql_name() if isinstance(node, exp.Func) else node.key).lower()


def _visible_queries(node: Any) -> Iterator[str]:
    """The names of the `with` queries a table name can mean at its place: only those written before it."""
    from sqlglot import exp

    inside = None
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        if isinstance(node, exp.With):
            for query in node.expressions:
                if query is inside and not node.args.get("recursive"):
                    break
                yield query.alias.lower()
                if query is inside:
                    break
        elif (queries := node.args.get("with_")) is not None and (inside is None or inside.parent is not queries):
            yield from (query.alias.lower() for query in queries.expressions)
        node = node.parent
