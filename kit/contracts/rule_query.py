"""The SQL query of a rule, with the places of its table kept apart from its text."""

import re
from dataclasses import dataclass
from string import Formatter

TABLE = "${table}"
_BATCH = "{batch}"
# Quoted names, comments and strings, in which nothing is replaced; and the table outside of them.
_TOKENS = re.compile(
    r"""(?P<name>"[^"]*")|(?P<comment>--[^\n]*|/\*.*?\*/)|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\be'(?:\\.|''|[^'\\])*'|'[^']*'|"""
    r"(?P<table>\$\{table\})",
    re.IGNORECASE | re.DOTALL,
)
# SQLAlchemy's text() reads `:word` as a parameter and `\:` as a colon.
_PARAMETER = re.compile(r"(?<![:\w\\]):\w+(?![:\w])|\\:\w*(?![:\w])")
_ESCAPED_COLON = re.compile(r"\\(:\w*)(?![:\w])")


@dataclass(frozen=True)
class Query:
    """A query as `parts`, the texts between the places of its table. Text inside a part is never replaced."""

    parts: tuple[str, ...]

    @classmethod
    def rows_where(cls, condition: str) -> "Query":
        """Return the query for the rows of the table that meet a condition."""
        return cls(("select * from ", f" where {condition}"))

    @classmethod
    def from_contract(cls, text: str) -> "Query":
        """Parse a query of a contract: `${table}` is the table, except in strings, quoted names and comments."""
        parts, start = [], 0
        for token in _TOKENS.finditer(text):
            if token["table"]:
                parts.append(text[start : token.start()])
                start = token.end()
        return cls((*parts, text[start:]))

    @classmethod
    def from_suite(cls, text: str) -> "Query | None":
        """Parse a query of an expectation suite: the table is `{batch}`, or `${table}` as in a contract.

        Return None for braces that Great Expectations could not fill in.
        """
        parts = [""]
        try:
            filled = _BATCH.join(map(_escaped, cls.from_contract(text).parts))
            for literal, field, form, conversion in Formatter().parse(filled):
                parts[-1] += literal
                if field is not None:
                    if (field, form, conversion) != ("batch", "", None):
                        return None
                    parts.append("")
        except ValueError:
            return None
        return cls(tuple(_ESCAPED_COLON.sub(r"\1", part) for part in parts))

    def sql(self, table: str) -> str:
        """Return the SQL of the query on a table, given as SQL."""
        return table.join(self.parts)

    def suite_text(self, table: str = _BATCH) -> str:
        """Return the text that Great Expectations and SQLAlchemy turn into the query on a table, by default the batch."""
        escaped = (part.replace("{", "{{").replace("}", "}}") for part in self.parts)
        return table.join(_PARAMETER.sub(r"\\\g<0>", part) for part in escaped)

    def wrapped(self, before: str, after: str) -> "Query":
        """Return the query with SQL before and after it."""
        first = Query((before + self.parts[0], *self.parts[1:]))
        return Query((*first.parts[:-1], first.parts[-1] + after))

    def __str__(self) -> str:
        return self.sql(TABLE)


def without_values(sql: str) -> str:
    """Return SQL without its comments and with its strings empty, to search it for the names it uses."""
    return _TOKENS.sub(lambda token: token["name"] or token["table"] or ("" if token["comment"] else "''"), sql)


def _escaped(part: str) -> str:
    """Return text between two tables so that Great Expectations reads `${table}` in it as text."""
    return part.replace(TABLE, "${{table}}")
