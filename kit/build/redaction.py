"""What checks say about the data without showing what its contracts hide."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from kit.contracts import ROW_COUNT, Check, Column, Contract
from kit.quality import AuditTarget, rules, schema_rule

HIDDEN = "masked"
"""What stands in the place of a value."""

_COUNT = re.compile(r"[\d,]+( of [\d,]+)? rows( break it| set aside)?")


def personal(contract: Contract) -> tuple[Column, ...]:
    """The columns whose values stay where the data is: those that are masked, and those that say something about a person."""
    return tuple(c for c in contract.columns if c.classification == "personal" or c in contract.masked_columns)


def redact(
    targets: Sequence[AuditTarget],
    clock: datetime,
    checks: Iterable[Check],
    hides: Callable[[Contract], Sequence[Column]] = attrgetter("masked_columns"),
) -> tuple[Check, ...]:
    """The checks without values of the columns that `hides` names; `targets` are all tables of the product that are audited.

    Checks are made of the real values and recorded for everybody. In a product that hides anything, only values under the
    name of a column that a contract knows and none hides are told: a query may give any name to a hidden value.
    """
    if not any(hides(target.contract) for target in targets):
        return tuple(checks)
    known = {column.name for target in targets for column in target.contract.columns}
    hidden = {column.name for target in targets for column in hides(target.contract)}
    shown = known - hidden
    telling = {(target.table, schema_rule(target.contract)) for target in targets}
    for target in targets:
        for _, rule in rules(target, clock):
            columns = rule.assertion.columns
            if rule.assertion.expectation == ROW_COUNT or (columns and shown.issuperset(columns)):
                telling.add((target.table, rule.name))
    return tuple(_discreet(check, shown, (check.table, check.rule) in telling) for check in checks)


def _discreet(check: Check, shown: set[str], tells: bool) -> Check:
    # What a unit test observes are rows that its author made up.
    mocked = check.origin == "dbt" and check.rule.startswith("unit test ")
    plain = not check.observed or tells or mocked or _COUNT.fullmatch(check.observed)
    return replace(
        check,
        observed=check.observed if plain else HIDDEN,
        samples=tuple({name: _value(name, value, shown) for name, value in row.items()} for row in check.samples),
    )


def _value(names: str, value: Any, shown: set[str]) -> Any:
    """A sample's value; `names` may be several columns."""
    return value if shown.issuperset(names.split(", ")) else HIDDEN
