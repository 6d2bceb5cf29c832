import base64
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from kit.catalog.lineage_diagram import draw_column, draw_mesh, draw_port, draw_product
from kit.core.errors import MeshError, UnknownName
from kit.drawing.picture import Picture
from kit.lineage.graph import lineage
from tests.support.files import write
from tests.support.plan import FORECAST
from tests.support.small_mesh import SmallMesh

SVG = "{http://www.w3.org/2000/svg}"


def drawn(picture: Picture) -> tuple[set[str], set[str], list[str]]:
    """The ids of the boxes, those of the edges, and the ids that are ringed."""
    root = ElementTree.fromstring(picture.svg)
    assert base64.b64decode(picture.uri.partition(",")[2]).decode() == picture.svg
    boxes, ringed = set(), []
    for group in root.iter(f"{SVG}g"):
        rects = [rect.get("class") for rect in group.findall(f"{SVG}rect")]
        title = group.findtext(f"{SVG}title")
        if title and "frame" not in rects:
            boxes.add(title.splitlines()[0])
            ringed += [title.splitlines()[0]] if "ring" in rects else []
    edges = {str(path.findtext(f"{SVG}title")) for path in root.iter(f"{SVG}path") if path.get("class") == "edge"}
    return boxes, edges, ringed


def words(picture: Picture) -> str:
    root = ElementTree.fromstring(picture.svg)
    return "\n".join(str(text.text) for text in root.findall(f"{SVG}text"))


def test_the_whole_mesh_or_some_products_of_it(small: SmallMesh) -> None:
    assert drawn(draw_mesh(small.mesh)) == (
        {"shop.raw.sales", "shop.sales", "shop.totals", "plan.forecast"},
        {"shop.raw.sales → shop.sales", "shop.sales → shop.totals", "shop.totals → plan.forecast"},
        [],
    )
    assert drawn(draw_mesh(small.mesh, ["plan"])) == ({"plan.forecast"}, set(), [])
    assert "no data products yet" in words(draw_mesh(small.mesh, []))


def test_a_port_is_shown_with_its_own_models_and_the_ports_of_others(small: SmallMesh) -> None:
    write(small.domains / "shop/models/staging/stg.sql", "select * from {{ source('raw', 'sales') }}\n")
    write(small.domains / "shop/models/marts/sales.sql", "select * from {{ ref('stg') }} order by sale_id\n")
    picture = draw_port(small.mesh, "shop.totals")
    inside = {"shop.raw.sales → shop.stg", "shop.stg → shop.sales", "shop.sales → shop.totals"}
    boxes = {"shop.raw.sales", "shop.stg", "shop.sales", "shop.totals", "plan.forecast"}
    assert drawn(picture) == (boxes, inside | {"shop.totals → plan.forecast"}, ["shop.totals"])
    assert picture.alt == (
        "Lineage of shop.totals: shop.raw.sales → shop.stg; shop.sales → shop.totals; "
        "shop.stg → shop.sales; shop.totals → plan.forecast."
    )
    picture = draw_port(small.mesh, "plan.forecast")
    ports = {"shop.sales → shop.totals", "shop.totals → plan.forecast"}
    assert drawn(picture) == ({"shop.sales", "shop.totals", "plan.forecast"}, ports, ["plan.forecast"])
    assert "Nothing in the mesh reads plan.forecast." in words(picture)


def test_what_a_broken_product_offers_is_named_as_left_out(small: SmallMesh) -> None:
    write(small.domains / "shop/product.odps.yaml", "name: shop\n")
    picture = draw_port(small.mesh, "plan.forecast")
    assert drawn(picture) == ({"plan.forecast"}, set(), ["plan.forecast"])
    assert "Without ports of products in error: shop.totals." in words(picture)
    assert "Without products in error: shop." in words(draw_mesh(small.mesh))
    assert "in error" not in words(draw_mesh(small.mesh, ["plan"]))
    with pytest.raises(MeshError, match="the data product 'shop' is broken"):
        draw_port(small.mesh, "shop.totals")


def test_a_column_is_followed_up_to_raw_data_and_down_to_notebooks(small: SmallMesh) -> None:
    small.dbt_reader("other", "amount", "1.0.0")
    chain = ["shop.raw.sales.amount", "shop.sales.amount", "shop.totals.amount"]
    ends = {"plan.forecast", "other.copy.amount"}
    edges = {" → ".join(pair) for pair in pairwise(chain)} | {f"{chain[-1]} → {end}" for end in ends}
    assert drawn(draw_column(small.context, "shop.totals", "amount")) == (
        {*chain, *ends}, edges, ["shop.totals.amount"],
    )  # fmt: skip
    small.notebook("plan", "forecast", [FORECAST[1], "totals.select('item')"])
    picture = draw_column(small.context, "shop.sales", "amount")
    assert drawn(picture)[0] == {*chain, "other.copy.amount"}


def test_what_cannot_be_told_of_a_column_is_said(small: SmallMesh) -> None:
    picture = draw_column(small.context, "plan.forecast", "amount")
    assert drawn(picture) == ({"plan.forecast.amount"}, set(), ["plan.forecast.amount"])
    text = words(picture).replace("\n", " ")
    assert "A notebook makes plan.forecast; the origin of its columns is known from its code only." in text
    assert "Nothing in the mesh is known to be made from plan.forecast.amount." in text
    totals = small.domains / "shop/models/marts/totals.sql"
    write(totals, "select 'tea' as item, 1.5 as amount\n")
    assert "is not made from any column" in words(draw_column(small.context, "shop.totals", "item"))
    write(totals, "select item frm {{ ref('sales') }}\n")
    assert "cannot be analysed" in words(draw_column(small.context, "shop.totals", "item"))


def test_too_many_boxes_become_one_per_product(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.catalog.lineage_diagram._MAX_BOXES", 3)
    assert drawn(draw_mesh(small.mesh)) == ({"shop", "plan"}, {"shop → plan"}, [])
    boxes, edges, ringed = drawn(draw_port(small.mesh, "shop.totals"))
    assert boxes == {"shop.raw.sales", "shop.sales", "shop.totals", "plan"}
    assert ("shop.totals → plan" in edges, ringed) == (True, ["shop.totals"])


def test_of_too_many_products_the_most_connected_or_nearest_are_shown(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.dbt_reader("other", "amount", "1.0.0")
    monkeypatch.setattr("kit.catalog.lineage_diagram._MAX_BOXES", 1)
    picture = draw_mesh(small.mesh)
    assert drawn(picture) == ({"shop"}, set(), [])
    assert "Shown are the 1 products with the most inputs and readers of 3 products" in words(picture)
    picture = draw_port(small.mesh, "shop.totals")
    assert drawn(picture)[0] == {"shop.raw.sales", "shop.sales", "shop.totals", "other"}
    assert "Shown are the 1 nearest of 2 products" in words(picture)


def test_a_product_is_shown_with_its_neighbours(small: SmallMesh) -> None:
    graph = lineage(small.mesh)
    boxes = {"shop.raw.sales", "shop.sales", "shop.totals", "plan.forecast"}
    assert drawn(draw_product(graph, "shop"))[0] == boxes
    assert drawn(draw_product(graph, "plan")) == ({"shop.totals", "plan.forecast"}, {"shop.totals → plan.forecast"}, [])


@pytest.mark.parametrize(
    ("column", "message"),
    [("amont", "'shop.totals' has no column 'amont'; did you mean amount?"), ("zzz", "there are: item, amount")],
)
def test_an_unknown_column(small: SmallMesh, column: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        draw_column(small.context, "shop.totals", column)
