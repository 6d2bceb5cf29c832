"""Foreign keys: columns that refer to columns of another table, from the `relationships` of a contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kit.contracts.on_failure import OnFailure
from kit.contracts.rule_query import Query
from kit.core import IDENTIFIER, Document, Where


@dataclass(frozen=True)
class ForeignKey:
    """Columns that refer to the columns `keys` of `table`, which is PRODUCT.PORT or raw.SOURCE.

    A row with a null in one of the columns refers to nothing and violates nothing. `where` is the place in the contract,
    `relation` the table in SQL: a port of the contract's own product has its short name, in dbt as in an audit.
    """

    columns: tuple[str, ...]
    table: str
    keys: tuple[str, ...]
    where: Where
    on_failure: OnFailure
    relation: str

    @property
    def name(self) -> str:
        """The name of the rule."""
        if len(self.columns) == 1:
            return f"{self.columns[0]} is in {self.table}.{self.keys[0]}"
        return f"{', '.join(self.columns)} together are in {self.table} ({', '.join(self.keys)})"

    @property
    def orphans(self) -> Query:
        """The query for the rows that refer to a missing row."""
        known = " and ".join(f'child."{column}" is not null' for column in self.columns)
        same = " and ".join(f'parent."{key}" = child."{column}"' for column, key in zip(self.columns, self.keys, strict=True))
        parents = f"select 1 from {self.relation} as parent where {same}"
        return Query(("select * from ", f" as child where {known} and not exists ({parents})"))


def foreign_keys(document: Document, table: dict[str, Any]) -> Iterator[ForeignKey]:
    """Yield the foreign keys of a contract's table, at its columns and at the table; raises `InvalidFile`."""
    for position, item in enumerate(table["properties"]):
        for number, relationship in enumerate(item.get("relationships") or []):
            where: Where = ["schema", 0, "properties", position, "relationships", number]
            yield _foreign_key(document, where, (item["name"],), relationship)
    names = {item["name"] for item in table["properties"]}
    for number, relationship in enumerate(table.get("relationships") or []):
        where = ["schema", 0, "relationships", number]
        columns = []
        for text in _texts(relationship["from"]):
            owner, _, column = text.partition(".")
            if owner != table["name"] or column not in names:
                problem = f"'{text}' is no column of '{table['name']}'; write {table['name']}.COLUMN with one of"
                raise document.error([*where, "from"], f"{problem}: {', '.join(sorted(names))}")
            columns.append(column)
        yield _foreign_key(document, where, tuple(columns), relationship)


def _foreign_key(document: Document, where: Where, columns: tuple[str, ...], relationship: dict[str, Any]) -> ForeignKey:
    place = [*where, "to"]
    tables, keys = [], []
    for text in _texts(relationship["to"]):
        parts = text.split(".")
        if len(parts) != 3 or not all(map(IDENTIFIER.fullmatch, parts)):
            raise document.error(place, f"'{text}' is no column of a table; write PRODUCT.PORT.COLUMN or raw.SOURCE.COLUMN")
        tables.append(".".join(parts[:2]))
        keys.append(parts[2])
    if len(set(tables)) > 1:
        raise document.error(place, f"refers to {' and '.join(sorted(set(tables)))}; all columns must be of one table")
    if len(keys) != len(columns):
        raise document.error(place, f"has {len(keys)} columns for {len(columns)}; write one for each of {', '.join(columns)}")
    product, _, table = tables[0].partition(".")
    relation = f'"{table}"' if document.data["id"].startswith(f"{product}.") else f'"{product}"."{table}"'
    return ForeignKey(columns, tables[0], tuple(keys), where, OnFailure.from_item(document, where, relationship), relation)


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
