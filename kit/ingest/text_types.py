"""The types of columns of text: one from which every text of a column comes back the same, else text, and what to ask."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from kit.core import database
from kit.ingest.csv_table import MARKERS, WEAK_MARKERS, CsvTable

_Key = TypeVar("_Key")
_AT_ONCE = 140  # one query with thousands of aggregates takes gigabytes
_FIRST_ROWS = 1000  # they rule out most types

DAY = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}"
TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"


@dataclass(frozen=True)
class _Text:
    """SQL for the texts of a column, as they are and as numbers are written in SQL."""

    text: str
    number: str

    def tests(self) -> dict[str, str]:
        """Aggregates by type, true where every text comes back from the type; a moment in the one form of its column."""
        text, number, fraction = self.text, self.number, self.fraction()
        form = f"regexp_replace(substr({text}, 11), '[0-9.]+', '', 'g')"
        second = rf"length(regexp_extract({text}, '\.([0-9]+)', 1))"
        seconds = (
            rf"(min({second}) = max({second}) or bool_and({second} in (0, 6) and {text} not like '%.000000%') "
            rf"or not bool_or(regexp_matches({text}, '\.[0-9]*0($|[^0-9])')))"
        )
        moment = _matches(text, f"{DAY}[ T]{TIME}(Z|[+]00:?00)?")
        double = f"try_cast({number} as double)"
        return {
            "boolean": self.all(f"{text} in ('true', 'false')"),
            "bigint": self.all(f"coalesce(try_cast({number} as bigint)::varchar = {number}, false)"),
            "decimal": (
                self.all(f"{_matches(number, NUMBER)} and not {_matches(number, '-[0.]+')} and {fraction} > 0")
                + f" and min({fraction}) = max({fraction}) and {self.digits()} <= 38"
            ),
            "double": self.all(f"coalesce({double}::varchar = {number} and isfinite({double}), false)"),
            "date": self.all(f"{_matches(text, DAY)} and try_cast({text} as date) is not null"),
            "timestamp": (
                self.all(f"{moment} and try_cast({text} as timestamp) is not null")
                + f" and min({form}) = max({form}) and {seconds}"
            ),
        }

    def grouped(self) -> str:
        """An aggregate that is true where points may separate thousands: `1.234` beside `999`."""
        return self.all(_matches(self.number, r"-?[1-9][0-9]{0,2}(\.[0-9]{3})?"))

    def loose_tests(self) -> dict[str, str]:
        """Aggregates by type, true where a person may mean the type, though the texts do not come back from it."""
        moment = f"{DAY}[ T]{TIME}"
        return {
            "boolean": self.all(f"lower({self.text}) in ('true', 'false')"),
            "decimal": f"{self.all(_matches(self.number, NUMBER))} and max({self.fraction()}) > 0 and {self.digits()} <= 38",
            "timestamp": self.all(_matches(self.text, f"{moment}Z?")),
            "timestamp with time zone": self.all(_matches(self.text, f"{moment}(Z|[-+][0-9]{{2}}:?[0-9]{{2}})")),
        }

    def all(self, condition: str) -> str:
        """An aggregate that is true where a condition holds for every text, null without any."""
        return f"bool_and({condition}) filter ({self.text} is not null)"

    def fraction(self) -> str:
        """The number of decimals."""
        return rf"length(regexp_extract({self.number}, '\.(.*)', 1))"

    def digits(self) -> str:
        """The digits that a decimal type needs for all texts."""
        return f"max({self.fraction()}) + max(length(split_part(ltrim({self.number}, '-'), '.', 1)))"

    def without(self, markers: Sequence[str]) -> "_Text":
        """The texts but for null markers."""
        kept = f"{self.text} not in ({', '.join(map(database.literal, markers))})"
        return _Text(*(f"case when {kept} then {text} end" for text in (self.text, self.number)))

    def with_decimal_comma(self) -> "_Text":
        """The numbers read with a decimal comma; null where none of them has one."""
        return replace(self, number=f"translate({self.number}, ',.', '.,')")


def text_types(table: CsvTable) -> dict[str, str]:
    """The type of each column: the first one from which all its texts come back, `varchar` where there is none."""
    texts = {column: _Text(database.quoted(column), table.value(column, "double")) for column in table.names}
    tests = {(column, kind): test for column, text in texts.items() for kind, test in text.tests().items()}
    for column, test in _grouped(table, texts).items():
        for kind in ("decimal", "double"):
            tests[column, kind] += f" and not {test}"
    first = dict(reversed(_passed(table, tests)))
    return _sized(table, {column: (text, first.get(column, "varchar")) for column, text in texts.items()})


def questions(table: CsvTable, columns: Sequence[str]) -> dict[str, str]:
    """What a person has to decide about columns of text that may be something else, by their names."""
    texts = {column: _Text(database.quoted(column), table.value(column, "double")) for column in columns}
    known = ", ".join(map(database.literal, (*MARKERS, *WEAK_MARKERS)))
    listed = {name: f"list(distinct {text.text}) filter ({text.text} in ({known}))" for name, text in texts.items()}
    markers = {column: sorted(found or []) for column, found in aggregated(table, listed).items()}
    texts = {column: text.without(markers[column]) if markers[column] else text for column, text in texts.items()}
    tests = {
        (column, how, kind): test
        for column, text in texts.items()
        for how, forms in _readings(table, text, bool(markers[column])).items()
        for kind, test in forms.items()
    }
    first = {column: (how, kind) for column, how, kind in reversed(_passed(table, tests))}
    sized = _sized(
        table,
        {
            column: (texts[column].with_decimal_comma() if how == "comma" else texts[column], kind)
            for column, (how, kind) in first.items()
        },
    )
    decimals = {column: texts[column] for column, choice in first.items() if choice == ("loose", "decimal")}
    grouped = aggregated(table, _grouped(table, decimals))
    asked = {}
    for column in columns:
        how, _ = first.get(column, ("", ""))
        marked = [text for text in markers[column] if how or text in MARKERS]
        keys = [f"nullMarkers: {json.dumps(marked, ensure_ascii=False)}"] if marked else []
        keys += ["decimalComma: true"] if how == "comma" else []
        declared = ([f"{' and '.join(keys)} in csv"] if keys else []) + ([f"the type {sized[column]}"] if how else [])
        doubt = (
            f"does {' or '.join(map(repr, marked))} mean that a value is missing" if marked else f"is it a {sized.get(column)}"
        )
        if grouped.get(column):
            doubt = f"do its points separate thousands? Then leave it text, and remove them in the model. Or {doubt}"
        if declared:
            asked[column] = f"{doubt}? Then declare {', and '.join(declared)}"
    return asked


def _grouped(table: CsvTable, texts: Mapping[str, _Text]) -> dict[str, str]:
    """Tests whether points may separate thousands, in files between whose fields are semicolons: many have decimal commas."""
    return {column: text.grouped() for column, text in texts.items()} if table.csv.delimiter == ";" else {}


def _readings(table: CsvTable, text: _Text, is_marked: bool) -> dict[str, dict[str, str]]:
    """The ways to read a column of text in another type, the strictest first, with a test for each type."""
    comma = f"bool_or(contains({text.text}, ',')) and "
    return {
        **({"exact": text.tests()} if is_marked else {}),
        "loose": text.loose_tests(),
        **(
            {}
            if table.csv.decimal_comma
            else {"comma": {"decimal": comma + text.with_decimal_comma().loose_tests()["decimal"]}}
        ),
    }


def _sized(table: CsvTable, kinds: Mapping[str, tuple[_Text, str]]) -> dict[str, str]:
    """The types with the digits of decimals."""
    decimals = {column: text for column, (text, kind) in kinds.items() if kind == "decimal"}
    sizes = {column: f"[max({text.fraction()}), {text.digits()}]" for column, text in decimals.items()}
    types = {column: kind for column, (_, kind) in kinds.items()}
    for column, (scale, digits) in aggregated(table, sizes).items():
        types[column] = f"decimal({18 if digits <= 18 else 38},{scale})"
    return types


def _passed(table: CsvTable, tests: Mapping[_Key, str]) -> list[_Key]:
    """The tests that all rows pass; most fail in the first rows already."""
    first = aggregated(table, tests, f"(from raw limit {_FIRST_ROWS})")
    left = {name: test for name, test in tests.items() if first[name] is not False}
    return [name for name, result in aggregated(table, left).items() if result]


def aggregated(table: CsvTable, aggregates: Mapping[_Key, str], rows: str = "raw") -> dict[_Key, Any]:
    """The values of aggregates over rows."""
    names = list(aggregates)
    values: list[Any] = []
    for start in range(0, len(names), _AT_ONCE):
        some = ", ".join(aggregates[name] for name in names[start : start + _AT_ONCE])
        values += table.connection.execute(f"select {some} from {rows}").fetchone() or ()
    return dict(zip(names, values, strict=True))


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {database.literal(pattern)})"
