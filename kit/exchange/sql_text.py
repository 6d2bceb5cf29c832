"""SQL, and errors of it, as they may leave the mesh: without comments, and with a placeholder in place of each value."""

import re
from collections.abc import Iterator
from typing import Any

_EXCERPT = re.compile(r"\s*\bLINE \d+: (?:.*?\^|[^\n]*)", re.DOTALL)
_ERROR = re.compile(r"\b\w+ Error\b")
_QUOTED = re.compile(r"'(?:[^']|'')*'")

_SIZED = {"decimal", "numeric", "dec", "varchar", "char", "bpchar"}
"""Types with numbers in parentheses, which are no values."""


def without_literals(sql: str) -> str | None:
    """Return a text of DuckDB's SQL with `?` in place of every text and number; None when it cannot be read.

    All literals are replaced, not only those of hidden columns: which column a value is compared with depends on joins,
    functions and macros, and a person may write a value of a personal column anywhere. Names stay, and so do the sizes of
    types such as `decimal(18, 2)`. Comments, which may contain anything, are left out.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return "".join(_pieces(sql, sqlglot.tokenize(sql, read="duckdb")))
    except (SqlglotError, RecursionError):
        return None


def error_without_literals(message: str) -> str:
    """Return the message of a failure without excerpts of SQL, and with `'?'` in place of what an error of DuckDB quotes."""
    text = _EXCERPT.sub("", message)
    found = _ERROR.search(text)
    return text if found is None else text[: found.start()] + _QUOTED.sub("'?'", text[found.start() :])


def _pieces(sql: str, tokens: list[Any]) -> Iterator[str]:
    end, sized, before = -1, False, ""
    for number, token in enumerate(tokens):
        text, gap = sql[token.start : token.end + 1], sql[end + 1 : token.start]
        end = token.end
        kind = token.token_type.name
        if kind == "NUMBER" or kind.endswith("STRING"):
            text = text if kind == "NUMBER" and sized and text.isdigit() else "?"
        elif number and not gap and before == "?":
            if kind == "VAR":  # 0xFF and 1_000 are a number and a name to the reader
                continue
        elif text == "(":
            sized = number > 0 and sql[tokens[number - 1].start : tokens[number - 1].end + 1].lower() in _SIZED
        elif text != ",":
            sized = False
        yield ("\n" if "\n" in gap else " " if gap else "") if number else ""
        yield text
        before = text
