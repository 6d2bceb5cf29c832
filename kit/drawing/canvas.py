"""The parts that all drawings share: colours for light and dark, text widths, the SVG document around a drawing."""

from html import escape
from textwrap import wrap
from unicodedata import east_asian_width

SIZE, SMALL, TITLE = 12.5, 11.0, 16.0
MARGIN, HEADER = 20.0, 44.0
_LINE = 20.0
_NOTE_WIDTH = 110  # characters in a line of notes below a narrow drawing

# Advance widths in thousandths of the font size, from the font metrics of Helvetica and Helvetica-Bold; Arial and Liberation
# Sans have the same. Other characters count as a capital.
_WIDTHS = {
    **dict.fromkeys("'", 191), **dict.fromkeys("ijl", 222), **dict.fromkeys("|", 260),
    **dict.fromkeys(" !,./:;I[\\]ft", 278), **dict.fromkeys("()-`r", 333), **dict.fromkeys("{}", 334),
    **dict.fromkeys('"', 355), **dict.fromkeys("*", 389), **dict.fromkeys("^", 469), **dict.fromkeys("Jckvxyzs", 500),
    **dict.fromkeys("#$0123456789?L_abdeghnopqu", 556), **dict.fromkeys("+<=>~", 584), **dict.fromkeys("FTZ", 611),
    **dict.fromkeys("&ABEKPSVXY", 667), **dict.fromkeys("CDHNRUw", 722), **dict.fromkeys("GOQ", 778),
    **dict.fromkeys("Mm", 833), **dict.fromkeys("%", 889), **dict.fromkeys("W", 944), **dict.fromkeys("…→", 1000),
    **dict.fromkeys("@", 1015),
}  # fmt: skip
_BOLD = {
    **dict.fromkeys("'", 238), **dict.fromkeys(" ,./I\\ijl", 278), **dict.fromkeys("|", 280),
    **dict.fromkeys("!()-:;[]`ft", 333), **dict.fromkeys("*r{}", 389), **dict.fromkeys('"', 474), **dict.fromkeys("z", 500),
    **dict.fromkeys("#$0123456789J_aceksvxy", 556), **dict.fromkeys("+<=>^~", 584), **dict.fromkeys("?FLTZbdghnopqu", 611),
    **dict.fromkeys("EPSVXY", 667), **dict.fromkeys("&ABCDHKNRU", 722), **dict.fromkeys("GOQw", 778), **dict.fromkeys("M", 833),
    **dict.fromkeys("%m", 889), **dict.fromkeys("W", 944), **dict.fromkeys("@", 975), **dict.fromkeys("…→", 1000),
}  # fmt: skip
_OTHER = 722

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
    below = "".join(label(MARGIN, HEADER + height + 12 + _LINE * place, line) for place, line in enumerate(lines))
    width = 2 * MARGIN + max(width, text_width(title, TITLE, bold=True), *map(text_width, lines), 0)
    total = HEADER + height + (_LINE * len(lines) + 8 if lines else 0)
    name = escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" width="{number(width)}" height="{number(total)}" '
        f'viewBox="0 0 {number(width)} {number(total)}"><title>{name}</title><style>{_STYLE}{style}</style>'
        f'<rect class="back" width="100%" height="100%" rx="8"/>{label(MARGIN, 29, title, "title", TITLE, bold=True)}'
        f'<g transform="translate({number(MARGIN)} {number(HEADER)})">\n{parts}</g>\n{below}</svg>\n'
    )


def label(x: float, y: float, text: str, kind: str = "", size: float = SIZE, *, bold: bool = False) -> str:
    """Return a text element that is as wide as `text_width`, in whichever font a reader has."""
    if not text:
        return ""
    named = f' class="{kind}"' if kind else ""
    wide = f'textLength="{number(text_width(text, size, bold=bold))}" lengthAdjust="spacingAndGlyphs"'
    return f'<text{named} x="{number(x)}" y="{number(y)}" {wide}>{escape(text)}</text>'


def text_width(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Return the width of a text in pixels, in the font of drawings."""
    widths = _BOLD if bold else _WIDTHS
    return sum(1_000 if east_asian_width(c) in "WF" else widths.get(c, _OTHER) for c in text) * size / 1_000


def truncate(text: str, width: float, size: float = SIZE, *, bold: bool = False) -> str:
    """Return the text, shortened with an ellipsis when it is wider than `width` pixels."""
    if text_width(text, size, bold=bold) <= width:
        return text
    while text and text_width(text + "…", size, bold=bold) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def number(value: float) -> str:
    """Return a number with at most one decimal, in its shortest form."""
    return f"{value:.1f}".removesuffix(".0")
