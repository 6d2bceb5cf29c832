"""The text of a CSV file as UTF-8, whatever its encoding is, packed by gzip or not."""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit.core import IngestError

_CHUNK = 1 << 22
_CONTROLS = re.compile("[\x80-\x9f]")
_GZIP = b"\x1f\x8b"
_OTHER_FILES = {
    _GZIP: "is packed by gzip; give its name the ending .csv.gz",
    b"PK\3\4": "is a ZIP archive, as workbooks of Excel are; export it as CSV",
    b"\xd0\xcf\x11\xe0": "is a workbook of Excel; export it as CSV",
    b"PAR1": "is a Parquet file; give its name the ending .parquet",
    codecs.BOM_UTF32_LE: "is UTF-32; save it as UTF-8",
    codecs.BOM_UTF32_BE: "is UTF-32; save it as UTF-8",
}
"""The first bytes of files that are no CSV, and what to do with one."""
_ONE_BYTE = ("latin-1", "iso-8859", "windows-125")


class Undeclared(IngestError):
    """A CSV file that is readable under another format; `keys` are what a contract would declare."""

    def __init__(self, problem: str, **keys: Any) -> None:
        super().__init__(problem)
        self.keys = keys

    def __str__(self) -> str:
        declaration = ", ".join(f"{key}: {value}" for key, value in self.keys.items())
        return f"{self.problem} declare {declaration} in the property csv of its contract"


def is_packed(path: Path) -> bool:
    """Whether the name of a file says that it is packed by gzip."""
    return path.suffix.lower() == ".gz"


def utf8_chunks(path: Path, encoding: str, label: str) -> Iterator[bytes]:
    """The text of a file in pieces of UTF-8, without a byte order mark.

    It is read to its end, since only there a cut archive shows. Raises `IngestError`, which starts with `label`, for a
    file that is no text in the encoding.
    """
    try:
        with path.open("rb") as start:
            first = start.read(4)
        is_other = is_packed(path) and first and not first.startswith(_GZIP)
        if problem := "is not packed by gzip; give its name the ending .csv" if is_other else _other_file(path, first):
            raise IngestError(f"{label} {problem}")
        with (gzip.open if is_packed(path) else open)(path, "rb") as file:
            text = _Text(encoding, label)
            while chunk := file.read(_CHUNK):
                yield text.utf8(chunk)
            text.end()
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise IngestError(f"{label} is not a whole gzip archive, as one that was cut or damaged; deliver it again") from None
    except OSError as error:
        raise IngestError(f"{label} cannot be read: {error.strerror or error}") from None


def _other_file(path: Path, first: bytes) -> str:
    """What a file is whose first bytes are those of no CSV; empty for others."""
    return "" if is_packed(path) else next((text for sign, text in _OTHER_FILES.items() if first.startswith(sign)), "")


class _Text:
    """Turns the bytes of one file into UTF-8; `line` is the line it has come to."""

    def __init__(self, encoding: str, label: str) -> None:
        self.encoding, self.label, self.line, self.is_start = encoding, label, 1, True
        self.decoder = codecs.getincrementaldecoder(encoding)()
        # A text in a one-byte encoding is by no accident also UTF-8.
        is_checked = encoding.startswith(_ONE_BYTE)
        self.utf8_decoder = codecs.getincrementaldecoder("utf-8")() if is_checked else None
        self.is_ascii = True

    def utf8(self, chunk: bytes) -> bytes:
        """The next bytes of the file as UTF-8."""
        if self.is_start and self.encoding == "utf-8" and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise Undeclared(f"{self.label} is UTF-16; save it as UTF-8, or", encoding="utf-16")
        self.check_other(chunk)
        try:
            text = self.decoder.decode(chunk)
        except UnicodeDecodeError as error:
            self.line += error.object.count(b"\n", 0, error.start)
            raise self.wrong_byte(error.object[error.start]) from None
        except UnicodeError:
            problem = f"{self.label} is not {self.encoding}: it does not start with a byte order mark"
            raise IngestError(f"{problem}; declare utf-16-le or utf-16-be") from None
        if self.encoding.startswith(("latin", "iso")) and (control := _CONTROLS.search(text)):
            self.line += text.count("\n", 0, control.start())
            raise self.wrong_byte(ord(control[0]))
        if is_start := self.is_start:
            text, self.is_start = text.removeprefix("\ufeff"), False
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        if (place := text.find("\0")) >= 0:
            if (
                self.encoding == "utf-8" and is_start and text[:2].count("\0") == 1
            ):  # a character of ASCII has a zero byte in UTF-16
                raise Undeclared(
                    f"{self.label} seems to be UTF-16; save it as UTF-8, or", encoding=("utf-16-be", "utf-16-le")[place]
                )
            self.line += text.count("\n", 0, place)
            raise IngestError(f"{self.label} is no text: line {self.line:,} holds a NUL byte")
        self.line += text.count("\n")
        return chunk if self.encoding == "utf-8" else text.encode()

    def wrong_byte(self, byte: int) -> IngestError:
        """The error for a byte that is no character; in the encodings of Windows most of them are."""
        name = "UTF-8" if self.encoding == "utf-8" else self.encoding
        problem = f"{self.label} is not {name}: line {self.line:,} holds the byte 0x{byte:02x}"
        guess = "windows-1252" if byte < 0xA0 else "latin-1"
        if name != "UTF-8" and not (self.encoding.startswith(("latin", "iso")) and byte < 0xA0):
            return IngestError(f"{problem}; declare another encoding")
        return Undeclared(f"{problem}; if it is {guess},", encoding=guess)

    def check_other(self, chunk: bytes) -> None:
        """Find out whether the text is also UTF-8."""
        self.is_ascii = self.is_ascii and chunk.isascii()
        try:
            if self.utf8_decoder:
                self.utf8_decoder.decode(chunk)
        except UnicodeDecodeError:
            self.utf8_decoder = None

    def end(self) -> None:
        """Raise `IngestError` for a file that ends inside a character or is UTF-8 in place of its encoding."""
        if self.decoder.getstate()[0]:
            name = "UTF-8" if self.encoding == "utf-8" else self.encoding
            raise IngestError(f"{self.label} is not {name}: it ends inside a character, on line {self.line:,}")
        if self.utf8_decoder and not self.is_ascii:
            raise Undeclared(f"{self.label} is UTF-8, not {self.encoding};", encoding="utf-8")
