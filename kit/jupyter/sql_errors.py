"""What went wrong with a query, in one message: the line, the place in it, and what may have been meant."""

import json
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import takewhile

from kit.core import SqlError

_TABLE = re.compile(r'Table with name "?([^"\s]+?)"? does not exist')
_COLUMN = re.compile(r'(?:Referenced column "([^"]+)" not found|does not have a column named "([^"]+)")')
_OUTSIDE = re.compile(r'Cannot access (?:file|directory) "([^"]*)"')
_NEAR = re.compile(r'at or near "(.*)"', re.DOTALL)
_KEYWORDS = (
    "select", "from", "where", "group", "order", "having", "limit", "join", "left", "inner", "outer", "using", "with",
    "union", "distinct", "qualify", "between", "case", "when", "then", "else", "end", "pivot", "describe", "summarize",
)  # fmt: skip
_WIDTH = 100


def explained(error: str, query: str, row: int | None, columns: Iterable[str], unknown: Callable[[str], str]) -> SqlError:
    """The error for what DuckDB said, as JSON, about a query that begins in line `row` of its cell, if it has more than one.

    `columns` are those of the tables the query names; `unknown` says what there is to say about a name that is no table.
    """
    said = _said(error)
    text, position = said["exception_message"], int(said["position"]) if "position" in said else None
    if table := _TABLE.match(text):
        problem = unknown(table[1].lower())
    elif column := _COLUMN.search(text):
        name = column[1] or column[2]
        there = sorted(set(columns))
        hint = _meant(get_close_matches(name.lower(), there, n=3)) or f"; there are: {', '.join(there) or 'none'}"
        problem = f"there is no column '{name}'{hint}"
    elif path := _OUTSIDE.search(text):
        problem = f"'{path[1]}' is out of reach: a query reads ports, and frames of the notebook; read the file into a frame"
    elif said.get("error_subtype") == "SYNTAX_ERROR":
        problem = _syntax(text, query, position)
    else:
        # What follows are all the ways a function could have been called.
        problem = " ".join(takewhile(lambda line: "Candidate functions" not in line, text.split("\n"))).strip()
    return pointed(problem, query, row, position)


def pointed(problem: str, query: str, row: int | None, position: int | None) -> SqlError:
    """A problem with the line it is in, and a caret; `position` counts the bytes of the query, as DuckDB does."""
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


def _said(error: str) -> dict[str, str]:
    """What DuckDB said: the message and, if it can tell, the position."""
    kind, _, text = error.partition(": ")
    try:
        said: dict[str, str] = json.loads(text)
    except ValueError:
        return {"exception_message": text or kind}
    return said


def _syntax(text: str, query: str, position: int | None) -> str:
    found = _NEAR.search(text)
    if found is None or position is None:
        return text  # the query ends too early
    before = query.encode()[:position].decode(errors="ignore")
    # A misspelt keyword is taken for a name, and what follows it for the mistake.
    words = [*re.findall(r"\w+", before.lower())[-1:], found[1].lower()]
    near = [word for given in words if given not in _KEYWORDS for word in get_close_matches(given, _KEYWORDS, n=1, cutoff=0.75)]
    return f"syntax error at '{found[1]}'{_meant(near[:1])}"


def _meant(near: list[str]) -> str:
    return f"; did you mean {' or '.join(near)}?" if near else ""
