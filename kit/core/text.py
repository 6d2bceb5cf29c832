"""Plain text: aligned tables, numbers with their nouns."""

from collections.abc import Sequence


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose columns stand below their names."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 source`, `2 sources`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
