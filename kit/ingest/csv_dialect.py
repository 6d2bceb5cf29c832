"""The format of a CSV file that no contract describes, found in all of its records."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.contracts import CsvFormat
from kit.core import IngestError
from kit.ingest.csv_table import CsvFile, header
from kit.ingest.csv_text import Undeclared, utf8_chunks

_DELIMITERS = (",", ";", "\t", "|")
_RARE_DELIMITERS = ("^", "~", "\x01", "\x1f")
_SEPARATOR_LINE = re.compile(rb'"?sep=([\x01-\x7f])"?(\r\n|\n|\r)', re.IGNORECASE)


def described(path: Path, declared: Mapping[str, Any], label: str) -> CsvFile:
    """Read a file in the format that fits it; `declared` are the keys of a contract that a person has given.

    Its delimiter is the one under which all records have the same number of fields, at least two; a file that no delimiter
    divides has one column. Raises `IngestError`, which starts with `label`, where no delimiter fits or several do, or a rare
    one that only a person can tell from text.
    """
    found = _separator_line(path, CsvFormat.from_keys(declared).encoding, label) | dict(declared)
    formats = [CsvFormat.from_keys({"delimiter": sign} | found) for sign in _DELIMITERS[: 1 if "delimiter" in found else None]]
    dividing = [item for item in formats if len(header(path, item, label)) > 1]
    file = _fitting([CsvFile.from_path(path, item, label) for item in dividing or formats], label)
    if len(file.header) == 1 and "delimiter" not in found:
        _ask_for_rare(path, found, label)
    if file.is_ended or "openEnd" in found:
        return file
    return CsvFile.from_path(path, CsvFormat.from_keys(file.format.to_keys() | {"openEnd": True}), label)


def _ask_for_rare(path: Path, found: Mapping[str, Any], label: str) -> None:
    for sign in _RARE_DELIMITERS:
        file = CsvFile.from_path(path, CsvFormat.from_keys({"delimiter": sign, **found}), label)
        if len(file.header) > 1 and not file.problem:
            problem = f"its fields may be separated by {sign!r} ({len(file.header)} in each record)"
            raise Undeclared(f"{label}: {problem}; if they are,", delimiter=sign)


def _separator_line(path: Path, encoding: str, label: str) -> dict[str, Any]:
    """What a first line such as `sep=;`, which Excel writes, says."""
    line = _SEPARATOR_LINE.match(next(utf8_chunks(path, encoding, label), b""))
    return {"delimiter": line[1].decode(), "headerLine": 2} if line else {}


def _fitting(files: list[CsvFile], label: str) -> CsvFile:
    fitting = [file for file in files if not file.problem and len(file.header) > 1]
    # In a text a comma is followed by a space, a delimiter is not.
    tidy = [file for file in fitting if all(name == name.strip() for name in file.header)]
    if len(tidy or fitting) == 1:
        return (tidy or fitting)[0]
    if fitting:
        each = " or ".join(f"{file.format.delimiter!r} ({len(file.header)} in each record)" for file in fitting)
        raise Undeclared(
            f"{label}: its fields may be separated by {each}; choose one, for example", delimiter=fitting[-1].format.delimiter
        )
    if not any(file.problem for file in files):
        return files[0]
    wrong = [file for file in files if file.widest > 1] or [file for file in files if file.problem]
    below = sorted((file for file in wrong if file.true_header), key=lambda file: -file.widest)
    if below and below[0].widest > max((file.widest for file in wrong if file is not below[0]), default=0):
        line = below[0].true_header
        raise Undeclared(f"{label}{below[0].problem}; if its header is on line {line},", headerLine=line)
    if len({file.problem for file in wrong}) == 1:
        raise IngestError(f"{label}{wrong[0].problem}")
    each = "; ".join(f"{file.format.delimiter!r}{file.problem}" for file in wrong)
    raise IngestError(f"{label}: no delimiter gives its records the same number of fields: {each}")
