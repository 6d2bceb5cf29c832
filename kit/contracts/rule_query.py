"""The SQL of a rule with the places of its table kept apart, so that no value in it is ever taken for such a place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

TABLE = "${table}"
_BATCH = "{batch}"
_QUERY = "unexpected_rows_query"
# Names in quotes, comments and strings, in which a query says nothing; and the table, where it stands outside of them.
_TOKENS = re.compile(
    r"""(?P<name>"[^"]*")|(?P<comment>--[^\n]*)|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\be'(?:\\.|''|[^'\\])*'|'[^']*'|"""
    r"(?P<table>\$\{table\})",
    re.IGNORECASE | re.DOTALL,
)
# What SQLAlchemy's text() takes for a parameter, and for a colon that is none.
_PARAMETER = re.compile(r"(?<![:\w\\]):\w+(?![:\w])|\\:\w*(?![:\w])")
_COLON = re.compile(r"\\(:\w*)(?![:\w])")


@dataclass(frozen=True)
class Query:
    """A query as `parts`, the texts between the places of its table; what they hold is never searched for places again."""

    parts: tuple[str, ...]

    @classmethod
    def rows(cls, condition: str) -> "Query":
        """Return the query for the rows of the table that fulfil a condition."""
        return cls(("select * from ", f" where {condition}"))

    @classmethod
    def of_contract(cls, text: str) -> "Query":
        """Read a query of a contract: `${table}` is the table, but not in strings, quoted names and comments."""
        parts, start = [], 0
        for found in _TOKENS.finditer(text):
            if found["table"]:
                parts.append(text[start : found.start()])
                start = found.end()
        return cls((*parts, text[start:]))

    @classmethod
    def of_suite(cls, text: str) -> "Query | None":
        """Read a query as Great Expectations takes it: `{batch}` is the table, and so is `${table}` as in a contract.

        Return None for braces that Great Expectations could not fill in.
        """
        parts = [""]
        try:
            for piece, field, form, conversion in Formatter().parse(_BATCH.join(map(_kept, cls.of_contract(text).parts))):
                parts[-1] += piece
                if field is not None:
                    if (field, form, conversion) != ("batch", "", None):
                        return None
                    parts.append("")
        except ValueError:
            return None
        return cls(tuple(_COLON.sub(r"\1", part) for part in parts))

    def of(self, table: str) -> str:
        """Return the SQL that asks a table, which is given as SQL."""
        return table.join(self.parts)

    def of_batch(self, table: str = _BATCH) -> str:
        """Return the text that Great Expectations and SQLAlchemy turn into this query of a table, by default the batch's."""
        escaped = (part.replace("{", "{{").replace("}", "}}") for part in self.parts)
        return table.join(_PARAMETER.sub(r"\\\g<0>", part) for part in escaped)

    def within(self, before: str, after: str) -> "Query":
        """Return the query with SQL before and after it."""
        inner = Query((before + self.parts[0], *self.parts[1:]))
        return Query((*inner.parts[:-1], inner.parts[-1] + after))

    def __str__(self) -> str:
        return self.of(TABLE)


def taken_apart(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an expectation with its query, if it has one that can be filled in, as a `Query`."""
    given = kwargs.get(_QUERY)
    query = Query.of_suite(given) if isinstance(given, str) else None
    return {**kwargs, _QUERY: query} if query else dict(kwargs)


def bare(sql: str) -> str:
    """Return a query without its comments and with its strings empty: what it does, apart from the values it names."""
    return _TOKENS.sub(lambda found: found["name"] or found["table"] or ("" if found["comment"] else "''"), sql)


def _kept(part: str) -> str:
    """The text between two tables, in which what looks like a table is text to Great Expectations."""
    return part.replace(TABLE, "${{table}}")
