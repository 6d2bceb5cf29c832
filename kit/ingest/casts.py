"""SQL that casts values to a column type, exactly, and finds the values that a cast would change."""

from kit.core import database

_NUMBERS = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double", "decimal",
    "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint",
}  # fmt: skip
_FLOATS = {"float", "double"}
_TIMES = {"time", "time_ns"}
_MOMENTS = {"date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"}

# The patterns of texts. DuckDB reads more: 1_000, 0x10, an offset that it drops, a year before Christ.
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
    "timestamp with time zone": rf"{_DAY}[ T]{_TIME} ?(Z|[-+](0[0-9]|1[0-5])(:?[0-5][0-9])?)",
}
FORMS = {
    "date": "2024-01-31",
    "time": "12:30:00",
    "timestamp": "2024-01-31 12:30:00, in UTC",
    "timestamp with time zone": "2024-01-31 12:30:00+01:00",
}
"""The form of a text in types where it is not obvious."""
LIMITS = {
    "date": "a date column holds the years 1 to 9999; make it null, or text",
    "time": "a time column holds times before 24:00:00; make it null, or text",
    "timestamp": "a timestamp column holds the years 1 to 9999; make it null, or text",
    "timestamp with time zone": "a timestamp column holds the years 1 to 9999; make it null, or text",
}
"""The values that a type can hold and a column of it cannot."""


def is_castable(source: str, target: str) -> bool:
    """Whether values of the column type `source` can be of the type `target`; text can be of any type."""
    if source in (target, "varchar"):
        return True
    if source.endswith("[]") and target.endswith("[]"):
        return is_castable(source[:-2], target[:-2])
    if target == "varchar":
        return _base(source) in _NUMBERS | {"uuid", "json"}
    # A time without a zone names no moment.
    moments = source in _MOMENTS and target in _MOMENTS - {"timestamp with time zone"}
    return moments or {source, target} <= _TIMES or {_base(source), _base(target)} <= _NUMBERS


def is_number(kind: str) -> bool:
    """Whether a column type holds numbers."""
    return _base(kind) in _NUMBERS - {"boolean"}


def cast(name: str, source: str, target: str) -> str:
    """SQL for a value of the type `source`, SQL too, in the type `target`; an error stops the query where it does not fit."""
    condition = fits(name, source, target)
    value = name if source == target else f"try_cast({name} as {target})"
    # The error takes the value as its text, else DuckDB would raise it before it reads a row.
    return f"case when {name} is null or {condition} then {value} else error({name}::varchar) end" if condition else value


def fits(name: str, source: str, target: str) -> str:
    """SQL that is true where a cast loses nothing of a value and its year is from 1 to 9999; empty when it always is."""
    value = name if source == target else f"try_cast({name} as {target})"
    conditions = []
    if source == "varchar" and target != "varchar":
        conditions.append(_text_fits(name, value, target))
    elif source != target:
        # From floats to floats or decimals, the contract asks for rounded values.
        is_rounded = _base(source) in _FLOATS and _base(target) in _FLOATS | {"decimal"}
        conditions.append(f"{value} is not null" if is_rounded else f"try_cast({value} as {source}) = {name}")
    if target in _MOMENTS:
        conditions.append(f"{value} >= '0001-01-01'::{target} and {value} < '10000-01-01'::{target}")
    if target == "time":
        conditions.append(f"{value} >= '00:00:00'::time and {value} < '24:00:00'::time")
    return f"coalesce({' and '.join(conditions)}, false)" if conditions else ""


def _text_fits(name: str, value: str, target: str) -> str:
    base, text = _base(target), f"trim({name})"
    if base.endswith("[]"):
        same_text = f"replace({value}::varchar, ' ', '') = replace({name}, ' ', '')"
        return f"{value} is not null" if base == "varchar[]" else same_text
    if base not in _PATTERNS.keys() | _NUMBERS or base == "boolean":
        return f"{value} is not null"
    exact = f"{value} is not null"
    if base in _FLOATS:
        # Too large a number would be infinite, too small a one zero, and a long whole one another.
        exact = (
            f"(isfinite({value}) or not regexp_matches({text}, '[0-9]')) "
            f"and ({value} <> 0 or regexp_full_match({text}, '[-+]?[0.]+([eE].*)?')) "
            rf"and (not regexp_full_match({text}, '[-+]?[0-9]{{8,}}(\.0*)?') "
            f"or try_cast({text} as hugeint) = try_cast({value} as hugeint))"
        )
    elif base == "decimal":
        exact = f"{value} is not null and {_decimals(text)} <= {target.removesuffix(')').partition(',')[2]}"
    elif base in _NUMBERS:
        exact = f"{value} is not null and {_decimals(text)} <= 0"
    # Most values have the form in which DuckDB writes them, and that comparison costs less than a pattern.
    matches = f"regexp_full_match({text}, {database.literal(_PATTERNS.get(base, _WHOLE))})"
    return f"case when {value}::varchar = {name} then true when {matches} then {exact} else false end"


def _decimals(text: str) -> str:
    """SQL for the number of decimals that a number in a text needs, zeros at its end aside; negative for whole hundreds."""
    digits, fraction = f"replace({_part(text, '[0-9.]+')}, '.', '')", _part(text, r"\.([0-9]+)", 1)
    exponent = f"try_cast(coalesce(nullif({_part(text, '[eE](.+)', 1)}, ''), '0') as integer)"
    return f"length({fraction}) - length({digits}) + length(rtrim({digits}, '0')) - {exponent}"


def _part(text: str, pattern: str, group: int = 0) -> str:
    return f"regexp_extract({text}, {database.literal(pattern)}, {group})"


def _base(kind: str) -> str:
    return "decimal" if kind.startswith("decimal(") and kind.endswith(")") else kind
