"""Plain text: places in files, aligned tables, numbers with nouns."""

from collections.abc import Sequence
from pathlib import Path


def short(path: Path) -> str:
    """The path as a person would type it: relative to the working directory if it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def place(path: Path | None, line: int | None) -> str:
    """A place as `path:line`; the line, counted from 1, or all of it may be unknown."""
    if path is None:
        return ""
    return short(path) if line is None else f"{short(path)}:{line}"


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table with aligned columns."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 source`, `2,000 sources`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
