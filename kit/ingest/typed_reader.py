"""The input gate: a raw file is read with the types of its contract, exactly, or refused in one sentence."""

import csv
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import IngestError, database
from kit.ingest import casts, csv_reader

if TYPE_CHECKING:
    import duckdb

ENDINGS = (".parquet", ".csv", ".csv.gz")
"""The kinds of files that can be read, by the end of their names."""
# So many characters of a value, and names out of many, still make a sentence.
_SHOWN, _NAMED = 40, 3


def convert(name: str, promised: Mapping[str, str], origin: Path, target: Path) -> None:
    """Write the rows of a Parquet or CSV file as Parquet, with the promised columns and types.

    A Parquet file that has them already is kept byte for byte. `name` says whose and which file it is in the
    `IngestError` that tells why it is refused.
    """
    if not origin.name.lower().endswith(ENDINGS):
        raise IngestError(f"{name} is none of {', '.join(ENDINGS)}; return the path of such a file, or a polars frame")
    with database.connect() as connection:
        # Which moment a text means must not hang on the machine.
        connection.execute("set timezone = 'UTC'")
        kind = _Table if origin.suffix.lower() == ".parquet" else _Text
        kind(name, promised, origin, connection).write(target)


class _Table:
    """A Parquet file behind the view `raw`."""

    def __init__(self, name: str, promised: Mapping[str, str], origin: Path, connection: "duckdb.DuckDBPyConnection") -> None:
        self.name = name
        self.promised = promised
        self.origin = origin
        self.connection = connection

    def write(self, target: Path) -> None:
        """Write all rows in the promised types; raises `IngestError`."""
        import duckdb

        found: dict[str, str] = {}
        try:
            found = self.open()
            self.compare(found)
            if found == self.promised:
                self.read_through()
                shutil.copyfile(self.origin, target)
                return
            columns = [f"{casts.turned(c, found[c], kind)} as {database.quoted(c)}" for c, kind in self.promised.items()]
            query = f"select {', '.join(columns)} from raw{self.condition()}"
            self.connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)")
        except duckdb.Error as error:
            raise self.refusal(self.problem(found, error)) from None

    def refusal(self, problem: str) -> IngestError:
        return IngestError(f"{self.name}{problem}")

    def open(self) -> dict[str, str]:
        """Create the view; the columns it has, with their types."""
        file = database.file_literal(self.origin)
        rows = self.connection.execute(f"select name, coalesce(logical_type, '') from parquet_schema({file})").fetchall()
        names = [name for name, _ in rows[1:]]
        # A column without any value has no type of its own.
        empty = [f"null::varchar as {database.quoted(name)}" for name, kind in rows if kind == "NullType()"]
        replaced = f"replace ({', '.join(empty)}) " if empty else ""
        self.connection.execute(f"create view raw as select * {replaced}from read_parquet({file})")
        found = database.column_types(self.connection, "raw")
        if found.keys() - names:  # two that differ in upper and lower case only: DuckDB has renamed one
            times = Counter(name.lower() for name in names)
            twice = [name for name in names if times[name.lower()] > 1]
            raise self.refusal(f": {_names(twice)} stand for the same column; keep one")
        return found

    def compare(self, found: Mapping[str, str]) -> None:
        """Raise `IngestError` where columns or types are none of those promised."""
        problems = _differences(list(found), self.promised)
        problems += [
            f"{_names([column])} is {found[column][:_SHOWN]}, the contract says {kind}"
            for column, kind in self.promised.items()
            if column in found and not casts.turns_into(found[column], kind)
        ][:_NAMED]
        if problems:
            raise self.refusal(f": {'; '.join(problems)}")

    def read_through(self) -> None:
        """Read all there is, so that a damaged file stops here; raises DuckDB's error for it and for a date out of range."""
        wanted = [
            f"max(case when {name} is null or {fits} then {name} else error({name}::varchar) end)" if fits else f"max({name})"
            for column, kind in self.promised.items()
            for name, fits in [(database.quoted(column), casts.fits(column, kind, kind))]
        ]
        self.connection.execute(f"select {', '.join(wanted)} from raw").fetchall()

    def condition(self) -> str:
        """What else must hold of a row."""
        return ""

    def problem(self, found: Mapping[str, str], error: Exception) -> str:
        """What is wrong with the file: the first value that does not fit, or else what DuckDB says."""
        return self.misfit(found) or f" cannot be read: {self.reason(error)}"

    def misfit(self, found: Mapping[str, str]) -> str | None:
        import duckdb

        judged = {column: casts.fits(column, found[column], kind) for column, kind in self.promised.items() if column in found}
        wrong = {column: f"{database.quoted(column)} is not null and not {fits}" for column, fits in judged.items() if fits}
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
        kind = self.promised[column]
        form = f", written {casts.FORMS[kind]}" if found[column] == "varchar" and kind in casts.FORMS else ""
        return f", {self.place(number)}: {column} is {_value(text)}, the contract says {kind}{form}"

    def place(self, number: int) -> str:
        return f"row {number:,}"

    def reason(self, error: Exception) -> str:
        """The start of a DuckDB message, in which the file goes by its name."""
        first = str(error).strip().partition("\n")[0]
        text = re.sub(r"^[A-Za-z ]+ Error: ", "", first).replace(str(self.origin), self.origin.name)
        return text if len(text) <= 200 else f"{text[:200]} …"


