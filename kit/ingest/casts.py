"""SQL that turns values into a column type, and tells which of them it would not keep exactly."""

from kit.core import database

_NUMBERS = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double", "decimal",
    "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint",
}  # fmt: skip
_FLOATS = {"float", "double"}
_MOMENTS = {"date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"}

# What a text must look like. DuckDB reads more: 1_000, 0x10, an offset that it drops, a year before Christ.
_NUMBER = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
_FLOAT = rf"{_NUMBER}|[-+]?([nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)"
# 1.0 is a whole number, as is 1e3; 1.000 may be a thousand.
_WHOLE = r"[-+]?[0-9]+(\.0{1,2})?|[-+]?[0-9]+(\.[0-9]+)?[eE][-+]?[0-9]+"
_DAY = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
_TIME = r"([01]?[0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?"
_PATTERNS = {
    "float": _FLOAT,
    "double": _FLOAT,
    "decimal": _NUMBER,
    "date": rf"{_DAY}([ T]00:00(:00(\.0+)?)?)?",
    "time": _TIME,
    "timestamp": rf"{_DAY}([ T]{_TIME} ?(Z|[-+]00(:?00)?)?)?",
    "timestamp with time zone": rf"{_DAY}[ T]{_TIME} ?(Z|[-+][0-9]{{2}}(:?[0-9]{{2}})?)",
}
FORMS = {
    "date": "2024-01-31",
    "time": "12:30:00",
    "timestamp": "2024-01-31 12:30:00, in UTC",
    "timestamp with time zone": "2024-01-31 12:30:00+01:00",
}
"""How a text must be written to be of a type, where that is not obvious."""


def turns_into(found: str, kind: str) -> bool:
    """Whether values of one column type may be taken for another at all; text may be for any."""
    if found in (kind, "varchar"):
        return True
    if found.endswith("[]") and kind.endswith("[]"):
        return turns_into(found[:-2], kind[:-2])
    if kind == "varchar":
        return _base(found) in _NUMBERS | {"uuid", "json"}
    # A time without zone is no moment before somebody says of which zone it is.
    moments = found in _MOMENTS and kind in _MOMENTS - {"timestamp with time zone"}
    return moments or {_base(found), _base(kind)} <= _NUMBERS


def turned(column: str, found: str, kind: str) -> str:
    """SQL for a column in another type; an error stops the query at a value that does not fit."""
    name = database.quoted(column)
    condition = fits(column, found, kind)
    value = name if found == kind else f"try_cast({name} as {kind})"
    # The error is about the value, else DuckDB would raise it before it has seen one.
    return f"case when {name} is null or {condition} then {value} else error({name}::varchar) end" if condition else value


def fits(column: str, found: str, kind: str) -> str:
    """SQL that is true where a value keeps all it says in another type and lies within the calendar: a year from 1 to 9999.

    Empty when every value does.
    """
    name = database.quoted(column)
    value = name if found == kind else f"try_cast({name} as {kind})"
    conditions = []
    if found == "varchar" and kind != "varchar":
        conditions.append(_text_fits(name, value, kind))
    elif found != kind:
        # Between floats and decimals rounding is what the contract asks for.
        rounded = _base(found) in _FLOATS and _base(kind) in _FLOATS | {"decimal"}
        conditions.append(f"{value} is not null" if rounded else f"try_cast({value} as {found}) = {name}")
    if kind in _MOMENTS:
        conditions.append(f"{value} >= '0001-01-01'::{kind} and {value} < '10000-01-01'::{kind}")
    if kind == "time":
        conditions.append(f"{value} < '24:00:00'::time")
    return f"coalesce({' and '.join(conditions)}, false)" if conditions else ""


def _text_fits(name: str, value: str, kind: str) -> str:
    base, text = _base(kind), f"trim({name})"
    if base.endswith("[]"):
        alike = f"replace({value}::varchar, ' ', '') = replace({name}, ' ', '')"
        return f"{value} is not null" if base == "varchar[]" else alike
    if base in _FLOATS or base not in _PATTERNS.keys() | _NUMBERS or base == "boolean":
        pattern = _PATTERNS.get(base)
        return f"{value} is not null" + (f" and regexp_full_match({text}, {database.literal(pattern)})" if pattern else "")
    exact = f"{value} is not null"
    if base == "decimal":
        exact = f"try_cast({name} as {_wide(kind)}) = {value}"
    elif base in _NUMBERS:
        exact = f"try_cast({name} as decimal(38,9)) = {value}"
    # Most values are written as DuckDB would write them, which costs less to see than a pattern.
    like = f"regexp_full_match({text}, {database.literal(_PATTERNS.get(base, _WHOLE))})"
    return f"case when {value}::varchar = {name} then true when {like} then {exact} else false end"


def _wide(kind: str) -> str:
    """A decimal that shows what another one would round off."""
    precision, scale = (int(part) for part in kind.removeprefix("decimal(").removesuffix(")").split(","))
    return f"decimal(38,{min(scale + 9, 38 - precision + scale)})"


def _base(kind: str) -> str:
    return "decimal" if kind.startswith("decimal(") and kind.endswith(")") else kind
