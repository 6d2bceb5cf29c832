import pytest

from kit.drawing import markup
from kit.drawing.markup import Html
from tests.support.contrast import contrast, mixed


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
        return f"<span style='{markup.text_colour(colour)};font-weight:600'>{word}</span>"

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


@pytest.mark.parametrize(
    ("text", "ground"), [("#000000", "#ffffff"), ("#212121", "#eeeeee"), ("#e0e0e0", "#111111"), ("#cccccc", "#1f1f1f")]
)
@pytest.mark.parametrize("colour", [markup.GOOD, markup.DOUBTFUL, markup.BAD, markup.QUIET, "#2f77c8"])
def test_texts_in_colour_can_be_read_in_light_and_dark_themes(colour: str, text: str, ground: str) -> None:
    assert contrast(mixed(colour, markup.COLOURED / 100, text), ground) >= 4.5
