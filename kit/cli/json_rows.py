"""The rows of a query as JSON, exactly and one after the other."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kit.core import database, to_json

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

_AT_ONCE = 1000
# Types whose values Python and JSON have. All others become texts in SQL, since Python would round and cut some of them:
# intervals, moments in nanoseconds, infinite dates.
_PLAIN = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
    "uhugeint", "float", "double", "varchar", '"null"', "sqlnull",
}  # fmt: skip


def json_rows(connection: "duckdb.DuckDBPyConnection", query: str, limit: int | None) -> Iterator[str]:
    """Yield each row as one line of JSON: an object of its columns.

    Numbers stay numbers, decimals and all that JSON has no type for are texts, blobs their bytes in hexadecimal digits,
    moments with a zone are in UTC.
    """
    connection.execute("set timezone = 'UTC'")
    relation = connection.sql(f"select * from (\n{query}\n)")
    names = relation.columns
    columns = [f"c{position}" for position in range(len(names))]
    values = [_value(kind, column) for kind, column in zip(relation.types, columns, strict=True)]
    cut = "" if limit is None else f" limit {limit}"
    select = f"select {', '.join(values)} from (\n{query}\n) as t({', '.join(columns)}){cut}"
    result = database.interruptible(connection, lambda: connection.execute(select))
    while rows := database.interruptible(connection, lambda: result.fetchmany(_AT_ONCE)):
        yield from (_line(names, row) for row in rows)


def _line(names: Sequence[str], row: Sequence[Any]) -> str:
    return to_json(dict(zip(names, row, strict=True)), indent=None).rstrip()


def _value(kind: "DuckDBPyType", value: str, depth: int = 0) -> str:
    """SQL for a value that Python turns into JSON without loss."""
    if kind.id in _PLAIN:
        return value
    if kind.id == "blob":
        return f"lower(hex({value}))"
    item = f"x{depth}"
    children: dict[str, Any] = dict(kind.children) if kind.id in ("list", "array", "map", "struct") else {}
    if kind.id in ("list", "array"):
        return f"list_transform({value}, lambda {item}: {_value(children['child'], item, depth + 1)})"
    if kind.id == "map":
        values = f"list_transform(map_values({value}), lambda {item}: {_value(children['value'], item, depth + 1)})"
        return f"map(map_keys({value})::varchar[], {values})"
    if kind.id == "struct" and all(children):
        fields = {
            name: _value(child, f"struct_extract({value}, {database.literal(name)})", depth) for name, child in children.items()
        }
        packed = ", ".join(f"{database.identifier(name)} := {field}" for name, field in fields.items())
        return f"case when {value} is not null then struct_pack({packed}) end"
    return f"{value}::varchar"
