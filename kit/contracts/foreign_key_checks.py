"""Whether the foreign keys of a contract lead to tables and columns that a build can see."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from kit.contracts.contract import Column, Contract
from kit.contracts.masks import is_whole
from kit.core import InvalidFile, read_yaml


def check(contract: Contract, inputs: Collection[str], own: Mapping[str, Contract]) -> None:
    """Raise `InvalidFile` for the first that leads neither to an input nor to one of the product's `own` tables.

    What an input has for columns is its provider's to say, and looked at by `errors`.
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
    for error in errors(contract, own):
        raise error


def errors(contract: Contract, tables: Mapping[str, Contract]) -> Iterator[InvalidFile]:
    """What is wrong with those that lead to one of `tables`: to no column it has, or to one of another kind."""
    columns = {column.name: column for column in contract.columns}
    for rule in contract.rules:
        if (key := rule.foreign_key) and key.table in tables:
            there = {column.name: column for column in tables[key.table].columns}
            for own, name in zip(key.columns, key.keys, strict=True):
                if name not in there:
                    problem = f"'{name}' is no column of '{key.table}'; there are: {', '.join(sorted(there))}"
                else:
                    problem = _unlike(contract, columns[own], key.table, there[name])
                if problem:
                    yield read_yaml(contract.path).error([*key.where, "to"], problem)


def _unlike(contract: Contract, column: Column, table: str, target: Column) -> str:
    """Why the values of a column are never found in another one; empty when they may be."""
    there = f"'{table}.{target.name}'"
    if _family(column.type) != _family(target.type):
        return f"'{column.name}' is {column.type} and {there} {target.type}; give both the same type"
    product, _, rest = contract.id.partition(".")
    is_raw = rest.startswith("raw.")
    # What a product makes itself is checked before it is masked, raw data before the models see it.
    if table.startswith(f"{product}.") or (is_raw and table.startswith("raw.")) or target.mask is None:
        return ""
    if is_raw:
        todo = "let the port that is made of it refer to it"
    elif column.mask and not column.mask.applies:
        return ""
    else:
        todo = f"mask '{column.name}' where it comes from, in the contract of its source, and write `mask: inherited` here"
    return f"'{column.name}' holds real values when it is checked, but those of {there} are masked ({target.mask}); {todo}"


def _family(kind: str) -> str:
    """Types whose values can be equal."""
    return "whole" if is_whole(kind) else "decimal" if kind.startswith("decimal(") and not kind.endswith("]") else kind


def used(contracts: Iterable[Contract], table: str) -> set[str]:
    """The columns of a table that some of these contracts lead to."""
    keys = (rule.foreign_key for contract in contracts for rule in contract.rules)
    return {column for key in keys if key and key.table == table for column in key.keys}
