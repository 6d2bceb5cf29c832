"""Grids as SVG: one row per port or check, one column per build, a word and a colour in every cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from kit.drawing.canvas import SIZE, SMALL, label, number, svg_document, text_width, truncate

STATES = ("passed", "warned", "failed", "none")
"""The states of a cell; each has a colour of its own."""

_LABEL = 400.0  # the widest a row's name may be
_COLUMN = 112.0
_GAP = 4.0
_HEAD = 38.0

_STYLE = """
.drawing{--good:#e2f3e6;--good-line:#2c7a3f;--mid:#fdf0cf;--mid-line:#8a5a00;--bad:#fbe3e1;--bad-line:#b3261e}
@media(prefers-color-scheme:dark){.drawing{--good:#16331f;--good-line:#6cc583;--mid:#3a2c12;--mid-line:#dda84b;
--bad:#43191a;--bad-line:#f2958e}}
.drawing .cell{fill:var(--frame);stroke:var(--rim)}
.drawing .passed{fill:var(--good);stroke:var(--good-line)}
.drawing .warned{fill:var(--mid);stroke:var(--mid-line);stroke-width:1.6}
.drawing .failed{fill:var(--bad);stroke:var(--bad-line);stroke-width:2}
.drawing .end{text-anchor:middle}
.drawing .strong{font-weight:600}
"""


@dataclass(frozen=True)
class GridCell:
    """One cell of a grid: its state, its text and a note in small letters below the text."""

    state: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class GridRow:
    """A row of cells, None for an empty place; rows of one `group` are drawn below its name."""

    label: str
    group: str
    cells: Sequence[GridCell | None]
    note: str = ""


def draw_grid(rows: Sequence[GridRow], columns: Sequence[tuple[str, str]], title: str, *, notes: tuple[str, ...] = ()) -> str:
    """Return the grid as an SVG document; a column has a name and a note, `notes` are sentences below the grid."""
    high = 38.0 if any(cell and cell.note for row in rows for cell in row.cells) else 26.0
    names = [text_width(row.label) + (text_width(row.note, SMALL) + 10 if row.note else 0) for row in rows]
    left = min(_LABEL, max([*names, *(text_width(row.group, bold=True) for row in rows)], default=0.0)) + 14
    parts, y = [], _HEAD - (0 if any(note for _, note in columns) else 18) if rows else 0.0
    for place, (name, note) in enumerate(columns if rows else ()):
        x = left + place * (_COLUMN + _GAP) + _COLUMN / 2
        parts.append(_text("end strong", x, 12, name) + (_text("note end", x, 28, note) if note else ""))
    for group, members in groupby(rows, key=lambda row: row.group):
        parts.append(_text("group", 0, y + 17, truncate(group, left, bold=True)))
        y += 26
        for row in members:
            parts.append(_row(row, left, y, high))
            y += high + _GAP
        y += 6
    width = left + len(columns) * (_COLUMN + _GAP) - _GAP if rows else 0.0
    return svg_document(title, "\n".join(parts), width, y + 6, style=_STYLE, notes=notes)


def _row(row: GridRow, left: float, y: float, high: float) -> str:
    note = truncate(row.note, 90, SMALL)
    wide = text_width(note, SMALL) + 10 if note else 0.0
    name = truncate(row.label, left - 14 - wide)
    middle = y + high / 2
    parts = [_text("", 0, middle + 4.4, name)]
    if note:
        parts.append(_text("note", left - 14 - wide + 10, middle + 4, note))
    for place, cell in enumerate(row.cells):
        if cell:
            parts.append(_cell(cell, left + place * (_COLUMN + _GAP), y, high))
    return "".join(parts)


def _cell(cell: GridCell, x: float, y: float, high: float) -> str:
    middle = x + _COLUMN / 2
    state = f"cell {cell.state}".removesuffix(" none")
    box = f'<rect class="{state}" x="{number(x)}" y="{number(y)}" width="{_COLUMN:g}" height="{high:g}" rx="4"/>'
    if not cell.note:
        return box + _text("end", middle, y + high / 2 + 4.4, truncate(cell.text, _COLUMN - 8))
    return box + _text("end", middle, y + 16, truncate(cell.text, _COLUMN - 8)) + _text("note end", middle, y + 31, cell.note)


def _text(kind: str, x: float, y: float, text: str) -> str:
    words = kind.split()
    return label(x, y, text, kind, SMALL if "note" in words else SIZE, bold=not {"group", "strong"}.isdisjoint(words))
