"""HTML that survives everywhere: plain elements with inline styles, in colours that read well on light and dark."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from kit.drawing.picture import Picture

# Each at least 4 to 1 on white and on the black of JupyterLab's dark theme.
GOOD, DOUBTFUL, BAD, QUIET = "#278a45", "#ae6b00", "#d73a49", "#767f8a"

_TONES = {
    **dict.fromkeys(("fresh", "passed"), GOOD),
    **dict.fromkeys(("stale", "late", "warned", "warning", "deprecated"), DOUBTFUL),
    **dict.fromkeys(("broken", "failed", "last build failed", "never published"), BAD),
    **dict.fromkeys(("never built", "held"), QUIET),
}
# A state at the start of a part of a sentence, or what was counted: `stale 3 d of 2 d; last build failed: …`, `2 failed`.
_WORDS = "|".join(sorted(_TONES, key=len, reverse=True))
_STATE = re.compile(rf"(?:^|(?<=; ))({_WORDS})\b|(?<=[0-9] )(failed|warned)\b")
_CELL = "vertical-align:top;text-align:"


class Html(str):
    """Text that is HTML already; all other text is escaped before it is shown."""

    __slots__ = ()


def html(text: object) -> Html:
    """A value as HTML, with what would act in it escaped."""
    return text if isinstance(text, Html) else Html(escape(str(text)))


def joined(parts: Iterable[object], by: str = "") -> Html:
    """Parts one after the other, `by` between them."""
    return Html(by.join(map(html, parts)))


def bold(text: object) -> Html:
    """Text that stands out."""
    return Html(f"<b>{html(text)}</b>")


def soft(text: object) -> Html:
    """Text that stands back."""
    return Html(f"<span style='opacity:.7'>{html(text)}</span>")


def lines(*parts: object) -> Html:
    """Parts below each other; empty ones are left out."""
    return joined((part for part in parts if part), "<br>")


def breakable(text: str) -> Html:
    """Text whose long names may be broken at their underscores, so that a table need not be as wide as they are."""
    return Html(escape(text).replace("_", "_<wbr>"))


def paragraph(text: object) -> Html:
    """A sentence of its own."""
    return Html(f"<p>{html(text)}</p>")


def heading(text: object) -> Html:
    """The title of a part."""
    return Html(f"<p style='margin:14px 0 4px'><b>{html(text)}</b></p>")


def code(text: object) -> Html:
    """A block of code, as it stands."""
    return Html(f"<pre>{html(text)}</pre>")


def offer(text: object, value: str) -> Html:
    """Text that can be picked where it is shown by `kit.pane`; `value` is what was picked then."""
    return Html(f"<button type='button' data-pick='{html(value)}'>{html(text)}</button>")


def image(picture: Picture) -> Html:
    """A picture."""
    return Html(picture._repr_html_())


def page(text: str, title: str) -> Html:
    """A page of its own within this one, in which nothing can act."""
    return Html(f"<iframe sandbox srcdoc='{html(text)}' title='{html(title)}'></iframe>")


def states(text: str) -> Html:
    """A sentence in which the words for a state have the state's colour."""
    return Html(_STATE.sub(lambda found: _toned(found[0]), escape(text)))


def _toned(word: str) -> str:
    return f"<span style='color:{_TONES[word]};font-weight:600'>{word}</span>"


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = (), whole: Sequence[str] = ()
) -> Html:
    """A table; the columns named in `numbers` are set to the right, and no line of these or of those in `whole` is broken."""
    styles = [
        f"{_CELL}{'right' if name in numbers else 'left'}{';white-space:nowrap' if name in (*numbers, *whole) else ''}"
        for name in header
    ]
    head = "".join(f"<th style='{style}'>{html(name)}</th>" for name, style in zip(header, styles, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row, styles))}</tr>" for row in rows)
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def facts(pairs: Mapping[str, object]) -> Html:
    """Names and what is to be said of them, below each other."""
    rows = "".join(f"<tr><th style='{_CELL}left'>{html(name)}</th>{_cell(text)}</tr>" for name, text in pairs.items())
    return Html(f"<table><tbody>{rows}</tbody></table>")


def _cell(text: object, style: str = f"{_CELL}left") -> str:
    return f"<td style='{style}'>{html(text)}</td>"
