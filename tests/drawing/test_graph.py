import os
import subprocess
import sys
from itertools import combinations
from xml.etree import ElementTree

import pytest

from kit.core.errors import KitError
from kit.drawing.graph import GraphNode, draw_graph

SVG = "{http://www.w3.org/2000/svg}"

NODES = [
    GraphNode("shop.raw.visits", "raw.visits", "shop", "source"),
    GraphNode("shop.stg_visits", "stg_visits", "shop", "model"),
    GraphNode("shop.visits", "visits", "shop", "port", "1,204 rows"),
    GraphNode("plan.fit", "fit.ipynb", "plan", "notebook"),
    GraphNode("plan.forecast", "forecast", "plan", "port", "30 rows"),
]
EDGES = [
    ("shop.raw.visits", "shop.stg_visits"),
    ("shop.stg_visits", "shop.visits"),
    ("shop.visits", "plan.fit"),
    ("plan.fit", "plan.forecast"),
    ("shop.visits", "plan.forecast"),
]


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def boxes(svg: str) -> dict[str, tuple[ElementTree.Element, ElementTree.Element]]:
    """The group and the rect of each node, by the first line of its title."""
    found = {}
    for group in parse(svg).iter(f"{SVG}g"):
        rect, title = group.find(f"{SVG}rect"), group.find(f"{SVG}title")
        if rect is not None and title is not None and rect.get("class") != "frame":
            found[str(title.text).splitlines()[0]] = (group, rect)
    return found


