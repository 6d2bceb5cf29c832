"""HTML fragments for every notebook front end: plain elements with inline styles, readable on light and dark."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from kit.drawing.picture import Picture

# Colours of shapes. No colour has a contrast of 4.5 to 1, which texts need, both on white and on the black of a dark theme.
GOOD, DOUBTFUL, BAD, QUIET = "#278a45", "#ae6b00", "#d73a49", "#767f8a"
COLOURED = 65
"""The share of its colour, in per cent, that a text in colour has."""

_STATE_COLOURS = {
    **dict.fromkeys(("fresh", "passed"), GOOD),
    **dict.fromkeys(("stale", "outdated", "late", "warned", "warning", "deprecated", "draft", "proposed", "retired"), DOUBTFUL),
    **dict.fromkeys(("broken", "failed", "last build failed", "never published"), BAD),
    **dict.fromkeys(("never built", "held"), QUIET),
}
# A state at the start of a part of a sentence, or a counted verdict: `stale 3 d of 2 d; last build failed: …`, `2 failed`.
_WORDS = "|".join(sorted(_STATE_COLOURS, key=len, reverse=True))
_STATE = re.compile(rf"(?:^|(?<=; ))({_WORDS})\b|(?<=[0-9] )(failed|warned)\b")
_CELL = "vertical-align:top;text-align:"


class Html(str):
    """Text that is HTML already; all other text is escaped."""

    __slots__ = ()


def html(text: object) -> Html:
    """Return a value as HTML; text that is not `Html` is escaped."""
    return text if isinstance(text, Html) else Html(escape(str(text)))


def joined(parts: Iterable[object], by: str = "") -> Html:
    """Return the parts in one line, with `by` between them."""
    return Html(by.join(map(html, parts)))


def bold(text: object) -> Html:
    """Return bold text."""
    return Html(f"<b>{html(text)}</b>")


def muted(text: object) -> Html:
    """Return text in a paler colour."""
    return Html(f"<span style='opacity:.7'>{html(text)}</span>")


def lines(*parts: object) -> Html:
    """Return the parts on lines of their own; empty parts are left out."""
    return joined((part for part in parts if part), "<br>")


def breakable(text: str) -> Html:
    """Return text in which a line may break after an underscore, so that long names do not widen a table."""
    return Html(escape(text).replace("_", "_<wbr>"))


def paragraph(text: object) -> Html:
    """Return a paragraph."""
    return Html(f"<p>{html(text)}</p>")


def heading(text: object) -> Html:
    """Return a heading."""
    return Html(f"<p style='margin:14px 0 4px'><b>{html(text)}</b></p>")


def code(text: object) -> Html:
    """Return a block of code."""
    return Html(f"<pre>{html(text)}</pre>")


def pick_button(text: object, value: str) -> Html:
    """Return a button; in an `HtmlWidget`, a click sets `picked` to `value`."""
    return Html(f"<button type='button' data-pick='{html(value)}'>{html(text)}</button>")


def image(picture: Picture) -> Html:
    """Return a picture as an image."""
    return Html(picture._repr_html_())


def iframe(text: str, title: str) -> Html:
    """Return a page in a frame in which no script can run."""
    return Html(f"<iframe sandbox srcdoc='{html(text)}' title='{html(title)}'></iframe>")


def colour_states(text: str) -> Html:
    """Return a sentence in which each word for a state has the colour of the state."""
    return Html(_STATE.sub(lambda match: _coloured(match[0]), escape(text)))


def text_colour(colour: str) -> str:
    """Return the style of texts in a colour; mixed with that of the text around, it is readable in light and dark themes."""
    return f"color:{colour};color:color-mix(in srgb,{colour} {COLOURED}%,currentcolor)"


def _coloured(word: str) -> str:
    return f"<span style='{text_colour(_STATE_COLOURS[word])};font-weight:600'>{word}</span>"


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = (), unbroken: Sequence[str] = ()
) -> Html:
    """Return a table; columns in `numbers` are right-aligned, lines in these and in `unbroken` columns do not break."""
    styles = [
        f"{_CELL}{'right' if name in numbers else 'left'}{';white-space:nowrap' if name in (*numbers, *unbroken) else ''}"
        for name in header
    ]
    head = "".join(f"<th style='{style}'>{html(name)}</th>" for name, style in zip(header, styles, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row, styles))}</tr>" for row in rows)
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def fact_table(pairs: Mapping[str, object]) -> Html:
    """Return a table with a row for each name and its value."""
    rows = "".join(f"<tr><th style='{_CELL}left'>{html(name)}</th>{_cell(text)}</tr>" for name, text in pairs.items())
    return Html(f"<table><tbody>{rows}</tbody></table>")


def _cell(text: object, style: str = f"{_CELL}left") -> str:
    return f"<td style='{style}'>{html(text)}</td>"
