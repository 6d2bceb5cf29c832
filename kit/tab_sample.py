"""The first rows of a port."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from kit import markup, work
from kit.markup import Html
from kit.opened import Opened

_ROWS = 20
_LONGEST = 80
_NUMBERS = ("int", "double", "float", "decimal")


def html(opened: Opened) -> Html:
    """At most 20 rows; masked columns say so below their names. Raises `NotPublished`, or `KitError` for one pruned."""
    with opened.snapshot() as snapshot, work.connect() as connection:
        found = work.relation(snapshot.files(opened.name), connection).limit(_ROWS)
        names, types, rows = found.columns, [str(kind).lower() for kind in found.types], found.fetchall()
        masked: dict[str, str] = snapshot.port(opened.name).get("masked", {})
    columns = [f"{name} (masked: {masked[name]})" if name in masked else name for name in names]
    numbers = [column for column, kind in zip(columns, types, strict=True) if any(word in kind for word in _NUMBERS)]
    count = f"{len(rows)} of {opened.entry.rows()} rows of snapshot {snapshot.version}."
    table = markup.table(columns, ([_value(value) for value in row] for row in rows), numbers=numbers)
    return markup.joined((markup.paragraph(count), table))


def _value(value: Any) -> Html:
    if value is None:
        return markup.soft("null")
    if isinstance(value, float):
        return markup.html(f"{value:,.6g}")
    text = str(value) if isinstance(value, str | int | Decimal | date | datetime | time) else repr(value)
    return markup.html(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
