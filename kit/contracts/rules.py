"""Quality rules: the assertions of a contract about its data, and the response to a violation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kit.contracts import rule_kinds as kinds
from kit.contracts.column_rules import implied
from kit.contracts.foreign_keys import ForeignKey, foreign_keys
from kit.contracts.on_failure import BLOCK, QUARANTINE, WARN, OnFailure
from kit.contracts.quality_rules import QualityReader
from kit.contracts.rule_kinds import Assertion
from kit.core import Document, Where, normal_type


@dataclass(frozen=True)
class Rule:
    """One rule about a table: what it asserts, under a name that people read, which begins with its `label` in the contract.

    Rows that violate a rule that `quarantines` are set aside before the audit, which still checks the rule.
    """

    name: str
    assertion: Assertion
    severity: str = "error"
    description: str = ""
    quarantines: bool = False
    foreign_key: ForeignKey | None = None
    label: str = ""

    @property
    def response(self) -> str:
        """The response to a violation: block, quarantine or warn."""
        return QUARANTINE if self.quarantines else BLOCK if self.severity == "error" else WARN


class RuleReader:
    """Reads the rules of one contract; raises `InvalidFile` for a rule that cannot be checked."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.quality = QualityReader(document)

    def rules(self, table: dict[str, Any], properties: list[dict[str, Any]], key: tuple[str, ...]) -> Iterator[Rule]:
        """Yield the rules of a table: those that its columns, key and relationships imply, and those under `quality`."""
        responses: dict[str, OnFailure] = {}
        for position, item in enumerate(properties):
            where: Where = ["schema", 0, "properties", position]
            column = item["name"]
            responses[column] = OnFailure.from_item(self.document, where, item)
            for name, assertion in implied(self.document, where, item, key):
                yield self._with_response(Rule(name, assertion), responses[column])
            for number, quality in enumerate(item.get("quality") or []):
                yield self._quality([*where, "quality", number], quality, item)
        floats = [item["name"] for item in properties if normal_type(item["physicalType"]) in ("float", "double")]
        for response in dict.fromkeys(responses[column].response for column in floats):
            columns = [column for column in floats if responses[column].response == response]
            yield self._with_response(_finite(columns, len(floats)), responses[columns[0]])
        if len(key) > 1:
            compound = Rule(f"{', '.join(key)} together are unique", kinds.unique_together(list(key)))
            yield self._with_response(compound, OnFailure.strictest([responses[column] for column in key]))
        for foreign_key in foreign_keys(self.document, table):
            rule = Rule(foreign_key.name, kinds.refers_to(foreign_key), foreign_key=foreign_key)
            yield self._with_response(rule, foreign_key.on_failure)
        for number, quality in enumerate(table.get("quality") or []):
            yield self._quality(["schema", 0, "quality", number], quality, None)

    def _with_response(self, rule: Rule, on_failure: OnFailure) -> Rule:
        """Return the rule with the response to its violation."""
        quarantines = on_failure.response == QUARANTINE
        if quarantines and rule.assertion.violations is None:
            problem = (
                f"'{rule.name}' selects no rows to set aside; only rules about single values, keys and custom rules "
                "that `select * from ${table}` do; use block or warn"
            )
            raise self.document.error(on_failure.where, problem)
        severity = "warning" if on_failure.response == WARN else "error"
        return replace(rule, severity=severity, quarantines=quarantines)

    def _quality(self, where: Where, item: dict[str, Any], column: dict[str, Any] | None) -> Rule:
        on_failure = OnFailure.from_item(self.document, where, item)
        name, assertion = self.quality.assertion(where, item, column)
        if column and not assertion.columns:
            assertion = replace(assertion, columns=(column["name"],))
        label = item.get("name") or ""
        name = f"{label}: {name}" if label else name
        rule = Rule(name, assertion, description=item.get("description") or "", label=label)
        return self._with_response(rule, on_failure)


def _finite(columns: list[str], candidates: int) -> Rule:
    """Return the rule that columns are finite; `candidates` is the number of columns that could hold NaN or infinity."""
    name = "numbers" if len(columns) == candidates else ", ".join(columns)
    return Rule(f"{name} are finite" if len(columns) > 1 else f"{columns[0]} is finite", kinds.finite(columns))
