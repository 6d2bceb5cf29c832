"""Findings as a person reads them."""

from collections.abc import Iterable

from kit.contracts import Finding


def pairs(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """The product and the text of each finding."""
    return [(finding.product, str(finding)) for finding in findings]
