import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.drawing import markup
from kit.drawing.markup import Html
from tests.conftest import ROOT


def test_what_is_not_html_yet_is_escaped_and_what_is_is_not() -> None:
    evil = "<b onclick='x'>&"
    escaped = "&lt;b onclick=&#x27;x&#x27;&gt;&amp;"
    assert markup.html(evil) == escaped
    assert markup.html(markup.html(evil)) == escaped
    assert markup.lines(evil, "", Html("<i>x</i>")) == f"{escaped}<br><i>x</i>"
    for made in (markup.bold, markup.muted, markup.paragraph, markup.heading, markup.code, markup.colour_states):
        assert escaped in made(evil)
    assert markup.pick_button(evil, evil) == f"<button type='button' data-pick='{escaped}'>{escaped}</button>"
    assert markup.fact_table({evil: evil}).count(escaped) == 2
    assert markup.table([evil], [[evil]]).count(escaped) == 2
    assert (
        markup.iframe("<p class='x'>", evil)
        == f"<iframe sandbox srcdoc='&lt;p class=&#x27;x&#x27;&gt;' title='{escaped}'></iframe>"
    )


def test_a_word_for_a_state_has_its_colour_where_it_states_something() -> None:
    def toned(word: str, colour: str) -> str:
        return f"<span style='{markup.toned(colour)};font-weight:600'>{word}</span>"

    late = markup.colour_states("late 3 d of 1 d; last build failed: it failed")
    assert late == f"{toned('late', markup.DOUBTFUL)} 3 d of 1 d; {toned('last build failed', markup.BAD)}: it failed"
    assert markup.colour_states("fresh 5 s") == f"{toned('fresh', markup.GOOD)} 5 s"
    assert markup.colour_states("never built") == toned("never built", markup.QUIET)
    assert markup.colour_states("3 passed, 2 failed, 1 warned") == (
        f"3 passed, 2 {toned('failed', markup.BAD)}, 1 {toned('warned', markup.DOUBTFUL)}"
    )
    assert markup.colour_states("a fresh start, later") == "a fresh start, later"


def test_long_names_may_be_broken() -> None:
    assert markup.breakable("<a_b>") == "&lt;a_<wbr>b&gt;"


def test_numbers_stand_to_the_right() -> None:
    left, right = "vertical-align:top;text-align:left", "vertical-align:top;text-align:right;white-space:nowrap"
    assert markup.table(["name", "rows"], [["a", 1]], numbers=["rows"]) == (
        f"<table><thead><tr><th style='{left}'>name</th><th style='{right}'>rows</th></tr></thead>"
        f"<tbody><tr><td style='{left}'>a</td><td style='{right}'>1</td></tr></tbody></table>"
    )


def theme(name: str) -> dict[str, str]:
    """The colours of a theme of JupyterLab, by their names."""
    path = Path(sys.prefix, f"share/jupyter/lab/themes/@jupyterlab/theme-{name}-extension/index.css")
    pairs = re.findall(r"--jp-([\w-]+):\s*([^;}]+)", path.read_text())
    return {key: re.sub(r"var\(--md-[\w-]+,\s*(#\w+)\)", r"\1", value.strip()) for key, value in pairs}


def channels(colour: str) -> tuple[float, float, float, float]:
    """Red, green, blue and alpha of a CSS colour, from 0 to 1."""
    if colour in ("#fff", "white"):
        return 1.0, 1.0, 1.0, 1.0
    if colour.startswith("#"):
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        red, green, blue = (int(digits[position : position + 2], 16) / 255 for position in (0, 2, 4))
        return red, green, blue, 1.0
    red, green, blue, alpha = (float(part) for part in re.findall(r"[\d.]+", colour))
    return red / 255, green / 255, blue / 255, alpha


def contrast(style: str, text: str, background: str) -> float:
    """The contrast of a text by WCAG; `style` is a colour, or one that is mixed with that of the text around it."""
    colour = channels(re.findall(r"#\w{6}", style)[-1])
    share = float(mixed[1]) / 100 if (mixed := re.search(r"(\d+)%", style)) else 1.0
    around, below = channels(text), channels(background)
    alpha = share * colour[3] + (1 - share) * around[3]
    seen = [
        (share * colour[part] * colour[3] + (1 - share) * around[part] * around[3]) + below[part] * (1 - alpha)
        for part in range(3)
    ]
    high, low = sorted((luminance(seen), luminance(below[:3])), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(parts: Sequence[float]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("colour", [markup.GOOD, markup.DOUBTFUL, markup.BAD, markup.QUIET])
def test_words_can_be_read_in_both_themes_of_jupyterlab(name: str, colour: str) -> None:
    colours = theme(name)
    text = colours["content-font-color1"]
    for place in ("layout-color0", "layout-color1", "rendermime-table-row-background"):
        assert contrast(markup.toned(colour), text, colours[place]) >= 4.5, place


def test_the_colours_alone_could_not_be_read_in_both() -> None:
    assert contrast(markup.GOOD, "#000000", "#ffffff") == pytest.approx(4.4, abs=0.1)
    assert contrast(markup.GOOD, "#ffffff", "#212121") == pytest.approx(3.7, abs=0.1)


def test_states_can_be_read_in_both_schemes_of_the_report() -> None:
    css = (ROOT / "kit/catalog/report.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in css.split("@media (prefers-color-scheme: dark)")[:2]
    )
    for colours in (light, dark):
        for state in ("good", "mid", "bad", "soft", "link", "text"):
            for place in ("page", "card"):
                assert contrast(colours[state], colours["text"], colours[place]) >= 4.5, (state, place)
