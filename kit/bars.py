"""A row of bars as a small picture without words, in a colour that is seen on light and dark."""

from collections.abc import Sequence

from kit.drawing import data_uri
from kit.markup import Html, html

_COLOUR = "#3a7bd5"
_WIDTH, _HEIGHT = 192, 36


def upright(counts: Sequence[int], alt: str) -> Html:
    """A bar for each count, side by side; any count but nought is seen."""
    width, most = _WIDTH / len(counts), max(counts) or 1
    gap = 1 if width > 3 else 0
    bars = []
    for position, count in enumerate(counts):
        height = max(1.5, count / most * _HEIGHT) if count else 0
        place = f'x="{position * width:.2f}" y="{_HEIGHT - height:.2f}"'
        bars.append(f'<rect {place} width="{width - gap:.2f}" height="{height:.2f}"/>')
    base = f'<rect y="{_HEIGHT}" width="{_WIDTH}" height="1" opacity=".5"/>'
    return _picture("".join(bars) + base, _WIDTH, _HEIGHT + 1, alt)


def level(share: float, alt: str) -> Html:
    """One bar to the right, as long as `share` (0 to 1) of a column."""
    return _picture(f'<rect y="2" width="{max(1.0, share * 60):.1f}" height="8" rx="1"/>', 60, 12, alt)


def _picture(shapes: str, width: int, height: int, alt: str) -> Html:
    size = f'width="{width}" height="{height}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" fill="{_COLOUR}">{shapes}</svg>'
    return Html(f"<img src='{data_uri(svg)}' alt='{html(alt)}' {size}>")
