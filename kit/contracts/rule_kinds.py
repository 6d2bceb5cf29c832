"""The kinds of rules: each as a Great Expectations expectation, as SQL for the violating rows and as a generic dbt test."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.contracts.expectation_queries import QUERIES, BadArgument
from kit.contracts.foreign_keys import ForeignKey
from kit.contracts.rule_query import Query
from kit.core import literal

QUERY = "unexpected_rows_expectation"
ROW_COUNT = "expect_table_row_count_to_be_between"
QUERY_ARGUMENT = "unexpected_rows_query"
_WHOLE_ROWS = re.compile(r"select\s+(\w+\s*\.\s*)?\*\s+from\b", re.IGNORECASE)


@dataclass(frozen=True)
class DbtTest:
    """A generic dbt test, one of dbt's own or of the kit's macros; of a `column`, or of the table."""

    name: str
    arguments: Mapping[str, Any]
    column: str | None = None


@dataclass(frozen=True)
class Assertion:
    """One assertion about a table, in each form in which it is checked.

    `expectation` and `kwargs` are its type and arguments in Great Expectations, with SQL as a `Query`; `columns` those it
    names. `violations` selects the rows that violate it, None when it is not about single rows; a null violates only the
    assertion that there is none. `test` is its dbt test, None when only Great Expectations can evaluate it. `instead` is the
    query that an audit runs in place of an expectation that Great Expectations cannot run on DuckDB; `topic` says what a query
    that the kit wrote is about, so that it can be compared with that of another version of the contract.
    """

    expectation: str
    kwargs: Mapping[str, Any]
    columns: tuple[str, ...] = ()
    violations: Query | None = None
    test: DbtTest | None = None
    instead: Query | None = None
    topic: str = ""

    @classmethod
    def from_expectation(cls, expectation: str, kwargs: Mapping[str, Any]) -> "Assertion":
        """Return the assertion of an expectation; raises `BadArgument` for an argument that cannot be checked."""
        if QUERY_ARGUMENT in kwargs:
            text = kwargs[QUERY_ARGUMENT]
            query = Query.from_suite(text) if isinstance(text, str) else None
            if query is None:
                raise BadArgument(QUERY_ARGUMENT, "must be a query on {batch}, with other braces doubled: {{ }}")
            kwargs = {**kwargs, QUERY_ARGUMENT: query}
        make = QUERIES.get(expectation)
        if make and (unknown := sorted(kwargs.keys() - inspect.signature(make).parameters.keys())):
            raise BadArgument(unknown[0], "cannot be checked here; write an unexpected_rows_expectation, which has a where")
        if make and kwargs.get("type_list") == []:
            raise BadArgument("type_list", "lists no types")
        if make and _fits(make, kwargs):
            rows = make(**kwargs)
            by_row = rows if rows.parts[0] == "select * from " else None
            return cls(expectation, kwargs, columns_of(kwargs), by_row, instead=rows)
        kind = KINDS.get(expectation)
        return kind(**kwargs) if kind and _fits(kind, kwargs) else cls(expectation, kwargs, columns_of(kwargs))

    @property
    def runnable(self) -> "Assertion":
        """The assertion as an audit runs it on DuckDB."""
        return self if self.instead is None else Assertion(QUERY, {QUERY_ARGUMENT: self.instead}, self.columns)

    @property
    def query(self) -> Query | None:
        """The query that a person wrote for it."""
        return self.test.arguments.get("query") if self.test else self.kwargs.get(QUERY_ARGUMENT)


def not_null(column: str, mostly: float | None = None) -> Assertion:
    """No value of a column is null, or only a share of `1 - mostly`."""
    kwargs = {"column": column, **({} if mostly is None else {"mostly": mostly})}
    rows = Query.rows_where(f"{quoted_name(column)} is null") if mostly is None else None
    test = DbtTest("not_null", {}, column) if mostly is None else DbtTest("mostly_not_null", {"at_least": mostly}, column)
    return Assertion("expect_column_values_to_not_be_null", kwargs, (column,), rows, test)


def unique(column: str) -> Assertion:
    """No value of a column occurs twice."""
    test = DbtTest("unique", {}, column)
    return Assertion("expect_column_values_to_be_unique", {"column": column}, (column,), _duplicates([column]), test)


def unique_together(column_list: list[str]) -> Assertion:
    """No combination of values of several columns occurs twice."""
    return Assertion(
        "expect_compound_columns_to_be_unique", {"column_list": column_list}, tuple(column_list), _duplicates(column_list),
        DbtTest("unique_together", {"columns": column_list}),
    )  # fmt: skip


def in_range(column: str, min_value: Any = None, max_value: Any = None) -> Assertion:
    """Every value of a column is between two bounds, which count as inside."""
    return _between("expect_column_values_to_be_between", "in_range", "{}", column, min_value, max_value)


def text_length(column: str, min_value: Any = None, max_value: Any = None) -> Assertion:
    """Every text of a column has a number of characters between two bounds, which count as inside."""
    return _between("expect_column_value_lengths_to_be_between", "text_length", "length({})", column, min_value, max_value)


def accepted_values(column: str, value_set: list[Any]) -> Assertion:
    """Every value of a column is one of a list."""
    values = [sql_literal(value) for value in value_set]
    # dbt puts values between quotes as they are, or takes them as SQL.
    plain = all(isinstance(value, str) and "\0" not in value for value in value_set)
    arguments: dict[str, Any] = {"values": [text[1:-1] for text in values]} if plain else {"values": values, "quote": False}
    return Assertion(
        "expect_column_values_to_be_in_set", {"column": column, "value_set": value_set}, (column,),
        Query.rows_where(f"{quoted_name(column)} not in ({', '.join(values)})"), DbtTest("accepted_values", arguments, column),
    )  # fmt: skip


def matches(column: str, pattern: str) -> Assertion:
    """Every text of a column matches a regular expression somewhere: only its own anchors bind it to the ends of the text."""
    rows = Query.rows_where(f"not regexp_matches({quoted_name(column)}, {literal(pattern)})")
    return Assertion(
        QUERY, {QUERY_ARGUMENT: rows}, (column,), rows, DbtTest("matches", {"pattern": pattern}, column), topic="pattern"
    )


def satisfies(column: str, condition: str, topic: str) -> Assertion:
    """Every value of a column meets a condition in SQL."""
    return replace(returns_no_rows(Query.rows_where(f"not ({condition})")), columns=(column,), topic=topic)


def is_object(column: str) -> Assertion:
    """Every JSON value of a column is an object."""
    return satisfies(column, f"json_type({quoted_name(column)}) = 'OBJECT'", "object")


def finite(columns: list[str]) -> Assertion:
    """Columns hold numbers only: to DuckDB NaN is greater than any number, so that no minimum would catch it."""
    rows = Query.rows_where(" or ".join(f"not isfinite({quoted_name(column)})" for column in columns))
    return Assertion(QUERY, {QUERY_ARGUMENT: rows}, tuple(columns), rows, DbtTest("finite", {"columns": columns}))


def refers_to(key: ForeignKey) -> Assertion:
    """Every value of a foreign key is in the table it refers to."""
    test = DbtTest("refers_to", {"columns": list(key.columns), "to": key.table, "keys": list(key.keys)})
    return Assertion(QUERY, {QUERY_ARGUMENT: key.orphans}, key.columns, key.orphans, test)


def row_count(min_value: int | None = None, max_value: int | None = None) -> Assertion:
    """The number of rows is between two bounds, which count as inside."""
    kwargs = {"min_value": min_value, "max_value": max_value}
    return Assertion(ROW_COUNT, kwargs, test=DbtTest("row_count", _bounds(min_value, max_value)))


_OBSERVED = "if(count(*) = 1, cast(any_value(observed) as varchar), count(*) || ' rows; the query must give one value')"


def query_returns(query: Query, expected: str) -> Assertion:
    """A query returns one value, which meets `expected`, the right side of a comparison in SQL."""
    holds = f"count(*) = 1 and coalesce(any_value(observed) {expected}, false)"
    rows = query.wrapped("with rule(observed) as (\n", f"\n) select {_OBSERVED} as observed from rule having not ({holds})")
    return Assertion(QUERY, {QUERY_ARGUMENT: rows}, test=DbtTest("query_returns", {"query": query, "expected": expected}))


def returns_no_rows(unexpected_rows_query: Query) -> Assertion:
    """A query returns no rows; one that selects whole rows of the table selects those that violate the rule."""
    query = unexpected_rows_query
    rows = query if len(query.parts) > 1 and _WHOLE_ROWS.match(query.parts[0].lstrip()) else None
    return Assertion(QUERY, {QUERY_ARGUMENT: query}, violations=rows, test=DbtTest("returns_no_rows", {"query": query}))


KINDS: Mapping[str, Callable[..., Assertion]] = {
    "expect_column_values_to_not_be_null": not_null,
    "expect_column_values_to_be_unique": unique,
    "expect_compound_columns_to_be_unique": unique_together,
    "expect_column_values_to_be_between": in_range,
    "expect_column_value_lengths_to_be_between": text_length,
    "expect_column_values_to_be_in_set": accepted_values,
    ROW_COUNT: row_count,
    QUERY: returns_no_rows,
}
"""The kind of each expectation; the parameters of a kind are called as the arguments of its expectation."""


def columns_of(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that the arguments of an expectation name."""
    values = [value for key, value in sorted(kwargs.items()) if key.startswith("column")]
    names = [name for value in values for name in (value if isinstance(value, list) else [value])]
    return tuple(name for name in names if isinstance(name, str))


