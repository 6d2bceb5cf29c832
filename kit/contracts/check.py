"""Checks: the outcome of one rule on one table."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SAMPLES = 5


class Verdict(StrEnum):
    """The result of a check, from good to bad; a rule of severity `warning` warns."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """The outcome of one rule on one table.

    `origin` is the kind of file that holds the rule: `contract`, `suite`, `need` (a consumer's contract) or `dbt`.
    `observed` describes the violation or the measured value, `samples` are up to five violating rows, with their key.
    """

    table: str
    rule: str
    origin: str
    passed: bool
    severity: str = "error"
    observed: str = ""
    failing_rows: int | None = None
    samples: tuple[dict[str, Any], ...] = ()
    note: str = ""

    @property
    def blocks(self) -> bool:
        """Whether it blocks the publication."""
        return not self.passed and self.severity == "error"

    @property
    def verdict(self) -> Verdict:
        """`passed`, `failed`, or `warned` for a violated rule that does not block."""
        return Verdict.PASSED if self.passed else Verdict.FAILED if self.blocks else Verdict.WARNED

    def to_json(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Check":
        """Return the check that `to_json` wrote."""
        return cls(**{**data, "samples": tuple(data["samples"])})


def explain(checks: Iterable[Check]) -> str:
    """Return the failed checks as text: rule, observed value, sample rows."""
    lines = []
    for check in checks:
        if check.passed:
            continue
        mark = "failed" if check.severity == "error" else "warning"
        lines.append(f"{mark}  {check.table}: {check.rule}  ({check.origin})")
        if check.note:
            lines.append(f"        means:    {check.note}")
        if check.observed:
            lines.append(f"        observed: {check.observed}")
        lines += [f"        row:      {', '.join(f'{k}={v}' for k, v in row.items())}" for row in check.samples]
    return "\n".join(lines)


def counts(checks: Iterable[Check]) -> dict[str, int]:
    """Return the numbers of checks that passed, failed and warned."""
    result = {verdict.value: 0 for verdict in (Verdict.PASSED, Verdict.FAILED, Verdict.WARNED)}
    for check in checks:
        result[check.verdict] += 1
    return result


def merged(checks: Iterable[Check]) -> list[Check]:
    """Return each check once; of one that was made for several partitions, the worst outcome."""
    worst: dict[tuple[str, str, str], Check] = {}
    for check in checks:
        key = check.table, check.rule, check.origin
        if key not in worst or _GRAVITY.index(check.verdict) > _GRAVITY.index(worst[key].verdict):
            worst[key] = check
    return list(worst.values())


_GRAVITY = tuple(Verdict)
