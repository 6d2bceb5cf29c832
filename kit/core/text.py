"""Plain text: aligned tables, numbers with nouns."""

from collections.abc import Sequence


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table with aligned columns."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 source`, `2 sources`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