def _fits(kind: Callable[..., object], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a kind has the arguments of an expectation."""
    try:
        inspect.signature(kind).bind(**kwargs)
    except TypeError:
        return False
    lists = [kwargs[name] for name in ("column_list", "value_set", "type_list") if name in kwargs]
    return all(isinstance(value, list) and value for value in lists)


def _between(expectation: str, test: str, value: str, column: str, low: Any, high: Any) -> Assertion:
    measured = value.format(quoted_name(column))
    outside = [f"{measured} {sign} {sql_literal(bound)}" for sign, bound in (("<", low), (">", high)) if bound is not None]
    return Assertion(
        expectation, {"column": column, "min_value": low, "max_value": high}, (column,),
        Query.rows_where(" or ".join(outside) or "false"), DbtTest(test, _bounds(low, high), column),
    )  # fmt: skip


def _bounds(low: Any, high: Any) -> dict[str, Any]:
    return {name: bound for name, bound in (("min", low), ("max", high)) if bound is not None}


def _duplicates(columns: list[str]) -> Query:
    key = ", ".join(map(quoted_name, columns))
    # In a join no null equals another.
    return Query(("select * from ", f" semi join (select {key} from ", f" group by {key} having count(*) > 1) using ({key})"))


def sql_literal(value: object) -> str:
    """Return a value as SQL. A fraction is a double as in Great Expectations, not a decimal as in SQL."""
    return f"{value!r}::double" if isinstance(value, float) else literal(value)


def quoted_name(column: object) -> str:
    """Return the name of a column as SQL."""
    return '"' + str(column).replace('"', '""') + '"'
