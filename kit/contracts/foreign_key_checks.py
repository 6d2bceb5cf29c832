"""Checks that the foreign keys of a contract refer to tables and columns that a build can read."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from kit.contracts.contract import Column, Contract
from kit.contracts.masks import is_whole
from kit.core import InvalidFile, read_yaml


def check_tables(contract: Contract, inputs: Collection[str], own: Mapping[str, Contract]) -> None:
    """Raise `InvalidFile` for the first foreign key that refers neither to an input nor to an `own` table of the product.

    The columns of inputs are known to their providers only: `column_errors` checks them.
    """
    for rule in contract.rules:
        if key := rule.foreign_key:
            if key.table not in inputs and key.table not in own:
                known = ", ".join(sorted({*inputs, *own})) or "none"
                problem = f"'{key.table}' cannot be read when '{contract.table}' is checked; there are: {known}"
                raise read_yaml(contract.path).error([*key.where, "to"], problem)
            if rule.quarantines and key.table in own and not key.table.startswith("raw."):
                problem = f"'{key.table}' may not be made yet when rows of '{contract.table}' are set aside; use block or warn"
                raise read_yaml(contract.path).error(key.where, problem)
    for error in column_errors(contract, own):
        raise error


def column_errors(contract: Contract, tables: Mapping[str, Contract]) -> Iterator[InvalidFile]:
    """Yield an error for each foreign key to one of `tables` whose column is missing there or has other values."""
    columns = {column.name: column for column in contract.columns}
    for rule in contract.rules:
        if (key := rule.foreign_key) and key.table in tables:
            targets = {column.name: column for column in tables[key.table].columns}
            for own, name in zip(key.columns, key.keys, strict=True):
                if name not in targets:
                    problem = f"'{name}' is no column of '{key.table}'; there are: {', '.join(sorted(targets))}"
                else:
                    problem = _mismatch(contract, columns[own], key.table, targets[name])
                if problem:
                    yield read_yaml(contract.path).error([*key.where, "to"], problem)


def _mismatch(contract: Contract, column: Column, table: str, target: Column) -> str:
    """Return why no value of a column can equal one of the target column; empty when some can."""
    name = f"'{table}.{target.name}'"
    if _family(column.type) != _family(target.type):
        return f"'{column.name}' is {column.type} and {name} {target.type}; give both the same type"
    product, _, rest = contract.id.partition(".")
    is_raw = rest.startswith("raw.")
    # A product's own tables are checked before they are masked, raw data before models read it.
    if table.startswith(f"{product}.") or (is_raw and table.startswith("raw.")) or target.mask is None:
        return ""
    if is_raw:
        fix = "write the relationship in the contract of the port made from it"
    elif column.mask and not column.mask.applies:
        return ""
    else:
        fix = f"mask '{column.name}' where it comes from, in the contract of its source, and write `mask: inherited` here"
    return f"'{column.name}' holds real values when it is checked, but those of {name} are masked ({target.mask}); {fix}"


def _family(kind: str) -> str:
    """Return a name for all types whose values can be equal."""
    return "whole" if is_whole(kind) else "decimal" if kind.startswith("decimal(") and not kind.endswith("]") else kind


def referred_columns(contracts: Iterable[Contract], table: str) -> set[str]:
    """Return the columns of a table that foreign keys of these contracts refer to."""
    keys = (rule.foreign_key for contract in contracts for rule in contract.rules)
    return {column for key in keys if key and key.table == table for column in key.keys}
