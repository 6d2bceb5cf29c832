"""Errors of queries as one message: the line, the position in it, and similar names."""

import json
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import takewhile

from kit.core import SqlError, did_you_mean, there_are

_TABLE = re.compile(r'Table with name "?([^"\s]+?)"? does not exist')
_COLUMN = re.compile(r'(?:Referenced column "([^"]+)" not found|does not have a column named "([^"]+)")')
_OUTSIDE = re.compile(r'Cannot access (?:file|directory) "([^"]*)"')
_NEAR = re.compile(r'at or near "(.*)"', re.DOTALL)
_KEYWORDS = (
    "select", "from", "where", "group", "order", "having", "limit", "join", "left", "inner", "outer", "using", "with",
    "union", "distinct", "qualify", "between", "case", "when", "then", "else", "end", "pivot", "describe", "summarize",
)  # fmt: skip
_WIDTH = 100


def explain(
    error: str, query: str, row: int | None, columns: Iterable[str], describe_unknown: Callable[[str], str]
) -> SqlError:
    """Return the error for a message of DuckDB, as JSON, about a query that begins in line `row` of its cell.

    `row` is None for a cell of one line. `columns` are those of the tables that the query names; `describe_unknown` returns
    the message for a name that is no table.
    """
    details = _parse(error)
    text, position = details["exception_message"], int(details["position"]) if "position" in details else None
    if table := _TABLE.match(text):
        problem = describe_unknown(table[1].lower())
    elif column := _COLUMN.search(text):
        name = column[1] or column[2]
        known = sorted(set(columns))
        problem = f"there is no column '{name}'; {there_are(name, known)}"
    elif path := _OUTSIDE.search(text):
        problem = f"'{path[1]}' is out of reach: a query reads ports, and frames of the notebook; read the file into a frame"
    elif details.get("error_subtype") == "SYNTAX_ERROR":
        problem = _syntax(text, query, position)
    else:
        # The rest lists all signatures of the function.
        problem = " ".join(takewhile(lambda line: "Candidate functions" not in line, text.split("\n"))).strip()
    return point_at(problem, query, row, position)


def point_at(problem: str, query: str, row: int | None, position: int | None) -> SqlError:
    """Return the error with its line and a caret; `position` counts the bytes of the query, as DuckDB does."""
    if position is None:
        return SqlError(problem)
    before = query.encode()[:position].decode(errors="ignore")
    start = before.rfind("\n") + 1
    line, column = query[start:].partition("\n")[0].rstrip().replace("\t", " "), len(before) - start
    cut = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
    first, last = "…" if cut else "", "…" if len(line) > cut + _WIDTH else ""
    caret = " " * (column - cut + len(first))
    where = f"line {row + before.count(chr(10))}: " if row else ""
    return SqlError(f"{where}{problem}\n    {first}{line[cut : cut + _WIDTH]}{last}\n    {caret}^")


def _parse(error: str) -> dict[str, str]:
    """Return DuckDB's message and, if known, its position."""
    kind, _, text = error.partition(": ")
    try:
        details: dict[str, str] = json.loads(text)
    except ValueError:
        return {"exception_message": text or kind}
    return details


def _syntax(text: str, query: str, position: int | None) -> str:
    near_text = _NEAR.search(text)
    if near_text is None or position is None:
        return text  # the query ends too early
    before = query.encode()[:position].decode(errors="ignore")
    # DuckDB takes a misspelt keyword for a name, and the next word for the error.
    words = [*re.findall(r"\w+", before.lower())[-1:], near_text[1].lower()]
    similar = [
        match for word in words if word not in _KEYWORDS for match in get_close_matches(word, _KEYWORDS, n=1, cutoff=0.75)
    ]
    return "; ".join(filter(None, (f"syntax error at '{near_text[1]}'", did_you_mean(similar[:1]))))
