from typing import Any

import duckdb
import pytest

from kit.contracts import rule_kinds as kinds
from kit.contracts.rule_kinds import Assertion, DbtTest
from kit.contracts.rule_query import Query
from kit.dbt.committed import macros

ROWS = "(values (1, 'a', 1.5::double), (1, 'bb', 'nan'::double), (null, 'ccc', null)) as t(n, word, share)"


@pytest.mark.parametrize(
    ("assertion", "violating"),
    [
        (kinds.not_null("n"), ["ccc"]),
        (kinds.unique("n"), ["a", "bb"]),
        (kinds.unique_together(["n", "word"]), []),
        (kinds.in_range("share", 1.5), []),
        (kinds.in_range("share", max_value=1.5), ["bb"]),
        (kinds.in_range("n"), []),
        (kinds.text_length("word", 2, 2), ["a", "ccc"]),
        (kinds.accepted_values("word", ["a", "it's"]), ["bb", "ccc"]),
        (kinds.accepted_values("share", [1.5]), ["bb"]),
        (kinds.matches("word", "[ab]+"), ["ccc"]),
        (kinds.finite(["share"]), ["bb"]),
        (kinds.returns_no_rows(Query.rows_where("n = 1")), ["a", "bb"]),
    ],
)
def test_the_rows_that_violate_an_assertion(assertion: Assertion, violating: list[str]) -> None:
    assert assertion.violations is not None
    rows = duckdb.sql(f"select word from ({assertion.violations.sql(f'(from {ROWS})')}) order by all").fetchall()
    assert [word for (word,) in rows] == violating


@pytest.mark.parametrize(
    "assertion",
    [
        kinds.row_count(1, 2),
        kinds.not_null("n", 0.5),
        kinds.query_returns(Query.from_contract("select count(*) from ${table}"), "= 0"),
        kinds.returns_no_rows(Query.from_contract("select n from ${table} group by n")),
        Assertion.from_expectation("expect_column_mean_to_be_between", {"column": "n", "min_value": 1}),
    ],
)
def test_an_assertion_that_is_not_about_single_rows(assertion: Assertion) -> None:
    assert assertion.violations is None


@pytest.mark.parametrize(
    ("expectation", "kwargs", "assertion"),
    [
        ("expect_column_values_to_not_be_null", {"column": "n"}, kinds.not_null("n")),
        ("expect_column_values_to_not_be_null", {"column": "n", "mostly": 0.5}, kinds.not_null("n", 0.5)),
        ("expect_column_values_to_be_unique", {"column": "n"}, kinds.unique("n")),
        ("expect_compound_columns_to_be_unique", {"column_list": ["n", "word"]}, kinds.unique_together(["n", "word"])),
        ("expect_column_values_to_be_between", {"column": "n", "max_value": 2}, kinds.in_range("n", max_value=2)),
        ("expect_column_value_lengths_to_be_between", {"column": "n", "min_value": 2}, kinds.text_length("n", 2)),
        ("expect_column_values_to_be_in_set", {"column": "n", "value_set": [1]}, kinds.accepted_values("n", [1])),
        ("expect_table_row_count_to_be_between", {"min_value": 1}, kinds.row_count(1)),
        (
            "unexpected_rows_expectation",
            {"unexpected_rows_query": "select * from {batch} where n = 1"},
            kinds.returns_no_rows(Query.rows_where("n = 1")),
        ),
    ],
)
def test_an_expectation_is_recognised(expectation: str, kwargs: dict[str, Any], assertion: Assertion) -> None:
    assert Assertion.from_expectation(expectation, kwargs) == assertion


@pytest.mark.parametrize(
    ("expectation", "kwargs", "columns"),
    [
        ("expect_column_values_to_be_between", {"column": "n", "strict_min": True, "min_value": 1}, ("n",)),
        ("expect_column_values_to_be_in_set", {"column": "n", "value_set": "abc"}, ("n",)),
        ("expect_column_values_to_be_unique", {}, ()),
        ("expect_compound_columns_to_be_unique", {"column_list": "n"}, ("n",)),
        ("expect_column_pair_values_to_be_equal", {"column_A": "n", "column_B": "word"}, ("n", "word")),
        ("expect_column_to_exist", {"column": "n", "column_index": 0}, ("n",)),
    ],
)
def test_an_expectation_of_no_kind_is_left_to_great_expectations(
    expectation: str, kwargs: dict[str, Any], columns: tuple[str, ...]
) -> None:
    assert Assertion.from_expectation(expectation, kwargs) == Assertion(expectation, kwargs, columns)


def test_a_query_with_more_arguments_is_still_a_query() -> None:
    kwargs = {"unexpected_rows_query": "select * from {batch}", "mostly": 0.5}
    assertion = Assertion.from_expectation("unexpected_rows_expectation", kwargs)
    assert (assertion.query, assertion.violations, assertion.test) == (Query(("select * from ", "")), None, None)


@pytest.mark.parametrize("query", ["from {x}", "from {batch!r}", "from {", 7, ["select 1"]])
def test_a_query_that_cannot_be_filled_in_is_refused(query: object) -> None:
    with pytest.raises(ValueError, match=r"must be a query on \{batch\}"):
        Assertion.from_expectation("unexpected_rows_expectation", {"unexpected_rows_query": query})


@pytest.mark.parametrize(
    ("assertion", "test"),
    [
        (kinds.not_null("n"), DbtTest("not_null", {}, "n")),
        (kinds.not_null("n", 0.9), DbtTest("mostly_not_null", {"at_least": 0.9}, "n")),
        (kinds.in_range("n", 1, 2), DbtTest("in_range", {"min": 1, "max": 2}, "n")),
        (kinds.row_count(max_value=2), DbtTest("row_count", {"max": 2})),
        (kinds.accepted_values("n", ["a", "it's"]), DbtTest("accepted_values", {"values": ["a", "it''s"]}, "n")),
        (
            kinds.accepted_values("n", [1, 2.5, "a\0b"]),
            DbtTest("accepted_values", {"values": ["1", "2.5::double", "('a' || chr(0) || 'b')"], "quote": False}, "n"),
        ),
    ],
)
def test_the_dbt_test_of_an_assertion(assertion: Assertion, test: DbtTest) -> None:
    assert assertion.test == test


def test_the_query_of_a_rule_is_wrapped_alike_in_the_macro_of_dbt() -> None:
    query = kinds.query_returns(Query(("Q",)), "= 0").kwargs["unexpected_rows_query"].parts[0]
    wrapped = query.replace("Q", "{{ contract_query(model, query) }}").replace("= 0", "{{ expected }}")
    assert f"{wrapped}\n{{% endtest %}}" in macros()
