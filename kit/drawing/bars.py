"""Small pictures without text: bar charts and squares, in colours that are visible on light and dark."""

from collections.abc import Sequence

from kit.drawing.markup import BAD, DOUBTFUL, GOOD, QUIET
from kit.drawing.picture import Picture

_COLOUR = "#3a7bd5"
_WIDTH, _HEIGHT = 192, 36
_VERDICTS = {"passed": (GOOD, 12), "warned": (DOUBTFUL, 9), "failed": (BAD, 12)}


def bar_chart(counts: Sequence[int], alt: str) -> Picture:
    """Return vertical bars side by side, one for each count; every count above zero has a visible bar."""
    width, most = _WIDTH / len(counts), max(counts) or 1
    bars = [f'<rect y="{_HEIGHT}" width="{_WIDTH}" height="1" opacity=".5"/>']
    for position, count in enumerate(counts):
        height = max(1.5, count / most * _HEIGHT) if count else 0
        place = f'x="{position * width:.2f}" y="{_HEIGHT - height:.2f}"'
        bars.append(f'<rect {place} width="{width - 1:.2f}" height="{height:.2f}"/>')
    return _picture("".join(bars), _WIDTH, _HEIGHT + 1, alt)


def horizontal_bar(share: float) -> Picture:
    """Return one horizontal bar, `share` (0 to 1) of the longest; it has no alternative text: print its number next to it."""
    return _picture(f'<rect y="2" width="{max(1.0, share * 60):.1f}" height="8" rx="1"/>', 60, 12, "")


def verdict_squares(verdicts: Sequence[str]) -> Picture:
    """Return a square for each verdict, in order: crossed for `failed`, a dot for an empty verdict (not reached)."""
    shapes = []
    for position, verdict in enumerate(verdicts):
        x = position * 15
        if verdict in _VERDICTS:
            colour, size = _VERDICTS[verdict]
            edge = (14 - size) / 2
            shapes.append(f'<rect x="{x + edge}" y="{edge}" width="{size}" height="{size}" rx="2" fill="{colour}"/>')
            if verdict == "failed":
                shapes.append(f'<path d="M{x + 4} 4l6 6m0-6l-6 6" stroke="#fff" stroke-width="1.6"/>')
        else:
            shapes.append(f'<circle cx="{x + 7}" cy="7" r="2" fill="{QUIET}"/>')
    return _picture("".join(shapes), 15 * len(verdicts), 14, ", ".join(verdict or "not reached" for verdict in verdicts))


def _picture(shapes: str, width: int, height: int, alt: str) -> Picture:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return Picture(f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="{_COLOUR}">{shapes}</svg>', alt)
