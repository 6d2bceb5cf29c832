from xml.etree import ElementTree

from kit.drawing.grid import GridCell, GridRow, draw_grid

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    GridRow("sale_id is unique", "sales", [GridCell("failed", "failed, 6 rows"), GridCell("passed", "passed")], "contract"),
    GridRow("both items sell", "sales", [GridCell("warned", "warned"), None], "suite"),
    GridRow("they add up & <more>", "totals", [GridCell("none", "not reached"), GridCell("passed", "passed", "2024-01-02")]),
]
COLUMNS = [("2024-01-03 00:00", "failed"), ("2024-01-02 00:00", "published")]


def test_every_row_column_and_cell_says_what_it_is() -> None:
    root = ElementTree.fromstring(draw_grid(ROWS, COLUMNS, "Checks", notes=("Newest left.",)))
    assert [text.text for text in root.iter(f"{SVG}text")] == [
        "Checks", "2024-01-03 00:00", "failed", "2024-01-02 00:00", "published",
        "sales", "sale_id is unique", "contract", "failed, 6 rows", "passed", "both items sell", "suite", "warned",
        "totals", "they add up & <more>", "not reached", "passed", "2024-01-02", "Newest left.",
    ]  # fmt: skip
    cells = [rect.get("class") for rect in root.iter(f"{SVG}rect")]
    assert cells == ["back", "cell failed", "cell passed", "cell warned", "cell", "cell passed"]


def test_nothing_runs_out_of_the_sheet() -> None:
    long = GridRow(
        "an endless rule " * 20, "table", [GridCell("passed", "17 passed, and that for ever")] * 2, "expectation suite"
    )
    root = ElementTree.fromstring(draw_grid([*ROWS, long], COLUMNS, "Checks"))
    width, height = (float(root.get(name, "")) for name in ("width", "height"))
    assert width < 720
    for rect in [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") != "back"]:
        assert float(rect.get("x", "")) + float(rect.get("width", "")) < width
        assert float(rect.get("y", "")) + float(rect.get("height", "")) < height
    assert any(
        str(text.text).startswith("an endless rule") and str(text.text).endswith("…") for text in root.iter(f"{SVG}text")
    )


def test_an_empty_grid_is_its_title_and_words() -> None:
    root = ElementTree.fromstring(draw_grid([], [], "Checks", notes=("There are none.",)))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["Checks", "There are none."]
