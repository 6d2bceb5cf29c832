"""The contrast of two colours, by WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""

import re

Colour = tuple[float, float, float]


def colour(text: str) -> Colour:
    """The red, green and blue of `#rgb` or `#rrggbb`, from 0 to 255."""
    digits = re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", text)
    assert digits, text
    found = digits[1] if len(digits[1]) == 6 else "".join(digit * 2 for digit in digits[1])
    red, green, blue = (int(found[place : place + 2], 16) for place in (0, 2, 4))
    return red, green, blue


def mixed(one: str, share: float, other: str) -> Colour:
    """A colour that `color-mix(in srgb, one share, other)` gives."""
    red, green, blue = (share * a + (1 - share) * b for a, b in zip(colour(one), colour(other), strict=True))
    return red, green, blue


def contrast(one: Colour | str, other: Colour | str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    pair = [_luminance(colour(item) if isinstance(item, str) else item) for item in (one, other)]
    return (max(pair) + 0.05) / (min(pair) + 0.05)


def variables(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours in variables of a style sheet, of the light and of the dark theme."""
    light, _, dark = css.partition("prefers-color-scheme")
    first, second = (dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]+)", part)) for part in (light, dark))
    return first, {**first, **second}


def _luminance(found: Colour) -> float:
    parts = [value / 255 for value in found]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
