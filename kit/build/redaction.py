"""Values of columns that contracts hide, kept out of check results and messages."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kit.contracts import ROW_COUNT, Check
from kit.core import database
from kit.quality import AuditTarget, rules, schema_rule

HIDDEN = "masked"
"""The text that replaces a hidden value."""

_COUNT = re.compile(r"[\d,]+( of [\d,]+)? rows( break it| set aside)?")
_SET_ASIDE = " set aside"
_DISTINCT = 4
"""Characters of a value that is recognised without quotes; a shorter one would match ordinary text."""
_MOST = 1000  # values in a text, on average


def hidden_names(targets: Iterable[AuditTarget]) -> frozenset[str]:
    """Return the names of the columns that a contract hides: masked columns and columns with personal data."""
    return frozenset(column.name for target in targets for column in target.contract.hidden_columns)


def redact(targets: Sequence[AuditTarget], clock: datetime, checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks without values of hidden columns; `targets` are all audited tables of the product.

    Checks see the real values, and their results can be read by everybody. When a product hides any column, a result shows
    only values of columns that a contract declares and no contract hides, and none at all of a query that a person wrote, such
    as a dbt test: it may give a hidden column any name.
    """
    hidden = hidden_names(targets)
    if not hidden:
        return tuple(checks)
    shown = {column.name for target in targets for column in target.contract.columns} - hidden
    public = {(target.table, schema_rule(target.contract)) for target in targets}
    named = set()
    for target in targets:
        for _, rule in rules(target, clock):
            columns = rule.assertion.columns if rule.assertion.query is None else ()
            if columns:
                named.add((target.table, rule.name))
            if rule.assertion.expectation == ROW_COUNT or (columns and shown.issuperset(columns)):
                public.add((target.table, rule.name))
    return tuple(_redact_check(check, shown if _by_column(check, named) else set(), public) for check in checks)


def _by_column(check: Check, named: set[tuple[str, str]]) -> bool:
    """Return whether the samples of a check have the values of columns under their own names."""
    return (check.table, check.rule) in named or (check.origin == "contract" and check.observed.endswith(_SET_ASIDE))


def _redact_check(check: Check, shown: set[str], public: set[tuple[str, str]]) -> Check:
    # A unit test observes rows that its author invented.
    mocked = check.origin == "dbt" and check.rule.startswith("unit test ")
    plain = not check.observed or (check.table, check.rule) in public or mocked or _COUNT.fullmatch(check.observed)
    return replace(
        check,
        observed=check.observed if plain else HIDDEN,
        samples=tuple({name: _value(name, value, shown) for name, value in row.items()} for row in check.samples),
    )


def _value(names: str, value: Any, shown: set[str]) -> Any:
    """Return the value of a sample; `names` may be several columns."""
    return value if shown.issuperset(names.split(", ")) else HIDDEN


def hidden_values(texts: Collection[str], tables: Mapping[str, Sequence[Path]], hidden: Collection[str]) -> list[str]:
    """Return the values of hidden columns, of whatever table has one of this name, that occur in texts, the longest first."""
    import duckdb

    found: set[str] = set()
    text = database.literal("\n".join(texts))
    with database.connect() as connection:
        for path in {path for files in tables.values() for path in files if path.is_file()}:
            try:
                columns = connection.execute(f"describe from {database.parquet([path])}").fetchall()
                for name in (name for name, *_ in columns if name in hidden):
                    value = f"{database.quoted(name)}::varchar"
                    found |= {
                        value
                        for (value,) in connection.execute(
                            f"select distinct {value} from {database.parquet([path])} "
                            f"where {value} <> '' and contains({text}, {value}) limit {_MOST * len(texts)}"
                        ).fetchall()
                    }
            except duckdb.Error:  # a file that is not complete
                continue
    return sorted(found, key=len, reverse=True)


def without_values(text: str, values: Iterable[str]) -> str:
    """Return a text that does not quote these values, which `hidden_values` found.

    A value that a program derived from another one is not recognised, nor one of few characters without quotes.
    """
    for value in values:
        literal = re.escape(value)
        text = re.sub(rf"(?<=['\"`]){literal}(?=['\"`])", HIDDEN, text)
        if len(value) >= _DISTINCT:
            text = re.sub(rf"(?<!\w){literal}(?!\w)", HIDDEN, text)
    return text
