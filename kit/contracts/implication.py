"""When one rule says all that another says."""

from datetime import UTC, datetime

from kit.contracts.on_failure import BLOCK, QUARANTINE, WARN
from kit.contracts.rules import Rule

QUERY = "unexpected_rows_expectation"
_STRENGTH = (WARN, QUARANTINE, BLOCK)


def subject(rule: Rule) -> tuple[str, ...]:
    """What a rule is about: rules of one subject can be held against each other.

    A query is about what its name says, since nothing else tells which one of them it was before its text changed.
    """
    if rule.type != QUERY:
        return (rule.type, *spoken(rule))
    given, colon, _ = rule.name.partition(": ")
    pattern = rule.columns and rule.name.startswith(f"{rule.columns[0]} matches ")
    return (rule.type, *rule.columns, "pattern" if pattern else given if colon else "")


def spoken(rule: Rule) -> tuple[str, ...]:
    """The columns a rule names in its own fields."""
    named = [value for key, value in sorted(rule.kwargs.items()) if key.startswith("column")]
    return tuple(str(name) for value in named for name in (value if isinstance(value, list | tuple) else [value]))


def response(rule: Rule) -> str:
    """What happens when a rule is broken: block, quarantine or warn."""
    return QUARANTINE if rule.quarantines else BLOCK if rule.severity == "error" else WARN


def says_the_same(rule: Rule, other: Rule) -> bool:
    """Whether two rules differ in nothing but their words."""
    return (rule.type, response(rule), _given(rule)) == (other.type, response(other), _given(other))


def _given(rule: Rule) -> dict[str, object]:
    return {name: value for name, value in rule.kwargs.items() if value is not None}


def implies(rule: Rule, other: Rule) -> bool | None:
    """Whether all data that keeps `rule` keeps `other`, a rule of the same subject; None when that cannot be told."""
    if _STRENGTH.index(response(rule)) < _STRENGTH.index(response(other)):
        return False
    verdicts = [_field_implies(rule, other, field) for field in {*rule.kwargs, *other.kwargs}]
    return False if False in verdicts else None if None in verdicts else True


def _field_implies(rule: Rule, other: Rule, field: str) -> bool | None:
    mine, theirs = rule.kwargs.get(field), other.kwargs.get(field)
    if mine == theirs:
        return True
    if field == "mostly":
        share, least = (1 if mine is None else mine), (1 if theirs is None else theirs)
        return share >= least if isinstance(share, int | float) and isinstance(least, int | float) else None
    if field == "value_set" and rule.type.endswith("_in_set") and isinstance(mine, list) and isinstance(theirs, list):
        narrow, wide = (theirs, mine) if "_not_be_" in rule.type else (mine, theirs)
        return all(value in wide for value in narrow)
    if field in ("min_value", "max_value") and rule.type.endswith("_to_be_between"):
        if mine is None or theirs is None:
            return theirs is None
        here, there = _ordered(mine), _ordered(theirs)
        if here is None or there is None or here[0] != there[0]:
            return None
        return here >= there if field == "min_value" else here <= there
    return None


def _ordered(bound: object) -> tuple[str, float] | None:
    """A bound as something that can be compared with its like: numbers as they are, dates as their moment."""
    if isinstance(bound, int | float):
        return "number", float(bound)
    try:
        moment = datetime.fromisoformat(str(bound))
        return "moment", (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
