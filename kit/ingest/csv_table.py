"""A CSV file as a table of texts: its header, its rows as the view `raw`, and the lines they are on."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.contracts import CsvFormat
from kit.core import counted, database
from kit.ingest.casts import is_number
from kit.ingest.csv_records import LONGEST, BadRecords, RecordScan
from kit.ingest.csv_text import Undeclared, is_packed, utf8_chunks
from kit.ingest.raw_table import RawTable, shown

MARKERS = ("NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "Null", "null", r"\N", "NaN", "nan", "NaT", "None")
"""Texts that programs write for a missing value."""
WEAK_MARKERS = ("-", "--", ".", "?", "none", "nil", "na", "unknown", "missing")
"""Texts that mean a missing value in a column of numbers or days."""
_TITLES = 100  # records above a header


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that was read once, to its end or its first problem. `header` is its first record, on `header_line`.

    `rows` records follow it. `problem` is the reason why it is no table, as it follows the file's name; empty for a sound
    file. `true_header` is the line on which the header seems to be instead, None without one. `widest` is the largest number
    of fields seen.
    """

    path: Path
    format: CsvFormat
    header: tuple[str, ...]
    header_line: int
    rows: int
    has_quotes: bool
    is_ended: bool
    problem: str
    true_header: int | None
    widest: int

    @classmethod
    def from_path(cls, path: Path, csv_format: CsvFormat, label: str) -> "CsvFile":
        """Read a file; raises `IngestError`, which starts with `label`, where it is no whole text in its encoding."""
        scan = RecordScan(csv_format.delimiter, csv_format.header_line)
        line, records, widest, problem, true_header = 0, 0, 0, "", None
        try:
            for batch in scan.batches(utf8_chunks(path, csv_format.encoding, label)):
                wrong = (batch.fields != len(scan.header)).nonzero()[0]
                if wrong.size:
                    first = int(wrong[0])
                    number = counted(int(batch.fields[first]), "field")
                    problem = f", line {int(batch.lines[first]):,}: has {number}, the header has {len(scan.header)}"
                    true_header = None if records else _true_header(batch.lines.tolist(), batch.fields.tolist())
                line = line or (int(batch.lines[0]) if batch.lines.size else 0)
                records += int(batch.lines.size)
                widest = max(widest, int(batch.fields.max(initial=0)))
                if problem:
                    break
        except BadRecords as error:
            problem = str(error)
        if scan.gap and len(scan.header) == 1 and not problem:
            problem = f', line {scan.gap:,}: is empty; remove it, or write "" for a missing value'
        if scan.header and scan.header[0].lower().startswith("sep="):
            true_header = line + 1
        rows = max(records - 1, 0)
        return cls(path, csv_format, scan.header, line, rows, scan.has_quotes, scan.is_ended, problem, true_header, widest)

    def line(self, row: int) -> int:
        """The line on which a row, counted from 1, starts."""
        scan = RecordScan(self.format.delimiter, self.format.header_line)
        for batch in scan.batches(utf8_chunks(self.path, self.format.encoding, self.path.name)):
            if row < batch.lines.size:
                return int(batch.lines[row])
            row -= int(batch.lines.size)
        raise IndexError(row)