class _Text(_Table):
    """A CSV file behind the view `raw`, all of it text."""

    def open(self) -> dict[str, str]:
        try:
            names, quoted = csv_reader.header(self.origin)
        except csv_reader.NotText as error:
            raise self.refusal(f" {error}") from None
        if problems := _differences(names, self.promised):
            hint = "; separate its fields by commas" if len(names) == 1 < len(self.promised) else ""
            raise self.refusal(f": {'; '.join(problems)}{hint}")
        csv_reader.add_view(self.connection, self.origin, names, quoted)
        return dict.fromkeys(names, "varchar")

    def condition(self) -> str:
        wrong = database.quoted(csv_reader.MISSHAPEN)
        return f" where case when {wrong} then error({wrong}::varchar) else true end"

    def problem(self, found: Mapping[str, str], error: Exception) -> str:
        wanted = len(self.promised)
        try:
            with csv_reader.records(self.origin) as records:
                for line, row in records:
                    if len(row) != wanted:
                        return f", line {line:,}: has {_count(len(row), 'field')}, the contract says {wanted}"
        except csv.Error:
            pass  # DuckDB has something to say of that line too
        return super().problem(found, error)

    def place(self, number: int) -> str:
        try:
            with csv_reader.records(self.origin) as records:
                return next(f"line {line:,}" for position, (line, _) in enumerate(records) if position == number)
        except (csv.Error, StopIteration):
            return super().place(number)

    def reason(self, error: Exception) -> str:
        """Of a CSV error what is wrong in the line, without showing the line."""
        lines = str(error).strip().splitlines()
        if "state machine" in lines[0]:
            return "its lines must all end the same way, and a quote within quotes be doubled"
        line = re.search(r"CSV Error on (Line: \d+)", lines[0])
        if line and len(lines) > 2 and lines[1].startswith("Original Line:"):
            said = next((text for text in lines[2:] if text.strip()), "")
            return f"{line[1].lower().replace(':', '')}: {said[:200]}"
        return super().reason(error)


def _differences(found: list[str], promised: Mapping[str, str]) -> list[str]:
    """How the names of columns differ from those promised; empty when they are the same, order aside."""
    given = set(found)
    cases = [
        ([name for name in promised if name not in given], "missing"),
        ([name for name in dict.fromkeys(found) if name not in promised], "not in the contract"),
        ([name for name, times in Counter(found).items() if times > 1], "there more than once"),
    ]
    return [f"{_names(names)} {'is' if len(names) == 1 else 'are'} {what}" for names, what in cases if names]


def _names(names: list[str]) -> str:
    shown = [_value(name) for name in names[:_NAMED]]
    return ", ".join(shown) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def _value(text: str) -> str:
    """A value in quotes, cut, and unable to break the sentence."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "'" + "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cut) + "'"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
