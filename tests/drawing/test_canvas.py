from xml.etree import ElementTree

import pytest

from kit.drawing.canvas import number, svg_document, text_width, truncate

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
