"""What a `%%sql` cell or a `%sql` line says: its query, where that begins, and the name its result gets."""

import re
from dataclasses import dataclass
from keyword import iskeyword

from kit.core import SqlError

_CELL = re.compile(r"%%sql(?![\w.])(.*)")
_LINE = re.compile(r"(\s*(?:\w[\w.,\s\[\]'\"]*=\s*)?)%sql(?![\w.])(.*)")
_OUT = re.compile(r"\s*--out(?:\s+|=)(\S+)(.*)")


@dataclass(frozen=True)
class SqlText:
    """A query; `row` is the line of its cell it begins in, counted from 1, `out` the variable that gets its result."""

    query: str
    row: int
    out: str | None = None


def of_cell(source: str) -> SqlText | None:
    """The query of a cell, None for one of another kind; raises `SqlError` for options nobody knows."""
    head, _, body = source.partition("\n")
    found = _CELL.fullmatch(head.rstrip())
    return parse(found[1], body) if found else None


def of_line(line: str, row: int) -> tuple[str, SqlText] | None:
    """What stands before `%sql` in a line, with the query after it; None for any other line."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    text = parse(found[2], None)
    return found[1], SqlText(text.query, row, text.out)


def parse(line: str, body: str | None) -> SqlText:
    """What follows `%%sql` in its line, and the lines below; without these it is a `%sql` line, query and all.

    Raises `SqlError` for anything else than `--out NAME` before the query.
    """
    found = _OUT.fullmatch(line)
    out, rest = (found[1], found[2].strip()) if found else (None, line.strip())
    if out is not None and (not out.isidentifier() or iskeyword(out)):
        raise SqlError(f"--out {out}: a result needs the name of a variable, such as --out sales")
    if body is None:
        return SqlText(rest, 1, out)
    if rest:
        raise SqlError(f"'{rest}' after %%sql is not understood; only --out NAME may stand there, the query begins below")
    return SqlText(body, 2, out)
