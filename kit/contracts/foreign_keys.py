"""A foreign key: columns whose values must stand in another table, as the `relationships` of a contract say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kit.contracts.on_failure import OnFailure
from kit.contracts.rule_query import Query
from kit.core import IDENTIFIER, Document, Where


@dataclass(frozen=True)
class ForeignKey:
    """Columns whose values stand in the columns `keys` of `table`, which is PRODUCT.PORT or raw.SOURCE.

    A row in which one of them is null refers to nothing and breaks nothing. `where` is its place in the contract, `relation`
    what SQL calls the table: a port of the contract's own product goes by its short name, in dbt as in an audit.
    """

    columns: tuple[str, ...]
    table: str
    keys: tuple[str, ...]
    where: Where
    on_failure: OnFailure
    relation: str

    @property
    def name(self) -> str:
        """The promise in words."""
        if len(self.columns) == 1:
            return f"{self.columns[0]} is in {self.table}.{self.keys[0]}"
        return f"{', '.join(self.columns)} together are in {self.table} ({', '.join(self.keys)})"

    @property
    def orphans(self) -> Query:
        """The query for the rows that refer to nothing."""
        known = " and ".join(f'child."{column}" is not null' for column in self.columns)
        same = " and ".join(f'parent."{key}" = child."{column}"' for column, key in zip(self.columns, self.keys, strict=True))
        parents = f"select 1 from {self.relation} as parent where {same}"
        return Query(("select * from ", f" as child where {known} and not exists ({parents})"))


def foreign_keys(document: Document, table: dict[str, Any]) -> Iterator[ForeignKey]:
    """Those of a contract's table, at its columns and at the table itself; raises `InvalidFile` for one that says nothing."""
    for position, item in enumerate(table["properties"]):
        for number, given in enumerate(item.get("relationships") or []):
            where: Where = ["schema", 0, "properties", position, "relationships", number]
            yield _foreign_key(document, where, (item["name"],), given)
    names = {item["name"] for item in table["properties"]}
    for number, given in enumerate(table.get("relationships") or []):
        where = ["schema", 0, "relationships", number]
        columns = []
        for text in _texts(given["from"]):
            owner, _, column = text.partition(".")
            if owner != table["name"] or column not in names:
                problem = f"'{text}' is no column of '{table['name']}'; write {table['name']}.COLUMN with one of"
                raise document.error([*where, "from"], f"{problem}: {', '.join(sorted(names))}")
            columns.append(column)
        yield _foreign_key(document, where, tuple(columns), given)


def _foreign_key(document: Document, where: Where, columns: tuple[str, ...], given: dict[str, Any]) -> ForeignKey:
    here = [*where, "to"]
    tables, keys = [], []
    for text in _texts(given["to"]):
        parts = text.split(".")
        if len(parts) != 3 or not all(map(IDENTIFIER.fullmatch, parts)):
            raise document.error(here, f"'{text}' is no column of a table; write PRODUCT.PORT.COLUMN or raw.SOURCE.COLUMN")
        tables.append(".".join(parts[:2]))
        keys.append(parts[2])
    if len(set(tables)) > 1:
        raise document.error(here, f"leads to {' and '.join(sorted(set(tables)))}; all columns must be of one table")
    if len(keys) != len(columns):
        raise document.error(here, f"has {len(keys)} columns for {len(columns)}; write one for each of {', '.join(columns)}")
    product, _, table = tables[0].partition(".")
    relation = f'"{table}"' if document.data["id"].startswith(f"{product}.") else f'"{product}"."{table}"'
    return ForeignKey(columns, tables[0], tuple(keys), where, OnFailure.of(document, where, given), relation)


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
