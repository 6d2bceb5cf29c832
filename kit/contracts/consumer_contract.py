"""Consumer contracts: the columns and rules of a port that one consumer relies on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kit.contracts.compatibility import ContractChange, compare
from kit.contracts.contract import Contract, Version
from kit.contracts.implication import implies, subject
from kit.contracts.loader import DocumentReader
from kit.contracts.quality_rules import quality_items
from kit.contracts.rules import Rule
from kit.core import Where, read_yaml

FOLDER = "consumes"
"""The folder of a consumer's contracts, one file `PRODUCT.PORT.odcs.yaml` per port."""


@dataclass(frozen=True)
class ConsumerContract:
    """The contract of one consumer, with its owner and contact. `port` is the name of the port at the consumer."""

    consumer: str
    owner: str
    contact: str
    port: str
    contract: Contract

    @classmethod
    def load(
        cls, path: Path, consumer: str, owner: str, contact: str, port: str, version: Version, documents: DocumentReader
    ) -> "ConsumerContract":
        """Read the file of a consumer that declares `port` in `version`; raises `InvalidFile`."""
        contract = Contract.load(path, documents)
        expectations: tuple[tuple[Where, str, str], ...] = (
            (["id"], contract.id, f"{consumer}.needs.{port}"),
            (["version"], str(contract.version), str(version)),
            (["schema", 0, "name"], contract.table, port.partition(".")[2]),
        )
        for where, value, expected in expectations:
            if value != expected:
                raise read_yaml(path).error(where, f"'{value}' must be '{expected}', as '{consumer}' reads '{port}' {version}")
        for rule in contract.quarantining:
            problem = f"'{rule.name}' cannot set aside rows of a provider; leave onFailure out, or write onFailure: warn"
            raise read_yaml(path).error(["schema", 0], problem)
        _refuse_custom(path)
        for key in (rule.foreign_key for rule in contract.rules if rule.foreign_key):
            raise read_yaml(path).error(
                key.where, "a relationship cannot be checked by the provider, which reads no other tables"
            )
        return cls(consumer, owner, contact, port, contract)

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that are needed."""
        return frozenset(column.name for column in self.contract.columns)

    @property
    def columns_rule(self) -> str:
        """The name of the check of the needed columns."""
        return self._called(f"has the columns and types it reads ({len(self.contract.columns)})")

    @property
    def note(self) -> str:
        """The owner and the file of the contract, for the provider."""
        return f"{self.owner} ({self.contact}) states it in {self.consumer}/{FOLDER}/{self.contract.path.name}"

    def column_problems(self, types: Mapping[str, str]) -> list[str]:
        """Return the needed columns that a table, as types by name, lacks or has with another type."""
        return [
            f"column '{column.name}' is {types.get(column.name, 'missing')}, needed as {column.type}"
            for column in self.contract.columns if types.get(column.name) != column.type
        ]  # fmt: skip

    def unmet(self, contract: Contract) -> tuple[ContractChange, ...]:
        """Return the parts that the contract of the port does not promise; rules that only warn need no promise."""
        return tuple(change for change in self._changes(contract, contract) if change.verdict == "major")

    def lost(self, old: Contract, new: Contract) -> tuple[ContractChange, ...]:
        """Return the parts that the port promised before a change and may no longer promise after it."""
        unmet = self._changes(old, old)
        return tuple(
            change for change in self._changes(new, old) if change.verdict in ("major", "review") and change not in unmet
        )

    def _changes(self, promised: Contract, known: Contract) -> tuple[ContractChange, ...]:
        """Return the changes from this contract to the `promised` one; unstated masks are those that were `known`."""
        masks = {column.name: column.mask for column in known.columns}
        columns = (replace(column, mask=column.mask or masks.get(column.name)) for column in self.contract.columns)
        rules = (rule for rule in self.contract.rules if rule.severity == "error" and not _is_promised(rule, promised))
        return compare(replace(self.contract, columns=tuple(columns), rules=tuple(rules)), promised)

    def named(self, rule: Rule) -> Rule:
        """Return a rule of the contract, named and described as a check of the provider."""
        description = f"{rule.description.rstrip('.')}. {self.note}" if rule.description else self.note
        return replace(rule, name=self._called(rule.name), description=description)

    def _called(self, rule: str) -> str:
        return f"needed by {self.consumer}: {rule}"


def _is_promised(rule: Rule, contract: Contract) -> bool:
    return any(subject(other) == subject(rule) and implies(other, rule) for other in contract.rules)


def _refuse_custom(path: Path) -> None:
    """Refuse rules that only Great Expectations can evaluate: one that cannot be run would stop the provider's build."""
    document = read_yaml(path)
    for where, item in quality_items(document.data["schema"][0]):
        if item.get("type") == "custom":
            problem = "a 'custom' rule cannot be run in the build of the provider; use library or sql"
            raise document.error([*where, "type"], problem)