class CsvTable(RawTable):
    """A CSV file in UTF-8 as the view `raw`, in which every column is text."""

    def open(self) -> None:
        """Create the view over the fields of the file; raises `IngestError` for a file that is no table of these columns."""
        self.file = file = CsvFile.from_path(self.path, self.csv, self.label)
        hint = f"; if its header is on line {file.true_header}," if file.true_header else ""
        if (file.header or not file.problem) and (problem := self.name_problem(file.header)):
            if hint:
                raise Undeclared(f"{self.label}: {problem}{hint}", headerLine=file.true_header)
            if len(file.header) == 1 < len(self.names):
                problem += f"; separate its fields by {shown(self.csv.delimiter)}, or declare another delimiter in the contract"
            raise self.refusal(f": {problem}")
        if file.problem:
            raise self.refusal(file.problem)
        if not file.is_ended and not self.csv.open_end:
            problem = "the last line has no end, as in a file that was cut; deliver it whole, or, if its files end so,"
            raise Undeclared(f"{self.label}: {problem}", openEnd="true")
        columns = {name: column for column, name in self.names.items()}
        self.connection.execute(self.view([columns[name] for name in file.header]))
        self.types, self.rows = dict.fromkeys(self.names, "varchar"), file.rows

    def keep(self, path: Path) -> None:
        """Copy the texts to a Parquet file, which is read faster than CSV, and make it the view."""
        name = database.literal(str(path))
        self.connection.execute(f"copy raw to {name} (format parquet)")
        self.connection.execute(f"create or replace view raw as from read_parquet({name})")

    def view(self, columns: Sequence[str]) -> str:
        """SQL that creates the view: the fields in these columns, an empty one and a null marker as null."""
        # A null text that no file has (it would be no text) keeps empty fields from being nulls in one reader only.
        types = ", ".join(f"{database.literal(name)}: 'varchar'" for name in columns)
        nulls = ", ".join(database.literal(text) for text in ("", *self.csv.null_markers))
        fields = ", ".join(
            f"case when {name} not in ({nulls}) then {name} end as {name}" for name in map(database.quoted, columns)
        )
        return (
            f"create view raw as select {fields} from read_csv({database.file_literal(self.path)}, "
            f"columns = {{{types}}}, auto_detect = false, header = true, skip = {self.file.header_line - 1}, "
            f"delim = {database.literal(self.csv.delimiter)}, quote = '\"', escape = '\"', strict_mode = true, "
            f"nullstr = chr(0), max_line_size = {LONGEST + 100}, parallel = {str(not self.file.has_quotes).lower()}, "
            f"compression = '{'gzip' if is_packed(self.path) else 'none'}')"
        )

    def value(self, column: str, kind: str) -> str:
        """A number with a decimal comma has a point for DuckDB; one with a point is none."""
        name = database.quoted(column)
        return f"translate({name}, ',.', '.,')" if self.csv.decimal_comma and is_number(kind) else name

    def form(self, column: str, kind: str) -> str:
        """The form of the texts of a type, where it is not obvious."""
        return ", written 1234,50" if self.csv.decimal_comma and is_number(kind) else super().form(column, kind)

    def hint(self, text: str, kind: str) -> str:
        """The declaration under which a null marker is null, or a number with a comma a number."""
        if text in (*MARKERS, *WEAK_MARKERS):
            markers = json.dumps([*self.csv.null_markers, text], ensure_ascii=False)
            return f"; if it means a missing value, declare nullMarkers: {markers} in the property csv of its contract"
        if is_number(kind) and not self.csv.decimal_comma and re.fullmatch(r"[-+]?[0-9]+,[0-9]+", text):
            return "; if all numbers are written so, declare decimalComma: true in the property csv of its contract"
        return ""

    def place(self, row: int) -> str:
        """The line on which a row starts."""
        return f"line {self.file.line(row):,}"


def header(path: Path, csv_format: CsvFormat, label: str) -> tuple[str, ...]:
    """The fields of the first record; none where it is no record."""
    scan = RecordScan(csv_format.delimiter, csv_format.header_line)
    try:
        next((batch for batch in scan.batches(utf8_chunks(path, csv_format.encoding, label)) if scan.header), None)
    except BadRecords:
        return ()
    return scan.header


def _true_header(lines: Sequence[int], fields: Sequence[int]) -> int | None:
    """The line of the first of the records at the end that have one number of fields, where all before have fewer."""
    first = next((place for place in range(len(fields), 0, -1) if fields[place - 1] != fields[-1]), 0)
    is_below_title = 0 < first <= min(_TITLES, len(fields) - 2) and max(fields[:first]) < fields[-1]
    return lines[first] if is_below_title else None
