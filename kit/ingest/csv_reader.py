"""A CSV file as it stands: its header, its fields as text, and the line a record begins on."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kit.core import database

MISSHAPEN = " misshapen"
"""The column of `add_view` that is true where a record has another number of fields than the header; no contract has it."""

_CHUNK = 1 << 20


class NotText(Exception):
    """The file is not whole UTF-8 text; the message says where."""


def header(path: Path) -> tuple[list[str], bool]:
    """The names in the first line, and whether anything in the file is quoted.

    The file is read to its end, since only there a cut archive shows. Raises `NotText`.
    """
    try:
        quoted = _read_through(path)
        with records(path) as rows:
            return next((row for _, row in rows), []), quoted
    except (OSError, EOFError, zlib.error) as error:
        raise NotText(f"is not a whole gzip archive: {error}" if _packed(path) else f"cannot be read: {error}") from None
    except csv.Error as error:
        raise NotText(f"is not readable CSV: {error}") from None


def add_view(connection: Any, path: Path, names: list[str], quoted: bool) -> None:
    """Create the view `raw`: every field as text, an empty one as null, and `MISSHAPEN`."""
    # With one column too many, padded by nulls, short and long records show; a null text no file has (it would not be
    # UTF-8 text without NUL) keeps empty fields apart from missing ones.
    columns = ", ".join(f"{database.literal(name)}: 'varchar'" for name in [*names, MISSHAPEN])
    fields = ", ".join(f"nullif({database.quoted(name)}, '') as {database.quoted(name)}" for name in names)
    wrong = f'({database.quoted(names[-1])} is null or "{MISSHAPEN}" is not null) as "{MISSHAPEN}"'
    connection.execute(
        f"create view raw as select {fields}, {wrong} from read_csv({database.file_literal(path)}, columns = {{{columns}}}, "
        "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', strict_mode = true, "
        f"null_padding = true, nullstr = chr(0), parallel = {str(not quoted).lower()}, "
        f"compression = '{'gzip' if _packed(path) else 'none'}')"
    )


@contextmanager
def records(path: Path) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The records of a file, the header among them and empty lines not, each with the line it begins on."""
    file: IO[str]
    with (gzip.open if _packed(path) else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield _numbered(file)


def _numbered(file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    rows, line = csv.reader(file), 1
    for row in rows:
        if row:
            yield line, row
        line = rows.line_num + 1


def _read_through(path: Path) -> bool:
    decoder, line, quoted = codecs.getincrementaldecoder("utf-8")(), 1, False
    with (gzip.open if _packed(path) else open)(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            if line == 1 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise NotText("is UTF-16; save it as UTF-8")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line += error.object.count(b"\n", 0, error.start)
                raise NotText(f"is not UTF-8: line {line} holds the byte 0x{error.object[error.start]:02x}") from None
            if (place := chunk.find(b"\0")) >= 0:
                line += chunk.count(b"\n", 0, place)
                raise NotText(f"is no text: line {line} holds a NUL byte")
            line += chunk.count(b"\n")
            quoted = quoted or b'"' in chunk
    if decoder.getstate()[0]:
        raise NotText(f"is not UTF-8: it ends amid a letter, on line {line}")
    return quoted


def _packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
