"""Check results without values of columns that contracts hide."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from kit.contracts import ROW_COUNT, Check, Column, Contract
from kit.quality import AuditTarget, rules, schema_rule

HIDDEN = "masked"
"""The text that replaces a hidden value."""

_COUNT = re.compile(r"[\d,]+( of [\d,]+)? rows( break it| set aside)?")


def personal(contract: Contract) -> tuple[Column, ...]:
    """Return the columns whose values are shown nowhere else: masked columns and columns with personal data."""
    return tuple(c for c in contract.columns if c.classification == "personal" or c in contract.masked_columns)


def redact(
    targets: Sequence[AuditTarget],
    clock: datetime,
    checks: Iterable[Check],
    hides: Callable[[Contract], Sequence[Column]] = attrgetter("masked_columns"),
) -> tuple[Check, ...]:
    """Return the checks without values of the columns that `hides` selects; `targets` are all audited tables of the product.

    Checks see the real values, and their results can be read by everybody. When a product hides any column, a result shows
    only values of columns that a contract declares and no contract hides: a query may rename a hidden column.
    """
    if not any(hides(target.contract) for target in targets):
        return tuple(checks)
    declared = {column.name for target in targets for column in target.contract.columns}
    hidden = {column.name for target in targets for column in hides(target.contract)}
    shown = declared - hidden
    public = {(target.table, schema_rule(target.contract)) for target in targets}
    for target in targets:
        for _, rule in rules(target, clock):
            columns = rule.assertion.columns
            if rule.assertion.expectation == ROW_COUNT or (columns and shown.issuperset(columns)):
                public.add((target.table, rule.name))
    return tuple(_redact_check(check, shown, (check.table, check.rule) in public) for check in checks)


def _redact_check(check: Check, shown: set[str], public: bool) -> Check:
    # A unit test observes rows that its author invented.
    mocked = check.origin == "dbt" and check.rule.startswith("unit test ")
    plain = not check.observed or public or mocked or _COUNT.fullmatch(check.observed)
    return replace(
        check,
        observed=check.observed if plain else HIDDEN,
        samples=tuple({name: _value(name, value, shown) for name, value in row.items()} for row in check.samples),
    )


def _value(names: str, value: Any, shown: set[str]) -> Any:
    """Return the value of a sample; `names` may be several columns."""
    return value if shown.issuperset(names.split(", ")) else HIDDEN
