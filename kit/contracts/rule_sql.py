"""Which rows break a rule, as DuckDB SQL that selects just those Great Expectations counts."""

import re
from collections.abc import Mapping
from typing import Any

from kit.contracts.rule_query import Query
from kit.core import literal

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


def breaking(kind: str, kwargs: Mapping[str, Any]) -> Query | None:
    """Return the query for the rows that break an expectation; None when it is not about rows.

    A null breaks nothing but the rule that there be none.
    """
    if not kwargs.keys() <= _VALUES.get(kind, set()):
        return None
    if kind == "unexpected_rows_expectation":
        query = kwargs.get("unexpected_rows_query")
        known = isinstance(query, Query) and len(query.parts) > 1 and _WHOLE_ROWS.match(query.parts[0].lstrip())
        return query if known else None
    if kind.endswith("to_be_unique"):
        key = ", ".join(map(_name, kwargs["column_list"] if "column_list" in kwargs else [kwargs["column"]]))
        # A join, to which no null is equal to another.
        return Query(
            ("select * from ", f" semi join (select {key} from ", f" group by {key} having count(*) > 1) using ({key})")
        )
    column = _name(kwargs["column"])
    if kind == "expect_column_values_to_not_be_null":
        return Query.rows(f"{column} is null")
    if kind == "expect_column_values_to_be_in_set":
        return Query.rows(f"{column} not in ({', '.join(map(_value, kwargs['value_set']))})")
    value = f"length({column})" if kind == "expect_column_value_lengths_to_be_between" else column
    bounds = {"<": kwargs.get("min_value"), ">": kwargs.get("max_value")}
    outside = [f"{value} {sign} {_value(bound)}" for sign, bound in bounds.items() if bound is not None]
    return Query.rows(" or ".join(outside))


def _value(value: object) -> str:
    """A fraction is a double to Great Expectations, not a decimal as in SQL."""
    return f"{value!r}::double" if isinstance(value, float) else literal(value)


def _name(column: object) -> str:
    return '"' + str(column).replace('"', '""') + '"'
