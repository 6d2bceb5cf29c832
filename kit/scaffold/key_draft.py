"""The key of a drafted contract: the columns that identify a row by their names and types, not by chance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

from kit.contracts import is_date_part, is_identifier, is_measure, is_text
from kit.core import database

if TYPE_CHECKING:
    import duckdb

_SIZE, _COLUMNS, _SAMPLE = 3, 8, 10_000


@dataclass(frozen=True)
class Candidate:
    """A column without nulls: its name, the family of its type, the number of its distinct values and its bounds as texts."""

    name: str
    family: str
    distinct: int
    minimum: str | None
    maximum: str | None

    @property
    def identifies(self) -> bool:
        """Whether name and type are those of an identifier."""
        return self.family == "uuid" or (self.family in ("integer", "varchar", "decimal") and is_identifier(self.name))

    @property
    def divides(self) -> bool:
        """Whether rows may be one per value of it and of others: a day, a part of a date, a category."""
        if is_measure(self.name) or is_text(self.name):
            return False
        return self.family in ("date", "timestamp", "varchar") or (self.family == "integer" and is_date_part(self.name))

    @property
    def numbers(self) -> bool:
        """Whether it numbers or names the rows although its name does not say so."""
        if is_measure(self.name) or is_text(self.name):
            return False
        is_dense = self.family == "integer" and int(self.maximum or 0) - int(self.minimum or 0) + 1 == self.distinct
        return self.family in ("varchar", "date") or is_dense


def key(
    connection: "duckdb.DuckDBPyConnection", table: str, rows: int, columns: Sequence[Candidate], first: str
) -> tuple[str, ...]:
    """Return the key of the table `data`, which holds rows of `table`: empty when no columns identify them by name and type.

    One identifier is preferred, that of the table before others, then identifiers, dates and categories together, then the
    `first` column of the table. `columns` are those without nulls. A measure is never in it, even if it happens to be unique.
    """
    if not rows:
        return ()
    alone = [column for column in columns if column.distinct == rows]
    own = [f"{table.removesuffix('s')}_{ending}" for ending in ("id", "key", "code", "uuid", "no", "nr", "number")]
    identifiers = sorted((column.name for column in alone if column.identifies), key=lambda name: name not in ("id", *own))
    if identifiers:
        return (identifiers[0],)
    parts = [
        column
        for column in columns
        if column not in alone and (column.identifies or (column.divides and 2 * column.distinct <= rows))
    ][:_COLUMNS]
    for chosen in _together(parts):
        names = ", ".join(database.quoted(column.name) for column in chosen)
        # The first rows already show that most sets are not unique.
        if prod(column.distinct for column in chosen) >= rows and all(
            _is_unique(connection, names, source) for source in (f"(from data limit {_SAMPLE})", "data")
        ):
            return tuple(column.name for column in chosen)
    return tuple(column.name for column in alone if column.name == first and column.numbers)


def _together(parts: Sequence[Candidate]) -> Iterator[tuple[Candidate, ...]]:
    """Yield the sets of columns that may be a key together: the smallest first, with a category only beside another kind."""
    for size in range(2, _SIZE + 1):
        sets = combinations(parts, size)
        named = [chosen for chosen in sets if any(column.identifies or column.family != "varchar" for column in chosen)]
        yield from sorted(named, key=lambda chosen: sum(not column.identifies for column in chosen))


def _is_unique(connection: "duckdb.DuckDBPyConnection", names: str, source: str) -> bool:
    query = f"select (select count(*) from {source}) = (select count(*) from (select distinct {names} from {source}))"
    (unique,) = connection.execute(query).fetchone() or (False,)
    return bool(unique)
