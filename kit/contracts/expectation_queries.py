"""Queries in place of the expectations that Great Expectations does not run on DuckDB: regular expressions and types."""

from collections.abc import Callable, Mapping
from typing import Any

from kit.contracts import pattern
from kit.contracts.rule_query import Query
from kit.core import literal, normal_type


class BadArgument(ValueError):
    """An argument of an expectation cannot be checked; `argument` is its name."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(problem)
        self.argument = argument


def _matches(column: str, regex: str, mostly: float = 1.0) -> Query:
    return _rows(column, f"not regexp_matches({_name(column)}, {_pattern(regex)})", mostly)


def _matches_not(column: str, regex: str, mostly: float = 1.0) -> Query:
    return _rows(column, f"regexp_matches({_name(column)}, {_pattern(regex)})", mostly)


def _is_of_type(column: str, type_: str, mostly: float = 1.0) -> Query:
    return _is_in_types(column, [type_], mostly)


def _is_in_types(column: str, type_list: list[str], mostly: float = 1.0) -> Query:
    argument = "type_list" if len(type_list) > 1 else "type_"
    kinds = []
    for text in type_list:
        kind = normal_type(text) if isinstance(text, str) else None
        if kind is None:
            raise BadArgument(argument, f"{text!r} is not a column type of DuckDB; write one such as VARCHAR or BIGINT")
        kinds.append(literal(kind.upper()))
    return _rows(column, f"typeof({_name(column)}) not in ({', '.join(kinds)})", mostly)


QUERIES: Mapping[str, Callable[..., Query]] = {
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_column_values_to_be_of_type": _is_of_type,
    "expect_column_values_to_be_in_type_list": _is_in_types,
    "expect_column_type_to_be": _is_of_type,
}
"""The query for the violations of each expectation; the parameters are called as the arguments of the expectation."""


def _rows(column: str, condition: str, mostly: float) -> Query:
    """Return the query for the rows that meet a condition, or for the share of others if that is less than `mostly`."""
    if type(mostly) not in (int, float) or not 0 <= mostly <= 1:
        raise BadArgument("mostly", f"{mostly!r} is not a share from 0 to 1")
    if mostly == 1:
        return Query.rows_where(condition)
    share = f"avg(case when {condition} then 0.0 else 1.0 end)"
    known = f" where {_name(column)} is not null"
    return Query((f"select share from (select {share} as share from ", f"{known}) as measured where share < {mostly}"))


def _pattern(regex: Any) -> str:
    problem = pattern.problem(regex) if isinstance(regex, str) else "it is no text"
    if problem:
        raise BadArgument("regex", f"{regex!r} is not a regular expression that can be checked: {problem}")
    return literal(regex)


def _name(column: object) -> str:
    return '"' + str(column).replace('"', '""') + '"'
