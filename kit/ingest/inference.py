"""A raw file without a contract: its format, names that a contract can have, and its rows in inferred types."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from kit.contracts import CsvFormat
from kit.core import IDENTIFIER, KNOWN_TYPES, IngestError, database, normal_type, short
from kit.ingest.csv_dialect import described
from kit.ingest.csv_table import CsvTable
from kit.ingest.csv_text import Undeclared
from kit.ingest.odd_text import odd_texts
from kit.ingest.raw_table import RawTable, listed, parquet_columns, reason
from kit.ingest.text_types import questions, text_types
from kit.ingest.typed_reader import SUFFIXES, is_raw_file, open_table

_VALUE = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*")


@dataclass(frozen=True)
class RawFile:
    """A Parquet or CSV file without a contract. `names` are the names of its columns in the file, by the name proposed."""

    path: Path
    names: Mapping[str, str]
    csv: CsvFormat

    @classmethod
    def from_path(cls, path: Path, csv: Mapping[str, Any] = MappingProxyType({})) -> "RawFile":
        """Read the names of the columns and find the format of a CSV file, of which `csv` has the keys that are known.

        Raises `IngestError` with one sentence.
        """
        import duckdb

        if path.is_dir():
            raise IngestError(f"{short(path)} is a folder; name one file, {', '.join(SUFFIXES)}")
        if not path.is_file():
            raise IngestError(f"there is no file {short(path)}")
        if not is_raw_file(path):
            raise IngestError(f"{short(path)} is none of {', '.join(SUFFIXES)}")
        if path.suffix.lower() != ".parquet":
            file = described(path, csv, short(path))
            return cls(path, _proposed_names(path, file.header), file.format)
        if csv:
            raise IngestError(f"{short(path)} is no CSV file, which {', '.join(csv)} would describe")
        try:
            with database.connect() as connection:
                return cls(path, _proposed_names(path, list(parquet_columns(connection, path))), CsvFormat())
        except duckdb.Error as error:
            raise IngestError(f"{short(path)} cannot be read: {reason(error, path)}") from None

    def write(self, target: Path) -> dict[str, str]:
        """Write the rows as Parquet under the proposed names, each column in a type from which every text comes back.

        The rows are those that a source with these names, types and format lands. Return the questions that a person
        decides about columns that stay text, by name. Raises `IngestError` for a file that cannot be read to its end, one
        without rows, and a type that no contract can have.
        """
        with (
            TemporaryDirectory(prefix="kit-") as folder,
            open_table(short(self.path), self.path, self.names, self.csv) as table,
        ):
            rows = table.rows
            if rows is None:
                (rows,) = table.connection.execute("select count(*) from raw").fetchone() or (0,)
            if not rows:
                raise IngestError(f"{short(self.path)} has no rows from which a contract can be drafted; give it at least one")
            if not isinstance(table, CsvTable):
                table.write(dict(self._declared_types(table)), target)
                return {}
            table.keep(Path(folder) / "texts.parquet")
            types = text_types(table)
            self._refuse_values_as_names(table, types)
            table.write(types, target)
            texts = [column for column, kind in types.items() if kind == "varchar"]
            asked = questions(table, texts)
            asked |= odd_texts(table, [column for column in texts if column not in asked])
            if len(texts) == len(types) and not asked and self.csv.header_line is None:
                doubt = f"{listed([self.names[name] for name in texts])} in the first line are taken as names, not as a row"
                asked[texts[0]] = f"{doubt}. Right? If not, write a line with names above it"
            return asked

    def _refuse_values_as_names(self, table: CsvTable, types: Mapping[str, str]) -> None:
        """Raise `IngestError` where the header is like the rows below it.

        It has numbers and days above columns of such, or, above columns of text, one of the texts below it.
        """
        if self.csv.header_line is not None:
            return
        names = [self.names[column] for column, kind in types.items() if kind != "varchar"]
        if names and not all(_VALUE.fullmatch(name) for name in names):
            return
        if names or self._is_value(table):
            names = names or list(self.names.values())
            problem = f"{short(self.path)}: its first line holds values, not names: {listed(names)}"
            raise Undeclared(f"{problem}; write a line with the names above it, or, if these are names,", headerLine=1)

    def _is_value(self, table: CsvTable) -> bool:
        """Whether a name is also a value of its column, other than in a line that repeats the header."""
        same = [f"{database.quoted(column)} = {database.literal(name)}" for column, name in self.names.items()]
        query = f"select bool_or(({' or '.join(same)}) and not ({' and '.join(same)})) from raw"
        return table.connection.execute(query).fetchone() == (True,)

    def _declared_types(self, table: RawTable) -> Iterator[tuple[str, str]]:
        for column, declared in table.types.items():
            kind = normal_type(re.sub("^(time|timestamp)_(s|ms|ns)\\b", r"\1", declared))
            if kind is None:
                allowed = ", ".join(sorted(KNOWN_TYPES))
                raise IngestError(
                    f"the column '{self.names[column]}' is {declared}, which no contract can promise; cast it to {allowed}",
                    self.path,
                )
            yield column, kind


def identifier(text: str) -> str:
    """A name made of a text: `Store Nr.` becomes `store_nr`; empty when no character of it can stay."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (f"n{name}" if name[:1].isdigit() else name)[:63]


def _proposed_names(path: Path, header: Sequence[str]) -> dict[str, str]:
    """The names in the file by those proposed; raises `IngestError` for a missing or duplicate name."""
    names: dict[str, str] = {}
    for position, raw_name in enumerate(header, 1):
        name = raw_name if IDENTIFIER.fullmatch(raw_name) else identifier(raw_name) or f"column_{position}"
        if not raw_name.strip():
            problem = f"{short(path)}: the column {position} has no name in the first line; give it one"
            raise Undeclared(f"{problem}, or, if the header is on another line,", headerLine="N")
        if raw_name in names.values():
            raise IngestError(f"the column '{raw_name}' occurs twice; rename one of them", path)
        if name in names:
            raise IngestError(
                f"the columns '{names[name]}' and '{raw_name}' would both be called '{name}'; rename one of them", path
            )
        names[name] = raw_name
    if not names:
        raise IngestError(f"{short(path)} is empty; a port needs at least columns")
    return names
