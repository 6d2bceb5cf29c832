"""Regular expressions of contracts: judged by RE2 itself, the library by which DuckDB matches them."""

import re
from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING

from kit.core import database

if TYPE_CHECKING:
    import duckdb

_REASONS = {
    "invalid perl operator": "is a group that RE2 does not have",
    "invalid escape sequence": "is an escape that RE2 does not have",
    "invalid character class range": "is no range or class of characters",
    "invalid repetition size": "repeats more than 1000 times, or from more to fewer",
    "bad repetition operator": "repeats a repetition",
    "no argument for repetition operator": "repeats nothing",
    "missing ]": "is not closed",
    "missing )": "is not closed",
    "unexpected )": "closes nothing",
    "trailing \\": "escapes nothing",
}
_BRACKETS = ("missing ]", "missing )", "unexpected )")
_MANY = re.compile(r"(?<!\\)\{\d{9,}(,\d*)?\}")
_LITERAL = re.compile(r"m?/(?P<pattern>([^/\\]|\\.)+)/(?P<flags>[a-z]*)|r(?P<quote>[\"'])(?P<raw>.*)(?P=quote)")
"""An expression as other languages write it, which can only match a value with the slashes or quotes in it."""
_ADVICE = {
    "(?=": "a lookahead cannot be checked", "(?!": "a lookahead cannot be checked",
    "(?<=": "a lookbehind cannot be checked", "(?<!": "a lookbehind cannot be checked",
    "(?P=": "a back reference cannot be checked",
    "(?<": "a named group is written (?P<name>…)", "\\u": "a character is written as it is, or as \\x{20AC}",
} | {f"\\{digit}": "a back reference cannot be checked" for digit in range(1, 10)}  # fmt: skip


@cache
def problem(pattern: str) -> str:
    """Return why RE2 refuses a regular expression: the construct, its position from 1 and what to do; empty if it does not."""
    if many := _MANY.search(pattern):  # RE2 reads it as plain text
        return f"'{many[0]}' at position {many.start() + 1} {_REASONS['invalid repetition size']}"
    if literal := _LITERAL.fullmatch(pattern):
        flags = "".join(flag for flag in literal["flags"] or "" if flag in "ims")
        bare = (f"(?{flags})" if flags else "") + (literal["pattern"] or literal["raw"])
        return f"the {'quotes' if literal['quote'] else 'slashes'} around it count as characters; write {bare}"
    with database.connect() as connection:
        error = _error(connection, pattern)
        if error is None:
            return ""
        reason, construct = error
        if reason not in _REASONS:
            return f"RE2 refuses it: {reason}"
        position = _position(connection, pattern, reason, construct)
    rest = pattern[position - 1 :]
    start = next((start for start in _ADVICE if rest.startswith(start) and start.startswith(construct)), "")
    shown = rest[:1] if reason in _BRACKETS else start or construct
    return f"'{shown}' at position {position} {_REASONS[reason]}{f'; {_ADVICE[start]}' if start else ''}"


def _error(connection: "duckdb.DuckDBPyConnection", pattern: str) -> tuple[str, str] | None:
    """Return RE2's reason for refusing a pattern, and the part of it that RE2 names."""
    import duckdb

    try:
        connection.execute(f"select regexp_matches('', {database.literal(pattern)})")  # parameters import pandas
    except duckdb.Error as error:
        reason, _, construct = str(error).partition(": ")[2].partition(": ")
        return reason, construct or "\\"
    return None


def _position(connection: "duckdb.DuckDBPyConnection", pattern: str, reason: str, construct: str) -> int:
    """Return the position of the construct, which RE2 does not give: it refuses every start of the pattern that holds it."""
    ends = range(len(pattern) + 1)
    if reason == "missing )":  # RE2 names the whole pattern; the last bracket that is not closed follows the last sound start
        return 1 + next((end for end in reversed(ends) if _error(connection, pattern[:end]) is None), 0)
    if reason == "unexpected )":
        return bisect_left(ends, True, key=lambda end: (_error(connection, pattern[:end]) or ("",))[0] == reason)
    end = bisect_left(ends, True, key=lambda end: _error(connection, pattern[:end]) == (reason, construct))
    return end - len(construct) + 1
