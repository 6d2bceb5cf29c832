from dataclasses import replace

from kit.dbt.project import Project
from kit.lineage.graph import LineageNode, lineage, product_nodes, upstream
from tests.support.small_mesh import SmallMesh


def test_what_a_product_is_made_of(small: SmallMesh) -> None:
    shop = small.product("shop")
    assert product_nodes(shop, Project.read(shop.folder)) == (
        LineageNode("shop.raw.sales", "shop", "source", "One row per sales."),
        LineageNode("shop.sales", "shop", "port", "One row per sales.", ("shop.raw.sales",)),
        LineageNode("shop.totals", "shop", "port", "One row per totals.", ("shop.sales",)),
    )
    assert [node.table for node in product_nodes(shop, Project.read(shop.folder))] == ["raw.sales", "sales", "totals"]


def test_a_port_whose_model_cannot_be_found_may_read_any_input(small: SmallMesh) -> None:
    shop = small.product("shop")
    assert [(node.id, node.reads) for node in product_nodes(shop, Project((), ()))] == [
        ("shop.raw.sales", ()), ("shop.sales", ("shop.raw.sales",)), ("shop.totals", ("shop.raw.sales",)),
    ]  # fmt: skip


def test_upstream_follows_every_edge_once_and_ends_at_what_is_unknown() -> None:
    graph = {
        name: LineageNode(name, "p", "model", "", reads)
        for name, reads in {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ("a", "x")}.items()
    }
    assert upstream(graph, ["b"]) == {"a", "b", "c", "d", "x"}
    assert upstream(graph, ["x", "none"]) == {"x", "none"}
    assert upstream(graph, []) == set()


def test_a_mesh_of_dbt_and_notebooks(small: SmallMesh) -> None:
    assert [(node.id, node.kind, node.reads) for node in lineage(small.mesh).values()] == [
        ("shop.raw.sales", "source", ()),
        ("shop.sales", "port", ("shop.raw.sales",)),
        ("shop.totals", "port", ("shop.sales",)),
        ("plan.forecast", "notebook", ("shop.totals",)),
    ]


def test_a_table_is_behind_those_it_reads_whatever_order_they_are_declared_in(small: SmallMesh) -> None:
    shop = small.product("shop")
    turned = replace(shop, ports=tuple(reversed(shop.ports)))
    assert [node.table for node in product_nodes(turned, Project.read(shop.folder))] == ["raw.sales", "sales", "totals"]
