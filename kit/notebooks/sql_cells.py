"""The query of a `%%sql` cell or a `%sql` line, its position, and the variable for its result."""

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
    """Return the query of a `%%sql` cell, None for any other cell; raises `SqlError` for unknown options."""
    head, _, body = source.partition("\n")
    match = _CELL.fullmatch(head.rstrip())
    return parse(match[1], body) if match else None


def of_line(line: str, row: int) -> tuple[str, SqlText] | None:
    """Return the text before `%sql` in a line and the query after it; None for any other line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    text = parse(match[2], None)
    return match[1], SqlText(text.query, row, text.out)


def parse(line: str, body: str | None) -> SqlText:
    """Parse the text after `%%sql` in its line and the lines below, or a whole `%sql` line when `body` is None.

    Raises `SqlError` for anything other than `--out NAME` before the query.
    """
    match = _OUT.fullmatch(line)
    out, rest = (match[1], match[2].strip()) if match else (None, line.strip())
    if out is not None and (not out.isidentifier() or iskeyword(out)):
        raise SqlError(f"--out {out}: a result needs the name of a variable, such as --out sales")
    if body is None:
        return SqlText(rest, 1, out)
    if rest:
        raise SqlError(f"'{rest}' after %%sql is not understood; only --out NAME may stand there, the query begins below")
    return SqlText(body, 2, out)
