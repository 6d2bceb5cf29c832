from xml.etree import ElementTree

import pytest

from kit.drawing import canvas, graph, grid
from kit.drawing.canvas import label, number, svg_document, text_width, truncate
from tests.support.browser import headless, needs_browser
from tests.support.contrast import contrast, variables

SVG = "{http://www.w3.org/2000/svg}"


def test_a_document_has_its_title_parts_and_notes() -> None:
    text = svg_document("A & B", "<rect class='part'/>", 100, 50, style=".part{fill:red}", notes=("First <note>.",))
    root = ElementTree.fromstring(text)
    assert root.findtext(f"{SVG}title") == "A & B"
    assert [item.text for item in root.findall(f"{SVG}text")] == ["A & B", "First <note>."]
    assert root.find(f"{SVG}g/{SVG}rect[@class='part']") is not None
    assert ".part{fill:red}" in str(root.findtext(f"{SVG}style"))
    assert (root.get("height"), ElementTree.fromstring(svg_document("A", "", 0, 50, style="")).get("height")) == ("122", "94")


def test_the_document_is_as_wide_as_its_widest_part() -> None:
    def width(title: str, parts: float) -> float:
        return float(ElementTree.fromstring(svg_document(title, "", parts, 1, style="")).get("width", ""))

    assert width("A", 300) == 340
    assert width("A very long title of a drawing", 10) > 200


@pytest.mark.parametrize(("text", "shortened"), [("short", "short"), ("", ""), ("a long label", "a long…"), ("W" * 9, "WWW…")])
def test_a_wide_text_is_shortened(text: str, shortened: str) -> None:
    assert truncate(text, 50) == shortened
    assert text_width(shortened) <= 50


def test_widths_grow_with_the_size_and_know_wide_letters() -> None:
    assert text_width("sales", 25) == 2 * text_width("sales", 12.5)
    assert text_width("iii") < text_width("aaa") < text_width("WWW") < text_width("売上高")


def test_numbers_have_at_most_one_decimal() -> None:
    assert [number(value) for value in (3.0, 3.14159, -0.5, 100)] == ["3", "3.1", "-0.5", "100"]


@needs_browser
@pytest.mark.parametrize("family", ["Liberation Sans", "DejaVu Sans", "monospace"])
def test_no_text_runs_out_of_its_place_in_any_font(family: str) -> None:
    texts = ["what is made from it", "Nothing in the mesh reads wide.WWWW", "iiii|||", "売上高"]
    lines = "".join(label(0, 20 * place, text, bold=text.startswith("N")) for place, text in enumerate(texts, 1))
    svg = svg_document("A long title of a drawing", lines, 300, 100, style=".drawing text{font-family:F!important}")
    with headless() as page:
        page.set_content(svg.replace("font-family:F", f"font-family:{family}"))
        found = page.eval_on_selector_all("text", "items => items.map(item => [item.textContent, item.getBBox().width])")
        right = page.eval_on_selector_all("text", "items => Math.max(...items.map(item => item.getBoundingClientRect().right))")
        wide = page.eval_on_selector("svg", "item => item.getBoundingClientRect().right")
    expected = [("A long title of a drawing", text_width("A long title of a drawing", 16, bold=True))]
    expected += [(text, text_width(text, bold=text.startswith("N"))) for text in texts]
    assert [(text, pytest.approx(width, abs=1.5)) for text, width in expected] == [tuple(item) for item in found]
    assert right < wide


@pytest.mark.parametrize("theme", [0, 1])
def test_texts_of_drawings_can_be_read_on_every_shape(theme: int) -> None:
    colours = variables(canvas._STYLE)[theme] | variables(graph._STYLE)[theme] | variables(grid._STYLE)[theme]
    grounds = ("back", "frame", "fill", "port", "book", "good", "mid", "bad")
    assert [
        (text, ground) for text in ("ink", "soft") for ground in grounds if contrast(colours[text], colours[ground]) < 4.5
    ] == []
