"""What a SQL text reaches beyond itself: the tables it names, and whatever leads out of the tables there are."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from kit.core import ContentCache

_MAKE_ROWS = {
    "range",
    "generate_series",
    "generateseries",
    "unnest",
    "repeat",
    "repeat_row",
    "json_each",
    "json_tree",
    "values",
}
_LEAD_OUT = re.compile(
    r"read_?\w+|\w+_scan|glob|sniff_csv|query|query_table|getenv|current_setting|set_config|which_secret|st_read\w*|"
    r"(duckdb|pragma|sqlite|postgres|mysql|ducklake|iceberg|delta|parquet)_\w+"
)
_CHANGES = {"Create", "Insert", "Update", "Delete", "Drop", "Alter", "Merge", "TruncateTable"}


@dataclass(frozen=True)
class SqlReferences:
    """`tables` are names as written, with dots between their parts; `faults` say what leads out of tables, and how."""

    tables: tuple[str, ...]
    faults: tuple[str, ...]


def reach(sql: str, *, may_change: bool = False) -> SqlReferences:
    """What a query reaches; with `may_change` the text may be several statements that also create or change tables."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of every statement it keeps as it is
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect="duckdb") if tree is not None]
    except (SqlglotError, RecursionError) as error:
        said = getattr(error, "errors", None) or [{"description": "it is too deep", "line": 1}]
        return SqlReferences((), (f"cannot be understood in line {said[0]['line']}: {said[0]['description'].rstrip('.')}",))
    tables: dict[str, None] = {}
    faults: dict[str, None] = {}
    if not may_change and len(trees) != 1:
        faults[f"is {len(trees)} statements; write one query"] = None
    for tree in trees:
        if not isinstance(tree, exp.Query | exp.Pivot) and not (may_change and type(tree).__name__ in _CHANGES):
            word = tree.sql(dialect="duckdb").split(maxsplit=1)[0].lower()
            faults[f"runs '{word}', which is no query of tables; delete it"] = None
            continue
        for table in tree.find_all(exp.Table):
            if isinstance(table.this, exp.Identifier):
                if table.db or table.name.lower() not in _named_queries(table):
                    tables[".".join(filter(None, (table.catalog, table.db, table.name)))] = None
            elif (name := _function(table.this)) not in _MAKE_ROWS:
                faults[f"takes rows from {name}(), which reads what is no table; read a table"] = None
        for node in tree.find_all(exp.Func):
            name = _function(node)
            if _LEAD_OUT.fullmatch(name) and not isinstance(node.parent, exp.Table):
                faults[f"calls {name}(), which leads out of the tables; delete the call"] = None
    return SqlReferences(tuple(tables), tuple(faults))


def reaches(file: Path, texts: Sequence[tuple[str, bool]]) -> list[SqlReferences]:
    """What each text reaches, remembered in `file`; the second of each pair is `may_change`."""
    remembered = ContentCache(file)
    found = []
    for sql, may_change in texts:
        key = ContentCache.key(sql, str(may_change))
        known = remembered.lookup(key)
        if known is None:
            known = json.dumps(astuple(reach(sql, may_change=may_change)))
            remembered.put(key, known)
        tables, faults = json.loads(known)
        found.append(SqlReferences(tuple(tables), tuple(faults)))
    remembered.save()
    return found


def _function(node: Any) -> str:
    """The name of a function as SQL knows it."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return str(node.sql_name() if isinstance(node, exp.Func) else node.key).lower()


def _named_queries(table: Any) -> set[str]:
    """The names of the `with` queries a table name can mean where it stands: only what is written before it."""
    return set(_visible(table))


def _visible(node: Any) -> Iterator[str]:
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
