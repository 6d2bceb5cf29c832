from typing import Any

import duckdb
import pytest

from kit.contracts.expectation_queries import BadArgument
from kit.contracts.rule_kinds import Assertion

TABLE = "(select unnest(['a-1', 'b', null]) as code, 1::bigint as id)"


def broken(kind: str, **kwargs: Any) -> list[Any]:
    query = Assertion.from_expectation(kind, kwargs).instead
    assert query
    return [row[0] for row in duckdb.sql(query.sql(TABLE)).fetchall()]


def test_a_regular_expression_is_searched_in_each_text() -> None:
    assert broken("expect_column_values_to_match_regex", column="code", regex="-[0-9]") == ["b"]
    assert broken("expect_column_values_to_not_match_regex", column="code", regex="-[0-9]") == ["a-1"]


def test_a_share_of_the_texts_may_be_enough() -> None:
    assert broken("expect_column_values_to_match_regex", column="code", regex="-[0-9]", mostly=0.5) == []
    assert broken("expect_column_values_to_match_regex", column="code", regex="-[0-9]", mostly=0.6) == [0.5]


def test_a_type_goes_by_any_of_its_names() -> None:
    assert broken("expect_column_values_to_be_of_type", column="code", type_="VARCHAR") == []
    assert broken("expect_column_type_to_be", column="code", type_="text") == []
    assert broken("expect_column_values_to_be_in_type_list", column="id", type_list=["int8", "date"]) == []
    assert broken("expect_column_values_to_be_of_type", column="code", type_="BIGINT") == ["a-1", "b", None]


def test_rows_are_set_aside_by_single_values_only() -> None:
    by_row = Assertion.from_expectation("expect_column_values_to_match_regex", {"column": "code", "regex": "a"})
    assert by_row.violations == by_row.instead
    share = Assertion.from_expectation("expect_column_values_to_match_regex", {"column": "code", "regex": "a", "mostly": 0.5})
    assert share.violations is None


@pytest.mark.parametrize(
    ("kind", "kwargs", "argument", "problem"),
    [
        ("expect_column_values_to_match_regex", {"column": "code", "regex": "(?!a)"}, "regex",
         "'(?!a)' is not a regular expression that can be checked: '(?!' at position 1 is a group that RE2 does not have; a "
         "lookahead cannot be checked"),
        ("expect_column_values_to_match_regex", {"column": "code", "regex": {"$PARAMETER": "x"}}, "regex",
         "{'$PARAMETER': 'x'} is not a regular expression that can be checked: it is no text"),
        ("expect_column_values_to_match_regex", {"column": "code", "regex": "a", "mostly": 95}, "mostly",
         "95 is not a share from 0 to 1"),
        ("expect_column_values_to_be_of_type", {"column": "code", "type_": "object"}, "type_",
         "'object' is not a column type of DuckDB; write one such as VARCHAR or BIGINT"),
    ],
)  # fmt: skip
def test_an_argument_that_cannot_be_checked_is_named(kind: str, kwargs: Any, argument: str, problem: str) -> None:
    with pytest.raises(BadArgument) as caught:
        Assertion.from_expectation(kind, kwargs)
    assert (caught.value.argument, str(caught.value)) == (argument, problem)
