"""The one value that makes a column text, as `Total` in the last line of an export does."""

from collections.abc import Sequence

from kit.core import database
from kit.ingest.csv_table import CsvTable
from kit.ingest.raw_table import shown
from kit.ingest.text_types import DAY, NUMBER, TIME, aggregated

_LEAST = 3
"""So many other values show what a column is."""
_ROW = '" row"'  # no column of a contract has a space in its name
_ROWS = f"(select *, row_number() over () as {_ROW} from raw)"


def odd_texts(table: CsvTable, columns: Sequence[str]) -> dict[str, str]:
    """Return a question about each column of text in which all values but one are numbers or moments, by its name."""
    tests = {(column, kind): test for column in columns for kind, test in _tests(table, column).items()}
    counted = aggregated(
        table,
        {
            (column, kind): f"[count(*) filter (not {test}), count(*) filter ({test}), min({_ROW}) filter (not {test})]"
            for (column, kind), test in tests.items()
        },
        _ROWS,
    )
    asked: dict[str, str] = {}
    for (column, kind), (odd, others, row) in counted.items():
        if odd == 1 and others >= _LEAST and column not in asked:
            text = f"select {database.quoted(column)} from {_ROWS} where {_ROW} = {row}"
            (value,) = table.connection.execute(text).fetchone() or ("",)
            asked[column] = (
                f"is {shown(value)} on {table.place(row)} a row of the table? All {others:,} other values are {kind}; "
                "without that line they have this type"
            )
    return asked


def _tests(table: CsvTable, column: str) -> dict[str, str]:
    """Return SQL by kind of value, null for a missing value."""
    text, number = database.quoted(column), table.value(column, "double")
    whole = f"coalesce(try_cast({number} as bigint)::varchar = {number}, false)"
    tests = {
        "whole numbers": f"case when {text} is not null then {whole} end",
        "numbers": f"regexp_full_match({number}, {database.literal(NUMBER)})",
        "days": f"regexp_full_match({text}, {database.literal(DAY)})",
        "moments": f"regexp_full_match({text}, {database.literal(f'{DAY}[ T]{TIME}Z?')})",
    }
    return {kind: f"({test})" for kind, test in tests.items()}
