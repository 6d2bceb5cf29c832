"""The rows of one raw file as a view in DuckDB, written in the types of a contract."""

import re
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kit.contracts import CsvFormat
from kit.core import IngestError, database, frame_types
from kit.ingest import casts

if TYPE_CHECKING:
    import duckdb
    import polars as pl

# So many characters of a value, and names out of many, still make a sentence.
_SHOWN, _NAMED = 40, 3
_CUT = "it is not a whole Parquet file, as one that was cut or is still being written; deliver it again"
_NOT_SHOWN = "of another form (the value is personal or masked, and not shown)"
_ENCRYPTED = "it is encrypted; deliver it without encryption"
_MEANINGS = {
    "encryption_config": _ENCRYPTED,
    "No magic bytes": _CUT,
    "too small to be a Parquet file": _CUT,
    "Footer length error": _CUT,
    "don't know what type": _CUT,
    "TProtocolException": _CUT,
    "decompression failure": "it is damaged; deliver it again",
    "Need at least one non-root column": "it has no columns",
    "Could not convert Timestamp": "a timestamp is out of the range of microseconds, before 290,309 BC or after 294,246; "
    "make it null, or text",
}
"""What a person reads in place of words of DuckDB."""
_INT96_LIMITS = {-(2**63), 2**63 - 1}


@dataclass
class RawTable:
    """The view `raw` over one file. `types` are those of its columns, all text for a CSV file, `wanted` those it is written in.

    `names` are the names of the columns in the file, `rows` the number of its rows where that was counted apart from DuckDB,
    `hidden` the columns whose values no error quotes.
    """

    label: str
    path: Path
    names: Mapping[str, str]
    csv: CsvFormat
    connection: "duckdb.DuckDBPyConnection"
    types: Mapping[str, str] = field(default_factory=dict)
    wanted: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    hidden: Collection[str] = ()

    def open(self) -> None:
        """Create the view; raises `IngestError` where the file's columns are not the expected ones."""
        raise NotImplementedError

    def write(self, types: Mapping[str, str], target: Path) -> None:
        """Write all rows in these types as Parquet; raises `IngestError`."""
        self.refuse_types(types)
        self.wanted = types
        self.write_rows(target)

    def write_rows(self, target: Path) -> None:
        """Write all rows in the wanted types; an error of DuckDB stops at a value that is not of its type."""
        columns = [
            f"{casts.cast(self.value(name, kind), self.types[name], kind)} as {database.quoted(name)}"
            for name, kind in self.wanted.items()
        ]
        query = f"select {', '.join(columns)} from raw"
        try:
            copied = self.connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)").fetchone()
            if self.rows is not None and copied != (self.rows,):
                raise self.refusal(f": has {self.rows:,} rows, of which {(copied or (0,))[0]:,} could be read")
        except BaseException:
            target.unlink(missing_ok=True)  # DuckDB leaves the rows before the one that stopped it
            raise

    def refuse_types(self, types: Mapping[str, str]) -> None:
        """Raise `IngestError` for columns that cannot be of these types, whatever their values are."""
        wrong = [
            f"{listed([column])} is {self.types[column][:_SHOWN]}, the contract says {kind}"
            for column, kind in types.items()
            if not casts.is_castable(self.types[column], kind)
        ]
        if wrong:
            raise self.refusal(f": {'; '.join(wrong[:_NAMED])}")

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
        if misfit := self.first_misfit():
            return misfit
        # DuckDB quotes the value of any column.
        return f" cannot be read: {type(error).__name__ if self.hidden and self.wanted else self.reason(error)}"

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
        hint = "" if column in self.hidden else self.hint(text, kind)
        promised = f"the contract says {kind}{self.form(column, kind)}{hint}"
        if self.types[column] == kind:  # of this type already, and out of its limits
            promised = casts.LIMITS[kind]
        return f", {self.place(number)}: {column} is {self.shown(column, text)}, {promised}"

    def shown(self, column: str, text: str) -> str:
        """A value of a column for an error."""
        return _NOT_SHOWN if column in self.hidden else shown(text)

    def hint(self, text: str, kind: str) -> str:
        """What a person may declare, so that a text becomes a value of a type."""
        return ""

    def place(self, row: int) -> str:
        """The place of a row, counted from 1."""
        return f"row {row:,}"

    def reason(self, error: Exception) -> str:
        """The reason that DuckDB gives for an error."""
        return reason(error, self.path)


