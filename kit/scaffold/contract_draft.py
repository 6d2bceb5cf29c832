"""A draft of a contract, derived from the rows of Parquet files, for a person to check, correct and describe."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.contracts import CLASSIFICATIONS, TODO, is_signed
from kit.core import IDENTIFIER, KNOWN_TYPES, KitError, counted, database, normal_type, yaml_writer
from kit.scaffold.key_draft import Candidate, key

if TYPE_CHECKING:
    import duckdb

_MOST_VALUES, _LONGEST_VALUE = 20, 100
_LOGICAL = {
    "boolean": "boolean", "float": "number", "double": "number", "decimal": "number", "date": "date", "time": "time",
    "timestamp": "timestamp", "timestamp with time zone": "timestamp",
}  # fmt: skip
_INTEGER = re.compile(r"u?(tiny|small|big)?int(eger)?")
_YEAR = re.compile(r"(\d{4})-\d\d-\d\d( [0-9:.]+)?")
_LARGEST = Decimal(10) ** 15  # beyond it numbers are identifiers, or not exact


@dataclass(frozen=True)
class _Profile:
    """Facts about the values of one column: the numbers of values and of distinct ones, the smallest and the largest.

    `minimum` and `maximum` are texts, of a text column those of its lengths; None without values.
    """

    name: str
    type: str
    values: int
    distinct: int
    minimum: str | None
    maximum: str | None


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of a column beside its rows: its meaning, and rules as fields and `quality` items of a contract."""

    description: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    quality: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class TableFacts:
    """What is known of a table beside its rows. `key` is empty when only the rows can show it."""

    description: str = ""
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    key: tuple[str, ...] = ()


_NOTHING = TableFacts()


def draft(
    files: Sequence[Path],
    id: str,  # noqa: A002
    status: str = "draft",
    facts: TableFacts = _NOTHING,
    hidden: Collection[str] = (),
) -> str:
    """Return a contract in YAML that the rows of Parquet files fulfil; the last part of `id` is the table's name.

    It promises what follows from the kind of each column: types, required columns (those without nulls), a key, no negative
    numbers. What these rows only happen to have is proposed in comments: bounds rounded outwards, small sets of values,
    lengths, a number of rows. `facts` are promised too, whether the rows fulfil them or not. Every other description and
    every classification begins with `TODO`. Values of the columns `hidden` are written nowhere. Raises `KitError` for files
    that are no Parquet, and for columns whose name or type no contract can have.
    """
    import duckdb

    with database.connect() as connection:
        try:
            database.add_views(connection, {"data": files})
            types = _column_types(connection, id)
            rows, columns = _profile(connection, types)
            names = facts.key or key(connection, id.rpartition(".")[2], rows, _candidates(rows, columns), columns[0].name)
            contract = _contract(connection, id, status, rows, columns, names, facts, hidden)
        except duckdb.Error as error:
            raise KitError(f"'{id}': the files cannot be read as Parquet: {error}") from None
    return "\n".join(yaml_writer.block(contract)) + "\n"


def _column_types(connection: "duckdb.DuckDBPyConnection", id: str) -> dict[str, str]:  # noqa: A002
    types = database.column_types(connection, "data")
    if problem := next(unfit_columns(types), None):
        raise KitError(f"'{id}': {problem}")
    return types


