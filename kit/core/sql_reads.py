"""The tables that a query reads, and whether its result depends on the time, by DuckDB's own parser."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from kit.core import database

if TYPE_CHECKING:
    import duckdb

_VOLATILE = re.compile(
    r"\b(current_date|current_time|current_timestamp|current_localtime|current_localtimestamp|localtime|localtimestamp)\b|"
    r"\b(now|today|get_current_timestamp|get_current_time|transaction_timestamp|age|random|setseed|uuid|uuidv4|uuidv7|"
    r"gen_random_uuid|nextval|currval|txid_current|getvariable|current_setting)\s*\(|\b(using|table)\s*sample\b",
    re.IGNORECASE,
)
_ANY_TABLE = {"query", "query_table"}
"""Functions that read the table whose name they are given."""


def is_volatile(sql: str) -> bool:
    """Return whether SQL, or a template of it, may have another result at another time over the same tables."""
    return _VOLATILE.search(sql) is not None


@cache
def tables_read(sql: str) -> frozenset[str] | None:
    """Return the tables that a query names, in lower case and as `TABLE` or `SCHEMA.TABLE`, with its common table expressions.

    None for a query that may read any table: one that DuckDB cannot parse as a `select`, or that computes the name of a table.
    """
    with _parser().cursor() as connection:
        (text,) = connection.execute(f"select json_serialize_sql({database.literal(sql)})").fetchone() or ("{}",)
    tree = json.loads(text)
    nodes = list(_nodes(tree))
    if tree.get("error", True) or any(node.get("function_name") in _ANY_TABLE for node in nodes):
        return None
    tables = ((str(node.get("schema_name") or ""), str(node["table_name"])) for node in nodes if node.get("table_name"))
    return frozenset((table if schema in ("", "main") else f"{schema}.{table}").lower() for schema, table in tables)


@cache
def _parser() -> "duckdb.DuckDBPyConnection":
    """Return an empty database for all queries of this process: to open one takes longer than to parse a hundred."""
    return database.opened()


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(item)