class ParquetTable(RawTable):
    """A Parquet file as the view `raw`."""

    def open(self) -> None:
        """Create the view over the columns of the file, each under its name in the contract."""
        schema = f"select name, coalesce(logical_type, '') from parquet_schema({database.file_literal(self.path)})"
        rows = self.connection.execute(schema).fetchall()
        names = [name for name, _ in rows[1:]]
        file_names = list(parquet_columns(self.connection, self.path))
        if set(file_names) - set(names):  # DuckDB has renamed one of two that differ in upper and lower case only
            times = Counter(name.lower() for name in names)
            alike = [name for name in names if times[name.lower()] > 1]
            if not alike:
                raise self.refusal(": a column has no name; give it one")
            raise self.refusal(f": {listed(alike)} name the same column; keep one")
        if problem := self.name_problem(file_names):
            raise self.refusal(f": {problem}")
        # A column without any value has no type of its own.
        self.empty = {name for name, kind in rows if kind == "NullType()"}
        columns = ", ".join(
            f"{'null::varchar' if name in self.empty else database.identifier(name)} as {database.identifier(column)}"
            for column, name in self.names.items()
        )
        self.connection.execute(f"create view raw as select {columns} from {database.parquet([self.path])}")
        self.types = database.column_types(self.connection, "raw")

    def write_rows(self, target: Path) -> None:
        """Write all rows; a file that has the wanted names and types already is copied byte for byte."""
        if self.types != self.wanted or self.empty or any(column != name for column, name in self.names.items()):
            super().write_rows(target)
        else:
            self.read_through()
            shutil.copyfile(self.path, target)

    def refuse_types(self, types: Mapping[str, str]) -> None:
        """Refuse also columns whose values DuckDB would read as others, without a word in its types.

        These are durations, wide decimals, extension types, times with nanoseconds, and timestamps with these that have a zone
        or are INT96.
        """
        import polars as pl

        super().refuse_types(types)
        frame = pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
        try:
            schema = frame.collect_schema()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise self.refusal(f" cannot be read: {reason(error, self.path)}") from None
        if problems := list(frame_types.misfits(schema)):
            raise self.refusal(f": {'; '.join(problems[:_NAMED])}")
        for column, name in self.names.items():
            if frame_types.is_nanoseconds(schema[name]) and not self.types[column].startswith("timestamp_ns"):
                self._refuse_nanoseconds(column, frame.select(name).with_row_index(f"{name} row", 1))

    def _refuse_nanoseconds(self, column: str, rows: "pl.LazyFrame") -> None:
        import polars as pl

        row, name = list(rows.collect_schema())
        while isinstance(rows.collect_schema()[name], pl.List | pl.Array):
            rows = rows.explode(name)
        found = rows.filter(pl.col(name).cast(pl.Int64) % 1000 != 0).head(1).collect()
        if found.height:
            place = f", {self.place(found[row][0])}: {column} is"
            if found[name].cast(pl.Int64)[0] in _INT96_LIMITS:  # polars reads all moments past a limit as the limit
                raise self.refusal(f"{place} INT96, and before 1678 or after 2261; write timestamps in microseconds instead")
            # Without the format, polars cuts a time to its seconds.
            texts = found[name].dt.to_string("%T%.9f") if found[name].dtype == pl.Time else found[name].cast(pl.String)
            text = self.shown(column, texts[0])
            raise self.refusal(f"{place} {text}, a column holds microseconds; round it to these")

    def read_through(self) -> None:
        """Read every value, so that a damaged file is refused; raises DuckDB's error for it and for a date out of range."""
        # DuckDB would take a maximum from the footer.
        values = [f"bit_xor(hash({casts.cast(database.quoted(column), kind, kind)}))" for column, kind in self.types.items()]
        self.connection.execute(f"select {', '.join(values)} from raw").fetchall()


def parquet_columns(connection: "duckdb.DuckDBPyConnection", path: Path) -> dict[str, str]:
    """The columns of a Parquet file with their types, by the names that DuckDB gives them."""
    rows = connection.execute(f"describe from {database.parquet([path])}").fetchall()
    return {name: kind for name, kind, *_ in rows}


def reason(error: BaseException, path: Path) -> str:
    """The start of a DuckDB message, in which the file goes by its name."""
    first = str(error).strip().partition("\n")[0]
    text = re.sub(r"^[A-Za-z ]+ Error: ", "", first).replace(str(path), path.name)
    for sign, meaning in _MEANINGS.items():
        if sign in text:
            return _ENCRYPTED if meaning == _CUT and _has_encrypted_columns(path) else meaning
    return text if len(text) <= 200 else f"{text[:200]} …"


def listed(names: Sequence[str]) -> str:
    """The first of some names, and the number of the others."""
    first = ", ".join(shown(name) for name in names[:_NAMED])
    return first + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def shown(text: str) -> str:
    """A value in quotes, cut after some characters and printable on one line."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "'" + "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cut) + "'"


def _has_encrypted_columns(path: Path) -> bool:
    """Whether columns are encrypted below a footer that is not, of which DuckDB knows nothing."""
    import polars as pl

    try:
        pl.scan_parquet(path, glob=False, hive_partitioning=False).head(1).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        return "is encrypted" in str(error)
    return False
