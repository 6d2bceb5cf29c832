"""The outcome of one check, and how it is told."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SAMPLES = 5


@dataclass(frozen=True)
class Check:
    """One rule held against one table.

    `origin` is where the rule stands: `contract`, `suite`, `need` (a consumer's) or `dbt`. `observed` is what was found
    instead of the rule (or the measured value), `samples` up to five rows that break it, with their key.
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
        """Whether it keeps the candidate from being published."""
        return not self.passed and self.severity == "error"

    @property
    def verdict(self) -> str:
        """`passed`, `failed` or, of a rule that stops nothing, `warned`."""
        return "passed" if self.passed else "failed" if self.blocks else "warned"

    def to_json(self) -> dict[str, Any]:
        """The check as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Check":
        """The check that `to_json` gave."""
        return cls(**{**data, "samples": tuple(data["samples"])})


def explain(checks: Iterable[Check]) -> str:
    """The failed checks as text: rule, observed value, sample rows."""
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
    """How many checks passed, failed and only warned."""
    result = {"passed": 0, "failed": 0, "warned": 0}
    for check in checks:
        result[check.verdict] += 1
    return result


def merged(checks: Iterable[Check]) -> list[Check]:
    """Each check once; one that was made for several partitions is as good as its worst outcome."""
    found: dict[tuple[str, str, str], Check] = {}
    for check in checks:
        key = check.table, check.rule, check.origin
        if key not in found or _GRAVITY.index(check.verdict) > _GRAVITY.index(found[key].verdict):
            found[key] = check
    return list(found.values())


_GRAVITY = ("passed", "warned", "failed")
