"""Findings as a person reads them."""

from collections.abc import Iterable

from kit.contracts import Finding


def pairs(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """The product and the text of each finding."""
    return [(finding.product, str(finding)) for finding in findings]


def assert_names(error: BaseException, kind: type[BaseException], *facts: str) -> None:
    """The error is of this class, not of another one, and its text is one line that names all facts."""
    assert type(error) is kind
    text = str(error)
    assert [fact for fact in facts if fact not in text] == []
    assert "\n" not in text
