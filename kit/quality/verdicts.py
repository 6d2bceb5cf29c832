"""Results of rules that hold on: the same rule on the same rows is not judged again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kit.contracts import Check, Query, Rule
from kit.core import is_volatile, tables_read
from kit.quality.audit_target import AuditTarget
from kit.quality.quarantine import SET_ASIDE

FORMAT = 1
"""The number of the way in which rules are judged; results of another one are not taken over."""

_NOT_EVALUATED = "could not be evaluated"
_MOMENTS = {"expect_column_max_to_be_between", "expect_column_min_to_be_between"}


@dataclass(frozen=True)
class Judged:
    """A result with the digest of all that determines it and the run that judged it."""

    check: Check
    key: str
    run_id: str


@dataclass
class Verdicts:
    """The results of an earlier audit that may be taken over, and the keys of those of this one.

    `rows` has a text for each table that a rule may read, which differs whenever its rows may differ. `last` are results by
    their keys, `run_id` is the run that judges now. `context` is whatever else results depend on. After the audit `judged` has
    the key and the run of each result, by table, rule and origin.
    """

    rows: Mapping[str, str] = field(default_factory=dict)
    last: Mapping[str, Judged] = field(default_factory=dict)
    run_id: str = ""
    context: str = ""
    judged: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)

    def find(self, target: AuditTarget, origin: str, rule: Rule) -> Check | None:
        """Return the earlier result of a rule of a target, if it still holds; that of a moment is measured by its bounds."""
        key, bounds = self._key(target, origin, rule)
        place = target.table, rule.name, origin
        self.judged[place] = key, self.run_id
        found = self.last.get(key) if key else None
        if found is None or (found.check.table, found.check.rule, found.check.origin) != place:
            return None
        check = _of_others(found.check) if bounds is None else _within(found.check, bounds)
        if check is not None:
            self.judged[place] = key, found.run_id
        return check

    def _key(self, target: AuditTarget, origin: str, rule: Rule) -> tuple[str, Mapping[str, Any] | None]:
        """Return the key of a result, empty for one that never holds on, and the bounds that are no part of it."""
        assertion = rule.assertion.runnable
        queries = [value for value in assertion.kwargs.values() if isinstance(value, Query)]
        kwargs = {name: value for name, value in assertion.kwargs.items() if not isinstance(value, Query)}
        bounds = None
        if assertion.expectation in _MOMENTS and kwargs.keys() == {"column", "min_value", "max_value"} and _are_moments(kwargs):
            bounds = {name: kwargs.pop(name) for name in ("min_value", "max_value")}
        if any(part in name for name in kwargs for part in ("table", "query")) or is_volatile(repr((kwargs, queries))):
            return "", None
        read = [tables_read(query.sql('"kit_rows"')) for query in queries]
        if None in read or target.table not in self.rows:
            return "", None
        # A rule of a consumer reads nothing but the port.
        names = frozenset[str]().union(*filter(None, read)) if origin != "need" else frozenset()
        tables = sorted((name, rows) for name, rows in self.rows.items() if name == target.table or name.lower() in names)
        parts = [
            FORMAT, self.context, target.table, origin, rule.name, rule.severity, rule.description, assertion.expectation,
            kwargs, list(map(str, queries)), assertion.columns, target.contract.key, tables,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32], bounds


def read_verdicts(manifest: Mapping[str, Any]) -> dict[str, Judged]:
    """Return the results in the manifest of a snapshot by their keys, without those that may differ another time."""
    checks, verdicts = manifest.get("checks", ()), manifest.get("verdicts", ())
    return {
        key: Judged(Check.from_json(check), key, run_id)
        for check, (key, run_id) in zip(checks, verdicts, strict=False)
        if key and not check["observed"].startswith(_NOT_EVALUATED)
    }


def _are_moments(kwargs: Mapping[str, Any]) -> bool:
    try:
        return all(datetime.fromisoformat(kwargs[name]) for name in ("min_value", "max_value"))
    except (TypeError, ValueError):
        return False


def _of_others(check: Check) -> Check:
    """Return the result of the rows that were not set aside, which pass, where a warning about those that were replaced it."""
    return (
        replace(check, passed=True, observed="", failing_rows=None, samples=()) if check.observed.endswith(SET_ASIDE) else check
    )


def _within(check: Check, bounds: Mapping[str, Any]) -> Check | None:
    """Return the result for other bounds; None when the observed value is not known."""
    try:
        low, high = (datetime.fromisoformat(bounds[name]) for name in ("min_value", "max_value"))
        passed = low <= datetime.fromisoformat(check.observed) <= high
    except (TypeError, ValueError):
        return None
    return replace(check, passed=passed) if check.passed == passed else None