def unfit_columns(types: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of columns that no contract can have, by their names and types."""
    for name, kind in types.items():
        if not IDENTIFIER.fullmatch(name):
            yield f"the column '{name}' cannot be promised; rename it with a-z, 0-9 and _, a letter first, at most 63"
        if normal_type(kind) is None:
            allowed = ", ".join(sorted(KNOWN_TYPES))
            yield (
                f"the column '{name}' is {kind}, which no contract can promise; "
                f"cast it to one of {allowed}, decimal(p,s), or one of these followed by []"
            )


def _profile(connection: "duckdb.DuckDBPyConnection", types: dict[str, str]) -> tuple[int, list[_Profile]]:
    """The number of rows and the profile of each column, in one pass over the data."""
    selected = ["count(*)"]
    for name, kind in types.items():
        column = database.quoted(name)
        # Bounds are compared as doubles, and to a double the text of a float is another number.
        measured = {"double": f"case when isfinite({column}) then {column}::double end"}.get(_family(kind), column)
        if kind == "varchar":
            measured = f"length({column})"
        bounds = [f"min({measured})::varchar", f"max({measured})::varchar"] if _is_bounded(kind) else ["null", "null"]
        distinct = f"count(distinct {column})" if not kind.endswith("[]") else "0"
        selected += [f"count({column})", distinct, *bounds]
    rows, *facts = connection.execute(f"select {', '.join(selected)} from data").fetchone() or (0,)
    return rows, [_Profile(name, kind, *facts[4 * i : 4 * i + 4]) for i, (name, kind) in enumerate(types.items())]


def _family(kind: str) -> str:
    """The family of a type: types with the same kind of proposals."""
    if _INTEGER.fullmatch(kind):
        return "integer"
    if kind in ("float", "double"):
        return "double"
    return "decimal" if kind.startswith("decimal(") and not kind.endswith("[]") else kind


def _is_bounded(kind: str) -> bool:
    return _family(kind) in ("integer", "double", "decimal", "date", "timestamp", "varchar")


def _candidates(rows: int, columns: Sequence[_Profile]) -> list[Candidate]:
    """The columns that may be in a key: those without nulls."""
    return [
        Candidate(column.name, _family(column.type), column.distinct, column.minimum, column.maximum)
        for column in columns
        if column.values == rows
    ]


def _contract(
    connection: "duckdb.DuckDBPyConnection",
    id: str,  # noqa: A002
    status: str,
    rows: int,
    columns: Sequence[_Profile],
    names: tuple[str, ...],
    facts: TableFacts,
    hidden: Collection[str],
) -> dict[str, Any]:
    name = id.rpartition(".")[2]
    grain = "One row per …" if names else "One row per …; which columns identify it? Write primaryKey: true at them"
    table: dict[str, Any] = {"name": name, "physicalType": "table", "description": facts.description or f"{TODO}{grain}"}
    unique = [column.name for column in columns if rows and column.distinct == rows]
    if unique and not names:
        table["key"] = yaml_writer.Comment(f"No value is there twice in {' and in '.join(unique)}, which may be chance.")
    nothing = ColumnFacts()
    known = {column.name: facts.columns.get(column.name, nothing) for column in columns}
    table["properties"] = [
        _property(connection, rows, column, names, known[column.name], is_hidden=column.name in hidden) for column in columns
    ]
    if rows:
        low, high = int(_outward(Decimal(rows) / 2, up=False)), int(_outward(Decimal(rows) * 2, up=True))
        volume = {"metric": "rowCount", "mustBeBetween": [low, high]}
        table |= _proposal(f"{rows:,} rows. To bound their number", "quality", [volume])
    # Foreign keys came with 3.2.
    api = "v3.2.0" if any("relationships" in item.fields for item in known.values()) else "v3.1.0"
    head = {"apiVersion": api, "kind": "DataContract", "id": id, "version": "1.0.0", "status": status}
    daily = {"property": "frequency", "value": 1, "unit": "d", "description": f"{TODO}how often it is published"}
    oldest = f"{TODO}how old its last delivery may be; with element: {name}.COLUMN the newest date there"
    latency = {"property": "latency", "value": 2, "unit": "d", "description": oldest}
    return {**head, "schema": [table], "slaProperties": [daily, latency]}


def _property(
    connection: "duckdb.DuckDBPyConnection", rows: int, column: _Profile, names: tuple[str, ...], known: ColumnFacts,
    *, is_hidden: bool,
) -> dict[str, Any]:  # fmt: skip
    kind = column.type
    entry: dict[str, Any] = {
        "name": column.name,
        "logicalType": "array" if kind.endswith("[]") else _LOGICAL.get(_family(kind), _plain_type(kind)),
        "physicalType": kind,
        "description": known.description or f"{TODO}what it means, in which unit",
        "required": bool(rows) and column.values == rows,
        "classification": f"{TODO}{', '.join(CLASSIFICATIONS)}?",
    }
    if column.name in names:
        entry |= {"primaryKey": True, "primaryKeyPosition": names.index(column.name) + 1}
    entry |= known.fields
    options = dict(_options(column))
    if _is_never_negative(column):
        entry["logicalTypeOptions"] = {"minimum": 0}
    if is_hidden:
        quality = [item for item in known.quality if item.get("metric") != "invalidValues"]
        entry |= {"quality": quality} if quality else {}
        entry |= {"seen": yaml_writer.Comment("Nothing is proposed from its values: a contract of the mesh hides this column.")}
        return entry
    values = _values(connection, column)
    if known.quality:
        entry["quality"] = list(known.quality)
    elif values:
        rule = {"metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0}
        entry |= _proposal(f"{counted(len(values), 'value')}. To allow no others", "quality", [rule])
    elif options and column.name not in names:
        unit = " characters" if _family(kind) == "varchar" else ""
        place = ", in place of the line above" if "logicalTypeOptions" in entry else ""
        seen = f"{column.minimum} to {column.maximum}{unit}. To bound them{place}"
        entry |= _proposal(seen, "logicalTypeOptions", options)
    return entry


def _proposal(seen: str, field: str, value: Any) -> dict[str, Any]:
    """The comments that propose a promise, which a person makes by removing the mark before its field."""
    return {
        "seen": yaml_writer.Comment(f"Seen: {seen}:"),
        "proposal": yaml_writer.Comment(f"{field}: {yaml_writer.inline(value)}"),
    }


def _is_never_negative(column: _Profile) -> bool:
    """Whether the sign follows from the kind of a column: a number that is not below zero and whose name allows no sign."""
    is_number = _family(column.type) in ("integer", "double", "decimal")
    return is_number and column.minimum is not None and Decimal(column.minimum) >= 0 and not is_signed(column.name)


def _plain_type(kind: str) -> str:
    return "integer" if _family(kind) == "integer" else "string"


def _values(connection: "duckdb.DuckDBPyConnection", column: _Profile) -> list[str]:
    """The distinct values of a text column with few of them, each on average ten times; empty for any other column."""
    has_few = 0 < column.distinct <= min(_MOST_VALUES, column.values // 10)
    if column.type != "varchar" or not has_few or int(column.maximum or 0) > _LONGEST_VALUE:
        return []
    name = database.quoted(column.name)
    rows = connection.execute(f"select distinct {name} from data where {name} is not null order by 1").fetchall()
    return [value for (value,) in rows]


def _options(column: _Profile) -> Iterator[tuple[str, Any]]:
    """The bounds of the values, rounded outwards: numbers to one digit, dates to whole years, lengths of text."""
    if column.minimum is None or column.maximum is None:
        return
    family = _family(column.type)
    if family in ("date", "timestamp"):
        first, last = _YEAR.fullmatch(column.minimum), _YEAR.fullmatch(column.maximum)
        midnight = " 00:00:00" if family == "timestamp" else ""
        if first and int(first[1]) > 0:
            yield "minimum", f"{first[1]}-01-01{midnight}"
        if last and int(last[1]) < 9999:
            yield "maximum", f"{int(last[1]) + 1:04}-01-01{midnight}" if midnight else f"{last[1]}-12-31"
        return
    minimum, maximum = Decimal(column.minimum), Decimal(column.maximum)
    if family == "varchar":
        yield from {"minLength": 1}.items() if minimum else ()
        yield "maxLength", max(int(_outward(maximum, up=True)), 1)
    elif max(abs(minimum), abs(maximum)) < _LARGEST:
        yield "minimum", _number(_outward(minimum, up=False))
        yield "maximum", _number(_outward(maximum, up=True))


def _outward(value: Decimal, *, up: bool) -> Decimal:
    """The value rounded to its first digit, at most six decimals, away from the values between the bounds."""
    step = Decimal(1).scaleb(max(value.adjusted(), -6)) if value else Decimal(1)
    return value.quantize(step, rounding=ROUND_CEILING if up else ROUND_FLOOR)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
