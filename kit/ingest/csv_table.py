"""CSV files as text: the header, the fields as they are in the file, and the line each record starts on."""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kit.contracts import CsvFormat
from kit.core import IngestError, counted, database
from kit.ingest.raw_table import RawTable, shown

_MISSHAPEN = " misshapen"
"""The column of the view that is true where a record has another number of fields than the header; no contract has it."""

_CHUNK = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that is UTF-8 text from its start to its end. `header` holds the fields of its first record.

    `skipped` is the number of empty lines before the header.
    """

    path: Path
    format: CsvFormat
    header: tuple[str, ...]
    skipped: int
    has_quotes: bool

    @classmethod
    def from_path(cls, path: Path, csv_format: CsvFormat | None, label: str) -> "CsvFile":
        """Read a file, plain or packed by gzip, once to its end; without a format, its first line decides on the delimiter.

        Raises `IngestError`, which starts with `label`, for a file that is not whole UTF-8 text.
        """
        try:
            has_quotes = _read_through(path, label)
            csv_format = csv_format or _detected_format(path)
            with _records(path, csv_format) as records:
                line, header = next(records, (1, []))
            return cls(path, csv_format, tuple(header), line - 1, has_quotes)
        except (OSError, EOFError, zlib.error) as error:
            problem = f"is not a whole gzip archive: {error}" if _is_packed(path) else f"cannot be read: {error}"
            raise IngestError(f"{label} {problem}") from None
        except csv.Error as error:
            raise IngestError(f"{label} is not readable CSV: {error}") from None

    def misshapen_record(self) -> tuple[int, int] | None:
        """The line of the first record whose number of fields is not that of the header, and that number."""
        try:
            with _records(self.path, self.format) as records:
                return next(((line, len(fields)) for line, fields in records if len(fields) != len(self.header)), None)
        except csv.Error:
            return None  # DuckDB refuses that line too

    def line(self, row: int) -> int | None:
        """The line on which a row starts, counted from 1; None where the file cannot be read up to it."""
        try:
            with _records(self.path, self.format) as records:
                return next((line for position, (line, _) in enumerate(records) if position == row), None)
        except csv.Error:
            return None


class CsvTable(RawTable):
    """A CSV file as the view `raw`, in which every column is text."""

    def open(self) -> None:
        """Create the view over the fields of the file; raises `IngestError` for other names in its header."""
        self.file = CsvFile.from_path(self.path, self.csv, self.label)
        if problem := self.name_problem(self.file.header):
            if len(self.file.header) == 1 < len(self.names):
                problem += f"; separate its fields by {shown(self.csv.delimiter)}, or declare another delimiter in the contract"
            raise self.refusal(f": {problem}")
        columns = {name: column for column, name in self.names.items()}
        self.connection.execute(self.view([columns[name] for name in self.file.header]))
        self.types = dict.fromkeys(self.names, "varchar")

    def view(self, columns: Sequence[str]) -> str:
        """SQL that creates the view: the fields in these columns, an empty one as null, and `_MISSHAPEN`."""
        # With one column too many, padded by nulls, short and long records show; a null text no file has (it would not be
        # UTF-8 text without NUL) keeps empty fields apart from missing ones.
        types = ", ".join(f"{database.literal(name)}: 'varchar'" for name in [*columns, _MISSHAPEN])
        fields = ", ".join(f"nullif({database.quoted(name)}, '') as {database.quoted(name)}" for name in columns)
        misshapen = f'({database.quoted(columns[-1])} is null or "{_MISSHAPEN}" is not null) as "{_MISSHAPEN}"'
        return (
            f"create view raw as select {fields}, {misshapen} from read_csv({database.file_literal(self.path)}, "
            f"columns = {{{types}}}, auto_detect = false, header = true, skip = {self.file.skipped}, "
            f"delim = {database.literal(self.csv.delimiter)}, "
            "quote = '\"', escape = '\"', strict_mode = true, null_padding = true, nullstr = chr(0), "
            f"parallel = {str(not self.file.has_quotes).lower()}, "
            f"compression = '{'gzip' if _is_packed(self.path) else 'none'}')"
        )

    def condition(self) -> str:
        """A `where` clause that stops the query at a record with another number of fields than the header."""
        return f' where case when "{_MISSHAPEN}" then error("{_MISSHAPEN}"::varchar) else true end'

    def problem(self, error: Exception) -> str:
        """The first record with another number of fields than the header, or else as for any table."""
        if misshapen := self.file.misshapen_record():
            line, fields = misshapen
            return f", line {line:,}: has {counted(fields, 'field')}, the header has {len(self.file.header)}"
        return super().problem(error)

    def place(self, row: int) -> str:
        """The line on which a row starts."""
        line = self.file.line(row)
        return super().place(row) if line is None else f"line {line:,}"

    def reason(self, error: Exception) -> str:
        """The problem that DuckDB finds in a line, without the text of the line."""
        lines = str(error).strip().splitlines()
        if "state machine" in lines[0]:
            return "its lines must all end the same way, and a quote within quotes be doubled"
        line = re.search(r"CSV Error on (Line: \d+)", lines[0])
        if line and len(lines) > 2 and lines[1].startswith("Original Line:"):
            problem = next((text for text in lines[2:] if text.strip()), "")
            return f"{line[1].lower().replace(':', '')}: {problem[:200]}"
        return super().reason(error)


@contextmanager
def _records(path: Path, csv_format: CsvFormat) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The records of a file, its header included and its empty lines not, each with the line it starts on."""
    file: IO[str]
    with (gzip.open if _is_packed(path) else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield _numbered(file, csv_format)


def _numbered(file: IO[str], csv_format: CsvFormat) -> Iterator[tuple[int, list[str]]]:
    records, line = csv.reader(file, delimiter=csv_format.delimiter), 1
    for fields in records:
        if fields:
            yield line, fields
        line = records.line_num + 1


def _detected_format(path: Path) -> CsvFormat:
    """The format whose delimiter occurs most often in the first line that is not empty."""
    with (gzip.open if _is_packed(path) else open)(path, "rt", encoding="utf-8-sig") as file:
        line = next((line for line in file if line.strip("\n")), "")
    return CsvFormat(max(_DELIMITERS, key=line.count))


def _read_through(path: Path, label: str) -> bool:
    """Whether a file has quotes. It is read to its end, since only there a cut archive shows."""
    decoder, line, has_quotes = codecs.getincrementaldecoder("utf-8")(), 1, False
    with (gzip.open if _is_packed(path) else open)(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            if line == 1 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise IngestError(f"{label} is UTF-16; save it as UTF-8")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                byte = f"0x{error.object[error.start]:02x}"
                raise IngestError(f"{label} is not UTF-8: line {line} holds the byte {byte}") from None
            if (place := chunk.find(b"\0")) >= 0:
                line += chunk.count(b"\n", 0, place)
                raise IngestError(f"{label} is no text: line {line} holds a NUL byte")
            line += chunk.count(b"\n")
            has_quotes = has_quotes or b'"' in chunk
    if decoder.getstate()[0]:
        raise IngestError(f"{label} is not UTF-8: it ends inside a character, on line {line}")
    return has_quotes


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
