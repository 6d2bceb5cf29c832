"""What a consumer states it needs of a port: a contract of its own, with the columns and rules it relies on and no others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.contracts.compatibility import ContractChange, compare
from kit.contracts.contract import Contract, Version
from kit.contracts.implication import implies, subject
from kit.contracts.loader import DocumentReader
from kit.contracts.rules import Rule
from kit.core import Where, mappings, read_yaml

FOLDER = "consumes"
"""Where a consumer keeps its needs, one file `PRODUCT.PORT.odcs.yaml` per port."""


@dataclass(frozen=True)
class ConsumerContract:
    """What one consumer relies on, and whom to talk to about it. `port` is what the consumer calls the port."""

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
        for where, given, expected in expectations:
            if given != expected:
                raise read_yaml(path).error(where, f"'{given}' must be '{expected}', as '{consumer}' reads '{port}' {version}")
        for rule in contract.quarantining:
            problem = f"'{rule.name}' cannot set aside rows of a provider; leave onFailure out, or write onFailure: warn"
            raise read_yaml(path).error(["schema", 0], problem)
        _refuse_custom(path)
        for key in (rule.foreign_key for rule in contract.rules if rule.foreign_key):
            raise read_yaml(path).error(key.where, "a relationship cannot be asked of a provider, who sees no other tables")
        return cls(consumer, owner, contact, port, contract)

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that are needed."""
        return frozenset(column.name for column in self.contract.columns)

    @property
    def columns_rule(self) -> str:
        """How the check of the needed columns is called."""
        return self._called(f"has the columns and types it reads ({len(self.contract.columns)})")

    @property
    def note(self) -> str:
        """Who states it, and where."""
        return f"{self.owner} ({self.contact}) states it in {self.consumer}/{FOLDER}/{self.contract.path.name}"

    def column_problems(self, found: Mapping[str, str]) -> list[str]:
        """How the columns of a table, with their types, fall short of those needed."""
        return [
            f"column '{column.name}' is {found.get(column.name, 'missing')}, needed as {column.type}"
            for column in self.contract.columns if found.get(column.name) != column.type
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
    """Refuse what only Great Expectations can judge: a rule that cannot be run would stop the build of somebody else."""
    document = read_yaml(path)
    for where, item in _quality(document.data["schema"][0]):
        if item.get("type") == "custom":
            problem = "a 'custom' rule cannot be asked of a provider, whose build it runs in; use library or sql"
            raise document.error([*where, "type"], problem)


def _quality(table: dict[str, Any]) -> Iterator[tuple[Where, dict[str, Any]]]:
    owners: list[tuple[list[str | int], dict[str, Any]]] = [(["schema", 0], table)]
    owners += [(["schema", 0, "properties", i], item) for i, item in enumerate(table["properties"])]
    for where, owner in owners:
        for position, item in enumerate(mappings(owner.get("quality"))):
            yield [*where, "quality", position], item
