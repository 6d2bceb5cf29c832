"""Column types of PostgreSQL: how each is read exactly, and the type of a contract that holds its values.

DuckDB's scanner reads a numeric without precision as a float, and NaN of one with a precision as zero. Such values, and those
of types that DuckDB lacks, are asked for as text, from which they are cast to the type of the contract, exactly; what a list
cannot hold ends the query at the server.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kit.core import database

_DIGITS = 38
_NATIVE = {
    "bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "float", "float8": "double",
    "uuid": "uuid", "bytea": "blob", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamp with time zone",
    "time": "time", "text": "varchar", "varchar": "varchar",
}  # fmt: skip
_MOMENTS = ("date", "timestamp", "timestamptz")
_CURSORS = ("int2", "int4", "int8", "numeric", *_MOMENTS)
_REFUSED = re.compile(r'invalid input syntax for type (?:integer|bigint): "kit: (?P<column>.*): (?P<problem>[^":]*)"')


@dataclass(frozen=True)
class TypeEntry:
    """A row of `pg_type`: `kind` is its typtype, `base` the type of a domain with its modifier, `element` that of an array."""

    name: str
    kind: str
    base: int
    modifier: int
    element: int

    @property
    def is_array(self) -> bool:
        """Whether its values are arrays; some types that are none have elements too, such as points."""
        return self.element != 0 and self.name.startswith("_")


@dataclass(frozen=True)
class ColumnReading:
    """How a column is read: SQL of the server for its value, and the type by which a contract holds it.

    `cursor` is the type of the server by which it can be a cursor; empty when it cannot.
    """

    expression: str
    type: str
    cursor: str = ""


def reading(name: str, oid: int, modifier: int, types: Mapping[int, TypeEntry], *, as_text: bool = False) -> ColumnReading:
    """Return how a column of a type, with its modifier, is read."""
    entry, column = types[oid], database.identifier(name)
    while entry.kind == "d":
        oid, modifier = entry.base, entry.modifier if entry.modifier != -1 else modifier
        entry = types[oid]
    is_nested = entry.is_array or entry.kind == "c"
    if as_text:
        return ColumnReading(f"to_json({column})::text" if is_nested else f"{column}::text", "json" if is_nested else "varchar")
    if entry.is_array:
        return _array(name, column, types[entry.element], modifier, types)
    if entry.kind == "c" or entry.name == "record":
        return ColumnReading(f"to_json({column})::text", "json")
    if entry.name == "numeric":
        return _numeric(name, column, modifier)
    if kind := _NATIVE.get(entry.name):
        return ColumnReading(f"{column}::{entry.name}", kind, entry.name if entry.name in _CURSORS else "")
    if entry.name == "oid":
        return ColumnReading(f"{column}::int8", "bigint")
    if entry.name == "money":  # its text depends on the locale
        return ColumnReading(f"{column}::numeric::text", "decimal(19,2)")
    if entry.name in ("json", "jsonb"):
        return ColumnReading(f"{column}::text", "json")
    return ColumnReading(f"{column}::text", "varchar")


def refusal(message: str) -> str:
    """Return the sentence for a value that ended a query of the server; empty for any other error."""
    found = _REFUSED.search(message)
    if found is None:
        return ""
    name = found["column"]
    return f"'{name}' holds {found['problem'].strip()}; correct it there, or read the column as text: as_text=['{name}']"


def modifier_of(kind: str) -> int:
    """Return the modifier of a numeric type by the type that DuckDB gives it, such as DECIMAL(10,2); -1 without one."""
    found = re.match(r"DECIMAL\((\d+),(\d+)\)", kind)
    # DuckDB shows a negative scale as a large one.
    return (int(found[1]) << 16 | int(found[2])) + 4 if found and int(found[2]) <= int(found[1]) else -1


def _numeric(name: str, column: str, modifier: int) -> ColumnReading:
    if modifier == -1:
        return ColumnReading(f"{column}::text", f"decimal({_DIGITS},9)")
    precision, scale = _precision(modifier)
    if 0 <= scale <= precision <= _DIGITS:
        kind = f"numeric({precision},{scale})"
        value = _guarded(name, f"{column} = 'NaN'", "NaN", f"{column}::text", "int::numeric", column)
        return ColumnReading(f"({value})::{kind}", f"decimal({precision},{scale})", kind)
    digits, places = (precision - scale, 0) if scale < 0 else (max(precision, scale), scale)
    return ColumnReading(f"{column}::text", f"decimal({digits},{places})" if digits <= _DIGITS else "varchar")


def _precision(modifier: int) -> tuple[int, int]:
    """The precision and the scale of a numeric type, which may be negative."""
    value = modifier - 4
    return (value >> 16) & 0xFFFF, ((value & 0x7FF) ^ 1024) - 1024


def _array(name: str, column: str, element: TypeEntry, modifier: int, types: Mapping[int, TypeEntry]) -> ColumnReading:
    """An array of a type that DuckDB reads is a list; any other one is JSON."""
    while element.kind == "d":
        modifier = element.modifier if element.modifier != -1 else modifier
        element = types[element.base]
    kind, cast = _NATIVE.get(element.name, ""), element.name
    problem, refused = "an array of several dimensions", f"array_ndims({column}) > 1"
    if element.name == "numeric" and modifier != -1:
        precision, scale = _precision(modifier)
        if 0 <= scale <= precision <= _DIGITS:
            cast, kind = f"numeric({precision},{scale})", f"decimal({precision},{scale})"
            problem, refused = f"{problem}, or NaN", f"{refused} or 'NaN' = any({column})"
    elif element.kind == "e":
        kind, cast = "varchar", "text"
    if element.name in _MOMENTS:
        problem += ", or a moment before the year 1 or after 9999"
        refused += f" or '0001-01-01' > any({column}) or '9999-12-31' < any({column}::date[])"
    if element.name == "time":
        problem, refused = f"{problem}, or a time of 24 hours", f"{refused} or '24:00' = any({column})"
    if not kind or kind == "blob":  # DuckDB's scanner returns the bytes of an array as one text
        return ColumnReading(f"to_json({column})::text", "json")
    failing = f"array[(substr({column}::text, 1, 0) || {database.literal(f'kit: {name}: {problem}')})::int]::text[]::{cast}[]"
    return ColumnReading(f"case when {refused} then {failing} else {column}::{cast}[] end", f"{kind}[]")


def _guarded(name: str, refused: str, problem: str, text: str, cast: str, value: str) -> str:
    """SQL that fails where a condition holds. The text depends on the value: a constant would fail before any row is read."""
    message = database.literal(f"kit: {name}: {problem}")
    return f"case when {refused} then (substr({text}, 1, 0) || {message})::{cast} else {value} end"
