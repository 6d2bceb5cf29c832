"""What a contract says is to happen when a rule is broken: nothing is published, the rows are set aside, or a warning."""

from dataclasses import dataclass
from typing import Any

from kit.contracts.custom_properties import custom_property
from kit.core import Document, Where

BLOCK, QUARANTINE, WARN = "block", "quarantine", "warn"
_RESPONSES = (BLOCK, QUARANTINE, WARN)  # the gravest first
_SEVERITIES = {"error": BLOCK, "warning": WARN}
_PROPERTY, _LIMIT = "onFailure", "quarantineLimit"


@dataclass(frozen=True)
class OnFailure:
    """One of `block`, `quarantine` and `warn`, and where a contract says so."""

    where: Where
    response: str

    @classmethod
    def of(cls, document: Document, where: Where, item: dict[str, Any]) -> "OnFailure":
        """What a quality rule, or a column for the rules its fields imply, says; block when it says nothing.

        Raises `InvalidFile` for a word that is not known and for a `severity` that says something else.
        """
        severity = item.get("severity")
        if severity is not None and severity not in _SEVERITIES:
            raise document.error([*where, "severity"], f"'{severity}' is not one of {', '.join(_SEVERITIES)}")
        at, response = custom_property(document, where, item, _PROPERTY)
        if not at:
            return cls(where, _SEVERITIES.get(severity or "", BLOCK))
        if response not in _RESPONSES:
            raise document.error(at, f"{_PROPERTY}: '{response}' is not one of {', '.join(_RESPONSES)}")
        if severity is not None and _SEVERITIES[severity] != response:
            problem = f"{_PROPERTY}: '{response}' contradicts 'severity: {severity}', which is {_SEVERITIES[severity]}"
            raise document.error(at, f"{problem}; keep one of them")
        return cls(at, response)

    @staticmethod
    def gravest(of: "list[OnFailure]") -> "OnFailure":
        """The one of several that speak of one rule which lets least pass."""
        return min(of, key=lambda one: _RESPONSES.index(one.response))


def quarantine_limit(document: Document, needed: bool) -> float | None:
    """The highest share of a table's rows that may be set aside; `needed` as soon as one of its rules sets any aside."""
    at, limit = custom_property(document, [], document.data, _LIMIT)
    form = f"customProperties: [{{property: {_LIMIT}, value: 0.01}}]"
    if needed and not at:
        problem = f"a rule sets rows aside, but nothing says how many may be; write {form}, a share between 0 and 1"
        raise document.error([], problem)
    if at and not needed:
        raise document.error(
            at, f"{_LIMIT}: no rule sets rows aside; give one '{_PROPERTY}: {QUARANTINE}', or delete the limit"
        )
    if at and (type(limit) not in (int, float) or not 0 < limit < 1):
        raise document.error(
            at, f"{_LIMIT}: {limit!r} is not a share between 0 and 1 such as 0.01, which is one row in a hundred"
        )
    return float(limit) if at else None


def quarantine_table(table: str) -> str:
    """The name of the table that holds the rows set aside of `table`."""
    return f"{table}__quarantine"
