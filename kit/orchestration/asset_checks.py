"""The checks of one data product in Dagster: their definitions and their results."""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

import dagster as dg

from kit.build import ExpectedCheck
from kit.contracts import Check
from kit.mesh import DataProduct
from kit.orchestration.asset_specs import asset_key

_LENGTH = 70
_QUERY = "unexpected rows expectation"  # its rule has no other name than its SQL
_RESULT = ": its query gives"
_COLUMNS = re.compile(r"\bcolumn\w*=(\[[^\]]*\]|[^,]+)")


class AssetChecks:
    """The checks that builds of one product are expected to make, each at one of its assets."""

    def __init__(self, product: DataProduct, expected: Sequence[ExpectedCheck], own: Iterable[dg.AssetKey]) -> None:
        self.expected = _by_place(product, expected, own)

    def specs(self) -> list[dg.AssetCheckSpec]:
        """Return the definition of each check."""
        return [_check_spec(*place, expected) for place, expected in self.expected.items()]

    def evaluations(
        self, checks: Iterable[Check], selected: Set[dg.AssetCheckKey] = frozenset()
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the results of checks, in Dagster's terms; of `selected` ones also those that were not made."""
        made = {(check.table, check.rule, check.origin): check for check in checks}
        for (key, name), expected in self.expected.items():
            check = made.get((expected.table, expected.rule, expected.origin))
            if selected and dg.AssetCheckKey(key, name) not in selected:
                continue
            if check:
                yield _evaluation(key, name, check)
            elif selected:
                text = "The published snapshot was built before this check existed; build the product to make it."
                severity = dg.AssetCheckSeverity.WARN
                yield dg.AssetCheckEvaluation(asset_key=key, check_name=name, passed=False, severity=severity, description=text)


def _by_place(
    product: DataProduct, expected: Sequence[ExpectedCheck], own: Iterable[dg.AssetKey]
) -> dict[tuple[dg.AssetKey, str], ExpectedCheck]:
    """Return the expected checks by asset and by name in Dagster, where names consist of letters, digits and _."""
    result: dict[tuple[dg.AssetKey, str], ExpectedCheck] = {}
    keys = set(own)
    for check in expected:
        key = asset_key(f"{product.name}.{check.table}")
        if key not in keys:  # a dbt test of another product's port: it is shown at the first port of this product
            key = asset_key(product.ports[0].id)
        name = short = _name(check)
        number = 1
        while (key, name) in result:
            number += 1
            name = f"{short}_{number}"
        result[key, name] = check
    return result


def _name(check: ExpectedCheck) -> str:
    """Return a short name for a check, which stays when a limit or the SQL of its rule changes."""
    text = check.rule
    if text.startswith(_QUERY):
        text = check.description.partition(". ")[0] or _QUERY
    elif check.origin == "suite":
        kind, _, arguments = text.partition(": ")
        text = " ".join((kind, *_COLUMNS.findall(arguments)))
    elif check.origin == "dbt":
        text = text.partition(" {")[0]
    parts = [word for word in re.split(r"[^a-z0-9]+", text.partition(_RESULT)[0].lower()) if word]
    while len(parts) > 1 and len("_".join(parts)) > _LENGTH:
        parts.pop()
    return "_".join(parts)[:_LENGTH] or "check"


def _check_spec(key: dg.AssetKey, name: str, expected: ExpectedCheck) -> dg.AssetCheckSpec:
    text = f"{expected.rule}\n\n{expected.description}" if expected.description else expected.rule
    return dg.AssetCheckSpec(name, asset=key, description=text, blocking=expected.severity == "error")


def _evaluation(key: dg.AssetKey, name: str, check: Check) -> dg.AssetCheckEvaluation:
    metadata: dict[str, Any] = {"rule": check.rule, "origin": check.origin}
    if check.observed:
        metadata["observed"] = check.observed
    if check.failing_rows is not None:
        metadata["failing rows"] = check.failing_rows
    if check.samples:
        columns = list(check.samples[0])
        lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(str(row.get(name)).replace("|", "\\|") for name in columns) + " |" for row in check.samples]
        metadata["rows that break it"] = dg.MetadataValue.md("\n".join(lines))
    severity = dg.AssetCheckSeverity.WARN if check.severity == "warning" else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=check.passed,
        severity=severity,
        metadata=metadata,
        description=check.note or None,
    )
