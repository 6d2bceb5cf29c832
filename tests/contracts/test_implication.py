from dataclasses import replace
from typing import Any

import pytest

from kit.contracts.implication import implies, is_same, subject
from kit.contracts.rule_kinds import Assertion, accepted_values, in_range, matches, not_null, query_returns, row_count, unique
from kit.contracts.rule_query import Query
from kit.contracts.rules import Rule


def both(assertion: Assertion, other: Assertion) -> tuple[bool | None, bool | None]:
    """Whether the first implies the second, and the second the first."""
    rule, another = Rule("a", assertion), Rule("b", other)
    return implies(rule, another), implies(another, rule)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (in_range("x", 1, 5), in_range("x", 0, 9)),
        (in_range("x", 1, 5), in_range("x", 1, None)),
        (in_range("x", 0.5), in_range("x", 0)),
        (in_range("x", "2024-02-01"), in_range("x", "2024-01-31")),
        (in_range("x", "2024-01-01T12:00:00+01:00"), in_range("x", "2024-01-01T10:00:00")),
        (row_count(20, 100), row_count(10, 1000)),
        (accepted_values("x", ["a"]), accepted_values("x", ["b", "a"])),
        (not_null("x"), not_null("x", 0.9)),
        (not_null("x", 0.95), not_null("x", 0.9)),
    ],
)
def test_the_narrower_promise_implies_the_wider_one(narrow: Assertion, wide: Assertion) -> None:
    assert both(narrow, wide) == (True, False)


@pytest.mark.parametrize("same", [unique("x"), in_range("x", 1, 5), accepted_values("x", ["a", "b"]), matches("x", "a+")])
def test_a_rule_implies_itself(same: Assertion) -> None:
    assert both(same, same) == (True, True)


def test_ranges_that_overlap_imply_neither() -> None:
    assert both(in_range("x", 0, 5), in_range("x", 3, 9)) == (False, False)


def test_a_list_of_values_in_another_order_is_the_same() -> None:
    assert both(accepted_values("x", ["a", "b"]), accepted_values("x", ["b", "a"])) == (True, True)


def test_fewer_forbidden_values_promise_less() -> None:
    def forbidden(*values: str) -> Assertion:
        kwargs = {"column": "x", "value_set": list(values)}
        return Assertion("expect_column_values_to_not_be_in_set", kwargs, ("x",))

    assert both(forbidden("a", "b"), forbidden("a")) == (True, False)


@pytest.mark.parametrize(
    ("assertion", "other"),
    [
        (matches("x", "a+"), matches("x", "a*")),
        (in_range("x", 1), in_range("x", "2024-01-01")),
        (in_range("x", "low"), in_range("x", "lower")),
        (not_null("x", "half"), not_null("x", 0.5)),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_compared_is_unknown(assertion: Assertion, other: Assertion) -> None:
    assert both(assertion, other) == (None, None)


def test_a_promise_that_is_less_in_one_part_is_not_kept_whatever_the_others_are() -> None:
    assert both(in_range("x", 0, "much"), in_range("x", 1, "more")) == (False, None)


def test_a_weaker_response_does_not_imply_a_stricter_one() -> None:
    block = Rule("a", not_null("x"))
    quarantine, warn = replace(block, quarantines=True), replace(block, severity="warning")
    order = [block, quarantine, warn]
    assert [[implies(rule, other) for other in order] for rule in order] == [
        [True, True, True],
        [False, True, True],
        [False, False, True],
    ]


def test_rules_are_the_same_whatever_their_name_and_whatever_is_left_out() -> None:
    rule = Rule("a", in_range("x", 1, None))
    assert is_same(rule, Rule("b", in_range("x", 1), description="why"))
    assert not is_same(rule, Rule("a", in_range("x", 2)))
    assert not is_same(rule, Rule("a", in_range("x", 1), severity="warning"))
    assert not is_same(Rule("a", not_null("x")), Rule("a", unique("x")))


def query_rule(label: str, query: str) -> Rule:
    return Rule("its query gives = 0", query_returns(Query.from_contract(query), "= 0"), label=label)


def test_rules_about_the_same_columns_have_the_same_subject() -> None:
    def of(assertion: Assertion) -> Any:
        return subject(Rule("a", assertion))

    assert of(in_range("x", 1)) == of(in_range("x", 5, 6)) == ("expect_column_values_to_be_between", "x")
    assert of(in_range("x", 1)) != of(in_range("y", 1))
    assert of(matches("x", "a")) == of(matches("x", "b")) == ("unexpected_rows_expectation", "x", "pattern")


def test_the_subject_of_a_query_is_its_label() -> None:
    first = subject(query_rule("adds up", "select 1"))
    assert first == subject(query_rule("adds up", "select 2")) == ("unexpected_rows_expectation", "adds up")
    assert subject(query_rule("", "select 1")) == ("unexpected_rows_expectation", "")
