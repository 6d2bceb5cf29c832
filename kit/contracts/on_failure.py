"""The response to the violation of a rule: block the publication, quarantine the rows or warn."""

from dataclasses import dataclass
from typing import Any

from kit.contracts.custom_properties import custom_property
from kit.core import Document, Where

BLOCK, QUARANTINE, WARN = "block", "quarantine", "warn"
_RESPONSES = (BLOCK, QUARANTINE, WARN)  # the strictest first
_SEVERITIES = {"error": BLOCK, "warning": WARN}
_PROPERTY, _LIMIT = "onFailure", "quarantineLimit"


@dataclass(frozen=True)
class OnFailure:
    """One of `block`, `quarantine` and `warn`, and its place in the contract."""

    where: Where
    response: str

    @classmethod
    def from_item(cls, document: Document, where: Where, item: dict[str, Any]) -> "OnFailure":
        """Return the response of a quality rule, or of a column for the rules its fields imply; block by default.

        Raises `InvalidFile` for an unknown response and for a `severity` that contradicts it.
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
    def strictest(responses: "list[OnFailure]") -> "OnFailure":
        """Return the strictest of several responses to the same rule."""
        return min(responses, key=lambda item: _RESPONSES.index(item.response))


def quarantine_limit(document: Document, needed: bool) -> float | None:
    """Return the highest share of a table's rows that may be set aside; `needed` if a rule of the contract quarantines.

    Raises `InvalidFile` for a limit that is missing, not needed or not between 0 and 1.
    """
    at, limit = custom_property(document, [], document.data, _LIMIT)
    form = f"customProperties: [{{property: {_LIMIT}, value: 0.01}}]"
    if needed and not at:
        problem = f"a rule sets rows aside, but there is no limit for their share; write {form}, a share between 0 and 1"
        raise document.error([], problem)
    if at and not needed:
        raise document.error(
            at, f"{_LIMIT}: no rule sets rows aside; write '{_PROPERTY}: {QUARANTINE}' at a rule, or delete the limit"
        )
    if at and (type(limit) not in (int, float) or not 0 < limit < 1):
        raise document.error(
            at, f"{_LIMIT}: {limit!r} is not a share between 0 and 1 such as 0.01, which is one row in a hundred"
        )
    return float(limit) if at else None


def quarantine_table(table: str) -> str:
    """Return the name of the table with the rows set aside from `table`."""
    return f"{table}__quarantine"
