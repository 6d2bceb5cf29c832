"""Whether the foreign keys of a contract lead to tables and columns that a build can see."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from kit.contract import Contract
from kit.errors import InvalidFile
from kit.files import read_yaml


def check(contract: Contract, inputs: Collection[str], own: Mapping[str, Contract]) -> None:
    """Raise `InvalidFile` for the first that leads neither to an input nor to one of the product's `own` tables.

    What an input has for columns is its provider's to say, and looked at by `unknown_columns`.
    """
    for rule in contract.rules:
        if key := rule.foreign_key:
            if key.table not in inputs and key.table not in own:
                there = ", ".join(sorted({*inputs, *own})) or "none"
                problem = f"'{key.table}' cannot be seen when '{contract.table}' is checked; there are: {there}"
                raise read_yaml(contract.path).error([*key.where, "to"], problem)
            if rule.quarantines and key.table in own and not key.table.startswith("raw."):
                problem = f"'{key.table}' may not be made yet when rows of '{contract.table}' are set aside; use block or warn"
                raise read_yaml(contract.path).error(key.where, problem)
    for error in unknown_columns(contract, own):
        raise error


def unknown_columns(contract: Contract, tables: Mapping[str, Contract]) -> Iterator[InvalidFile]:
    """What is wrong with those that lead to one of `tables`, but to no column it has."""
    for rule in contract.rules:
        if (key := rule.foreign_key) and key.table in tables:
            names = sorted(column.name for column in tables[key.table].columns)
            for name in key.keys:
                if name not in names:
                    problem = f"'{name}' is no column of '{key.table}'; there are: {', '.join(names)}"
                    yield read_yaml(contract.path).error([*key.where, "to"], problem)


def used(contracts: Iterable[Contract], table: str) -> set[str]:
    """The columns of a table that some of these contracts lead to."""
    keys = (rule.foreign_key for contract in contracts for rule in contract.rules)
    return {column for key in keys if key and key.table == table for column in key.keys}
