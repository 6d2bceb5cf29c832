"""The parts that all drawings share: colours for light and dark, text widths, the SVG document around a drawing."""

from html import escape
from textwrap import wrap
from unicodedata import east_asian_width

SIZE, SMALL = 12.5, 11.0
BOLD = 1.07
MARGIN, HEADER = 20.0, 44.0
_LINE = 20.0
_NOTE_WIDTH = 110  # characters in a line of notes below a narrow drawing

# Advance widths of Helvetica in thousandths of the font size; other characters count as an average capital.
_WIDTHS = {
    **dict.fromkeys("ijl'|", 240),
    **dict.fromkeys(" .,:;!/\\ftI[]()-`", 310),
    **dict.fromkeys('rs"*', 450),
    **dict.fromkeys("ckvxyzJ^{}", 505),
    **dict.fromkeys("abdeghnopquL0123456789_$?#", 560),
    **dict.fromkeys("+<=>~", 590),
    **dict.fromkeys("wCDGHMNOQRUWmM%@&…→", 870),
}
_OTHER = 700

# An image follows the theme of the reader's system, not of the page, and therefore has a background of its own.
_STYLE = """
.drawing{--back:#fff;--frame:#f5f7f9;--rim:#d5dbe1;--ink:#1f2933;--soft:#5b6875;--edge:#8794a1;--fill:#fff;--line:#77848f;
--port:#e3eefb;--port-line:#1f64b5;--book:#fff3dc;--book-line:#a86400}
@media(prefers-color-scheme:dark){.drawing{--back:#14181d;--frame:#1c2228;--rim:#323b44;--ink:#e6eaee;--soft:#a3afba;
--edge:#74818d;--fill:#232a31;--line:#8b98a4;--port:#17304d;--port-line:#6cabf2;--book:#3a2c12;--book-line:#dda84b}}
.drawing text{font:12.5px "Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif;fill:var(--ink)}
.drawing .title{font-size:16px;font-weight:600}
.drawing .group{font-weight:600;fill:var(--soft)}
.drawing .note{font-size:11px;fill:var(--soft)}
.drawing .back{fill:var(--back)}
"""


def svg_document(title: str, parts: str, width: float, height: float, *, style: str, notes: tuple[str, ...] = ()) -> str:
    """Return an SVG document: the title, below it `parts` (`width` by `height` pixels), below these the notes, if any."""
    lines = [line for text in notes for line in wrap(text, max(_NOTE_WIDTH, int(width / 7)))]
    below = "".join(
        f'<text x="{number(MARGIN)}" y="{number(HEADER + height + 12 + _LINE * place)}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    width = 2 * MARGIN + max(width, text_width(title, 16) * BOLD, *map(text_width, lines), 0)
    total = HEADER + height + (_LINE * len(lines) + 8 if lines else 0)
    name = escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" width="{number(width)}" height="{number(total)}" '
        f'viewBox="0 0 {number(width)} {number(total)}"><title>{name}</title><style>{_STYLE}{style}</style>'
        f'<rect class="back" width="100%" height="100%" rx="8"/><text class="title" x="{number(MARGIN)}" y="29">{name}</text>'
        f'<g transform="translate({number(MARGIN)} {number(HEADER)})">\n{parts}</g>\n{below}</svg>\n'
    )


def text_width(text: str, size: float = SIZE) -> float:
    """Return the width of a text in pixels, with a margin because readers have other fonts."""
    units = sum(1_000 if east_asian_width(c) in "WF" else _WIDTHS.get(c, _OTHER) for c in text)
    return units * size / 1_000 * 1.05


def truncate(text: str, width: float, size: float = SIZE) -> str:
    """Return the text, shortened with an ellipsis when it is wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def number(value: float) -> str:
    """Return a number with at most one decimal, in its shortest form."""
    return f"{value:.1f}".removesuffix(".0")
