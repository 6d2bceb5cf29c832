"""Which rows break a rule, as DuckDB SQL that selects just those Great Expectations counts."""

import re
from collections.abc import Mapping
from typing import Any

_WHOLE_ROWS = re.compile(r"select\s+(\w+\s*\.\s*)?\*\s+from\b", re.IGNORECASE)
_VALUES = {
    "expect_column_values_to_not_be_null": {"column"},
    "expect_column_values_to_be_unique": {"column"},
    "expect_compound_columns_to_be_unique": {"column_list"},
    "expect_column_values_to_be_between": {"column", "min_value", "max_value"},
    "expect_column_value_lengths_to_be_between": {"column", "min_value", "max_value"},
    "expect_column_values_to_be_in_set": {"column", "value_set"},
    "unexpected_rows_expectation": {"unexpected_rows_query"},
}


def breaking(kind: str, kwargs: Mapping[str, Any]) -> str | None:
    """The rows that break an expectation, as a query `select * from ${table} …`; None when it does not speak of rows.

    A null breaks nothing but the rule that there be none.
    """
    if not kwargs.keys() <= _VALUES.get(kind, set()):
        return None
    if kind == "unexpected_rows_expectation":
        query = own_query(str(kwargs["unexpected_rows_query"]))
        return query if query and _WHOLE_ROWS.match(query.strip()) and "${table}" in query else None
    if kind.endswith("to_be_unique"):
        key = ", ".join(map(_name, kwargs["column_list"] if "column_list" in kwargs else [kwargs["column"]]))
        # A join, to which no null is equal to another.
        twice = f"select {key} from ${{table}} group by {key} having count(*) > 1"
        return f"select * from ${{table}} semi join ({twice}) using ({key})"
    column = _name(kwargs["column"])
    if kind == "expect_column_values_to_not_be_null":
        return f"select * from ${{table}} where {column} is null"
    if kind == "expect_column_values_to_be_in_set":
        return f"select * from ${{table}} where {column} not in ({', '.join(map(_value, kwargs['value_set']))})"
    value = f"length({column})" if kind == "expect_column_value_lengths_to_be_between" else column
    bounds = {"<": kwargs.get("min_value"), ">": kwargs.get("max_value")}
    outside = [f"{value} {sign} {_value(bound)}" for sign, bound in bounds.items() if bound is not None]
    return f"select * from ${{table}} where {' or '.join(outside)}"


def literal(value: object) -> str:
    """A number or text of a rule as SQL."""
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def _value(value: object) -> str:
    """A fraction is a double to Great Expectations, not a decimal as in SQL."""
    return f"{value!r}::double" if isinstance(value, float) else literal(value)


def own_query(query: str) -> str | None:
    """A query as a rule holds it for Great Expectations, its braces as DuckDB takes them; None for one it cannot fill in."""
    try:
        return query.replace("${table}", "{batch}").format(batch="${table}")
    except (LookupError, ValueError):
        return None


def _name(column: object) -> str:
    return '"' + str(column).replace('"', '""') + '"'
