"""The rows of one raw file as a view in DuckDB, written in the types of a contract."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kit.contracts import CsvFormat
from kit.core import IngestError, database
from kit.ingest import casts

if TYPE_CHECKING:
    import duckdb

# So many characters of a value, and names out of many, still make a sentence.
_SHOWN, _NAMED = 40, 3


@dataclass
class RawTable:
    """The view `raw` over one file. `types` are those of its columns, all text for a CSV file, `wanted` those it is written in.

    `names` are the names of the columns in the file, `rows` the number of its rows where that was counted apart from DuckDB.
    """

    label: str
    path: Path
    names: Mapping[str, str]
    csv: CsvFormat
    connection: "duckdb.DuckDBPyConnection"
    types: Mapping[str, str] = field(default_factory=dict)
    wanted: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None

    def open(self) -> None:
        """Create the view; raises `IngestError` where the file's columns are not the expected ones."""
        raise NotImplementedError

    def write(self, types: Mapping[str, str], target: Path) -> None:
        """Write all rows in these types as Parquet; raises `IngestError`."""
        self.wanted = types
        wrong = [
            f"{listed([column])} is {self.types[column][:_SHOWN]}, the contract says {kind}"
            for column, kind in types.items()
            if not casts.is_castable(self.types[column], kind)
        ]
        if wrong:
            raise self.refusal(f": {'; '.join(wrong[:_NAMED])}")
        columns = [
            f"{casts.cast(self.value(name, kind), self.types[name], kind)} as {database.quoted(name)}"
            for name, kind in types.items()
        ]
        query = f"select {', '.join(columns)} from raw"
        try:
            copied = self.connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)").fetchone()
            if self.rows is not None and copied != (self.rows,):
                raise self.refusal(f": has {self.rows:,} rows, of which {(copied or (0,))[0]:,} could be read")
        except BaseException:
            target.unlink(missing_ok=True)  # DuckDB leaves the rows before the one that stopped it
            raise

    def value(self, column: str, kind: str) -> str:
        """SQL for the value of a column, from which it is cast to a type."""
        return database.quoted(column)

    def form(self, column: str, kind: str) -> str:
        """The form of the texts of a type, where it is not obvious."""
        return f", written {casts.FORMS[kind]}" if self.types[column] == "varchar" and kind in casts.FORMS else ""

    def name_problem(self, file_names: Sequence[str]) -> str:
        """How the names of columns in the file differ from the expected ones, order aside; empty when they do not."""
        expected = set(self.names.values())
        cases = [
            ([name for name in self.names.values() if name not in file_names], "missing"),
            ([name for name in dict.fromkeys(file_names) if name not in expected], "not in the contract"),
            ([name for name, times in Counter(file_names).items() if times > 1], "there more than once"),
        ]
        return "; ".join(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {state}" for names, state in cases if names)

    def refusal(self, problem: str) -> IngestError:
        """The error that refuses the file."""
        return IngestError(f"{self.label}{problem}")

    def problem(self, error: Exception) -> str:
        """The first value that is not of its type, or else the reason that DuckDB gives."""
        return self.first_misfit() or f" cannot be read: {self.reason(error)}"

    def first_misfit(self) -> str | None:
        """The place, column and value of the first row with a value that is not of its type."""
        import duckdb

        conditions = {
            column: casts.fits(self.value(column, kind), self.types[column], kind) for column, kind in self.wanted.items()
        }
        wrong = {column: f"{database.quoted(column)} is not null and not {fits}" for column, fits in conditions.items() if fits}
        if not wrong:
            return None
        which = " ".join(f"when {condition} then {database.literal(column)}" for column, condition in wrong.items())
        value = " ".join(f"when {condition} then {database.quoted(column)}::varchar" for column, condition in wrong.items())
        query = (
            # No column of a contract has a space in its name.
            f"""select " row", case {which} end, case {value} end from (select *, row_number() over () as " row" from raw) """
            f"""where {" or ".join(f"({condition})" for condition in wrong.values())} order by " row" limit 1"""
        )
        try:
            row = self.connection.execute(query).fetchone()
        except duckdb.Error:
            return None
        if row is None:
            return None
        number, column, text = row
        kind = self.wanted[column]
        return f", {self.place(number)}: {column} is {shown(text)}, the contract says {kind}{self.form(column, kind)}"

    def place(self, row: int) -> str:
        """The place of a row, counted from 1."""
        return f"row {row:,}"

    def reason(self, error: Exception) -> str:
        """The start of a DuckDB message, in which the file goes by its name."""
        first = str(error).strip().partition("\n")[0]
        text = re.sub(r"^[A-Za-z ]+ Error: ", "", first).replace(str(self.path), self.path.name)
        return text if len(text) <= 200 else f"{text[:200]} …"


class ParquetTable(RawTable):
    """A Parquet file as the view `raw`."""

    def open(self) -> None:
        """Create the view over the columns of the file, each under its name in the contract."""
        file = database.file_literal(self.path)
        rows = self.connection.execute(f"select name, coalesce(logical_type, '') from parquet_schema({file})").fetchall()
        names = [name for name, _ in rows[1:]]
        file_names = list(parquet_columns(self.connection, self.path))
        if set(file_names) - set(names):  # DuckDB has renamed one of two that differ in upper and lower case only
            times = Counter(name.lower() for name in names)
            alike = [name for name in names if times[name.lower()] > 1]
            raise self.refusal(f": {listed(alike)} name the same column; keep one")
        if problem := self.name_problem(file_names):
            raise self.refusal(f": {problem}")
        # A column without any value has no type of its own.
        empty = {name for name, kind in rows if kind == "NullType()"}
        columns = ", ".join(
            f"{'null::varchar' if name in empty else _identifier(name)} as {_identifier(column)}"
            for column, name in self.names.items()
        )
        self.connection.execute(f"create view raw as select {columns} from read_parquet({file})")
        self.types = database.column_types(self.connection, "raw")

    def write(self, types: Mapping[str, str], target: Path) -> None:
        """Write all rows; a file that has these names and types already is copied byte for byte."""
        if self.types != types or any(column != name for column, name in self.names.items()):
            super().write(types, target)
            return
        self.wanted = types
        self.read_through()
        shutil.copyfile(self.path, target)

    def read_through(self) -> None:
        """Read every value, so that a damaged file is refused; raises DuckDB's error for it and for a date out of range."""
        largest = [
            f"max(case when {name} is null or {fits} then {name} else error({name}::varchar) end)" if fits else f"max({name})"
            for column, kind in self.types.items()
            for name in [database.quoted(column)]
            for fits in [casts.fits(name, kind, kind)]
        ]
        self.connection.execute(f"select {', '.join(largest)} from raw").fetchall()


def parquet_columns(connection: "duckdb.DuckDBPyConnection", path: Path) -> dict[str, str]:
    """The columns of a Parquet file with their types, by the names that DuckDB gives them."""
    rows = connection.execute(f"describe from read_parquet({database.file_literal(path)})").fetchall()
    return {name: kind for name, kind, *_ in rows}


def _identifier(name: str) -> str:
    """One name as an SQL identifier, dots included."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Sequence[str]) -> str:
    """The first of some names, and the number of the others."""
    first = ", ".join(shown(name) for name in names[:_NAMED])
    return first + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def shown(text: str) -> str:
    """A value in quotes, cut after some characters and printable on one line."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "'" + "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cut) + "'"
