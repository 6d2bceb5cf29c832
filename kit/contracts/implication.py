"""Implication: data that keeps one rule also keeps another."""

from datetime import UTC, datetime
from typing import Any

from kit.contracts.on_failure import BLOCK, QUARANTINE, WARN
from kit.contracts.rule_kinds import QUERY
from kit.contracts.rules import Rule

_STRICTNESS = (WARN, QUARANTINE, BLOCK)


def subject(rule: Rule) -> tuple[str, ...]:
    """Return the subject of a rule: only rules of the same subject can be compared.

    Of a query that is its topic or, of one that a person wrote, its label, since its text may change.
    """
    assertion = rule.assertion
    if assertion.expectation != QUERY:
        return (assertion.expectation, *assertion.columns)
    return (QUERY, *assertion.columns, assertion.topic or rule.label)


def is_same(rule: Rule, other: Rule) -> bool:
    """Return whether two rules differ in nothing but name and description."""
    if (rule.assertion.expectation, rule.response) != (other.assertion.expectation, other.response):
        return False
    return _arguments(rule) == _arguments(other)


def _arguments(rule: Rule) -> dict[str, object]:
    return {name: value for name, value in rule.assertion.kwargs.items() if value is not None}


def implies(rule: Rule, other: Rule) -> bool | None:
    """Return whether all data that keeps `rule` keeps `other`, a rule of the same subject; None if that is unknown."""
    if _STRICTNESS.index(rule.response) < _STRICTNESS.index(other.response):
        return False
    expectation, arguments, others = rule.assertion.expectation, rule.assertion.kwargs, other.assertion.kwargs
    names = {*arguments, *others}
    verdicts = [_argument_implies(expectation, name, arguments.get(name), others.get(name)) for name in names]
    return False if False in verdicts else None if None in verdicts else True


def _argument_implies(expectation: str, name: str, value: Any, other: Any) -> bool | None:
    """Return whether an expectation with one value of an argument implies the same with another value."""
    if value == other:
        return True
    if name == "mostly":
        share, least = (1 if value is None else value), (1 if other is None else other)
        return share >= least if isinstance(share, int | float) and isinstance(least, int | float) else None
    if name == "value_set" and expectation.endswith("_in_set") and isinstance(value, list) and isinstance(other, list):
        narrow, wide = (other, value) if "_not_be_" in expectation else (value, other)
        return all(item in wide for item in narrow)
    if name in ("min_value", "max_value") and expectation.endswith("_to_be_between"):
        if value is None or other is None:
            return other is None
        bound, other_bound = _comparable(value), _comparable(other)
        if bound is None or other_bound is None or bound[0] != other_bound[0]:
            return None
        return bound >= other_bound if name == "min_value" else bound <= other_bound
    return None


def _comparable(bound: object) -> tuple[str, float] | None:
    """Return a bound with its kind, a number or a moment; bounds of the same kind can be compared."""
    if isinstance(bound, int | float):
        return "number", float(bound)
    try:
        moment = datetime.fromisoformat(str(bound))
        return "moment", (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
