"""The one reader of raw files: the rows of a Parquet or CSV file in the types of a contract, exactly, or `IngestError`."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from kit.contracts import Contract, CsvFormat
from kit.core import IngestError, database, machine_problem
from kit.ingest.csv_table import CsvTable
from kit.ingest.csv_text import utf8_chunks
from kit.ingest.raw_table import ParquetTable, RawTable

SUFFIXES = (".parquet", ".csv", ".csv.gz")
"""The endings of the names of raw files, in capitals or not."""
_READER = 3
"""Increased when the same bytes are read as other values, or refused: what was landed before is not used again."""


@dataclass(frozen=True)
class FileSchema:
    """The columns a raw file must have: their types and their names in the file, by name, and the format of a CSV file.

    Errors do not quote values of the `hidden` ones.
    """

    types: Mapping[str, str]
    names: Mapping[str, str]
    csv: CsvFormat = field(default_factory=CsvFormat)
    hidden: Collection[str] = ()

    @classmethod
    def from_contract(cls, contract: Contract, hidden: Collection[str] = ()) -> "FileSchema":
        """What the contract of a source says about its files; `hidden` are columns that another contract hides."""
        hidden = {*hidden, *(column.name for column in contract.hidden_columns)}
        types = {column.name: column.type for column in contract.columns}
        return cls(
            types, {column.name: column.physical_name or column.name for column in contract.columns}, contract.csv, hidden
        )

    def digest(self) -> str:
        """A digest of all that decides on how the bytes of a file are read."""
        raw_names = [f" from {self.names[column]}" if self.names[column] != column else "" for column in self.types]
        columns = [f"{column} {kind}{name}" for (column, kind), name in zip(self.types.items(), raw_names, strict=True)]
        text = f"{_READER} " + ",".join(columns) + (f" {self.csv}" if self.csv != CsvFormat() else "")
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def is_raw_file(path: Path) -> bool:
    """Whether a file of this name can be read."""
    return path.name.lower().endswith(SUFFIXES)


def convert(label: str, schema: FileSchema, path: Path, target: Path) -> None:
    """Write the rows of a raw file as Parquet, with the columns and types of the schema.

    A Parquet file that has them already is copied byte for byte. Raises `IngestError`, which starts with `label`.
    """
    with open_table(label, path, schema.names, schema.csv) as table:
        table.hidden = schema.hidden
        table.write(schema.types, target)


@contextmanager
def open_table(label: str, path: Path, names: Mapping[str, str], csv: CsvFormat) -> Iterator[RawTable]:
    """A raw file as the view `raw`, which has a column for each of `names`, whose values are the names in the file.

    Raises `IngestError`, which starts with `label`, for a file that cannot be read or has other columns; an error of
    DuckDB inside becomes one as well.
    """
    import duckdb

    if not is_raw_file(path):
        raise IngestError(f"{label} is none of {', '.join(SUFFIXES)}; return the path of such a file, or a polars frame")
    with TemporaryDirectory(prefix="kit-") as folder, database.connect() as connection:
        if csv.encoding != "utf-8" and path.suffix.lower() != ".parquet":
            copy = Path(folder) / "utf-8.csv"
            with copy.open("wb") as file:
                file.writelines(utf8_chunks(path, csv.encoding, label))
            path, csv = copy, replace(csv, encoding="utf-8")
        # The machine must not decide which moment a text means.
        connection.execute("set timezone = 'UTC'")
        kind = ParquetTable if path.suffix.lower() == ".parquet" else CsvTable
        table = kind(label, path, names, csv, connection)
        try:
            table.open()
            yield table
        except duckdb.Error as error:
            problem = machine_problem(error)
            raise IngestError(f"{label}: {problem}" if problem else f"{label}{table.problem(error)}") from None