def sides(rect: ElementTree.Element) -> tuple[float, float, float, float]:
    x, y, width, height = (float(rect.get(name, "")) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_every_node_is_a_box_of_its_kind_with_its_words() -> None:
    found = boxes(draw_graph(NODES, EDGES, "Shop"))
    assert {name: rect.get("class") for name, (_, rect) in found.items()} == {node.id: node.kind for node in NODES}
    assert {name: [text.text for text in group.iter(f"{SVG}text")] for name, (group, _) in found.items()} == {
        "shop.raw.visits": ["raw.visits"],
        "shop.stg_visits": ["stg_visits"],
        "shop.visits": ["visits", "1,204 rows"],
        "plan.fit": ["fit.ipynb"],
        "plan.forecast": ["forecast", "30 rows"],
    }


def test_every_edge_is_a_line_from_box_to_box() -> None:
    svg = draw_graph(NODES, EDGES, "Shop")
    paths = [path for path in parse(svg).iter(f"{SVG}path") if path.get("class") == "edge"]
    assert sorted(str(path.findtext(f"{SVG}title")) for path in paths) == sorted(" → ".join(edge) for edge in EDGES)
    found = boxes(svg)
    for path in paths:
        source, target = str(path.findtext(f"{SVG}title")).split(" → ")
        _, top, right, bottom = sides(found[source][1])
        line = path.get("d", "").removesuffix("m-6-4l6 4l-6 4")
        assert line.startswith(f"M{right:g} {(top + bottom) / 2:g}")
        left, top, _, bottom = sides(found[target][1])
        assert line.endswith((f"H{left:g}", f" {left:g} {(top + bottom) / 2:g}"))


def test_groups_are_framed_and_the_legend_names_the_kinds_that_occur() -> None:
    words = [text.text for text in parse(draw_graph(NODES[:3], EDGES[:2], "Shop")).iter(f"{SVG}text")]
    assert words == [
        "Shop",
        "shop",
        "raw.visits",
        "stg_visits",
        "visits",
        "1,204 rows",
        "raw source",
        "model",
        "published port",
    ]


def test_boxes_do_not_overlap_and_hold_their_words() -> None:
    nodes = [GraphNode(f"n{i}", "W" * (i % 40), f"g{i // 9}", "model", "m" * (i % 30)) for i in range(45)]
    svg = draw_graph(nodes, [(f"n{i}", f"n{i + 1 + i % 7}") for i in range(37)], "Wide")
    found = boxes(svg)
    for (_, one), (_, other) in combinations(found.values(), 2):
        a, b = sides(one), sides(other)
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for group, rect in found.values():
        left, top, right, bottom = sides(rect)
        for text in group.iter(f"{SVG}text"):
            letters = str(text.text or "").rstrip("…")
            wide = 0.944 * 12.5 if "W" in letters else 0.833 * 11  # Helvetica's W and m
            assert left < float(text.get("x", "")) + wide * len(letters) < right or not letters
            assert top < float(text.get("y", "")) < bottom
    assert len(svg) < 40_000


def test_a_long_label_is_cut_and_told_in_full_on_hover() -> None:
    group, _ = boxes(draw_graph([GraphNode("long", "an_endless_name_" * 4, "g", "port")], [], "Long"))["long"]
    assert group.findtext(f"{SVG}title") == "long\n" + "an_endless_name_" * 4
    assert group.findtext(f"{SVG}text") == "an_endless_name_an_endless_n…"


def test_what_is_given_is_escaped() -> None:
    nodes = [GraphNode('<a&"', "<b>&amp;", "<c>", "port", "<script>"), GraphNode("]]>", "'\"", "&", "model")]
    root = parse(draw_graph(nodes, [('<a&"', "]]>")], "</title><script>"))
    assert [element for element in root.iter() if element.tag.endswith("script")] == []
    assert root.findtext(f"{SVG}title") == "</title><script>"
    assert {"<b>&amp;", "<script>", "<c>", "'\"", "&"} <= {text.text for text in root.iter(f"{SVG}text")}


def test_it_says_what_it_is_to_a_screen_reader_and_loads_nothing() -> None:
    svg = draw_graph(NODES, EDGES, "Shop and plan")
    root = parse(svg)
    assert (root.tag, root.get("role"), root[0].tag, root[0].text) == (f"{SVG}svg", "img", f"{SVG}title", "Shop and plan")
    assert "prefers-color-scheme:dark" in svg
    assert [word for word in ("http:", "https:", "url(", "href", "@import") if word in svg.replace(SVG[1:-1], "")] == []


def test_nothing_and_one_node() -> None:
    assert [text.text for text in parse(draw_graph([], [], "Nothing")).iter(f"{SVG}text")] == ["Nothing"]
    assert boxes(draw_graph([GraphNode("a", "a", "g", "port")], [], "One")).keys() == {"a"}


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ([GraphNode("a", "a", "g", "table")], [], "node 'a' is of kind 'table'; allowed are: source, model, port, notebook"),
        ([GraphNode("a", "a", "g", "port")] * 2, [], "node 'a' occurs twice"),
        ([GraphNode("a", "a", "g", "port")], [("a", "b")], "the edge a → b names 'b', which is no node"),
        ([GraphNode("a", "a", "g", "port")], [("a", "a")], "the edges form a circle: a → a"),
    ],
)
def test_what_cannot_be_drawn_is_refused(nodes: list[GraphNode], edges: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(KitError, match=message):
        draw_graph(nodes, edges, "Wrong")


def test_the_same_graph_gives_the_same_bytes_in_every_process() -> None:
    code = "from tests.drawing.test_graph import *; sys.stdout.write(draw_graph(NODES, EDGES, 'Shop'))"
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert drawn == {draw_graph(NODES, EDGES, "Shop")}


def test_the_box_it_is_about_is_ringed_and_sentences_stand_below() -> None:
    svg = draw_graph(
        [GraphNode("a", "a", "g", "port", focus=True), GraphNode("b", "b", "g", "port")], [], "Two", notes=("b is <alone>.",)
    )
    assert {name: [rect.get("class") for rect in group.iter(f"{SVG}rect")] for name, (group, _) in boxes(svg).items()} == {
        "a": ["port", "ring"], "b": ["port"],
    }  # fmt: skip
    root = parse(svg)
    texts = [text for text in root.iter(f"{SVG}text") if text.text == "b is <alone>."]
    assert len(texts) == 1
    assert float(texts[0].get("y", "")) < float(root.get("height", ""))


def test_long_sentences_are_broken_into_lines() -> None:
    root = parse(draw_graph([], [], "Nothing", notes=("one word " * 40,)))
    lines = [str(text.text) for text in root.iter(f"{SVG}text")][1:]
    assert (" ".join(lines), len(lines)) == (("one word " * 40).strip(), 4)
