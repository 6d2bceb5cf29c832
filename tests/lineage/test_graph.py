from dataclasses import replace
from pathlib import Path

from kit.dbt.project import Project
from kit.lineage.graph import LineageNode, lineage, product_nodes, upstream
from kit.mesh.mesh import Mesh
from tests.support.small_mesh import SmallMesh

ROOT = Path(__file__).parents[2]


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


def test_the_demo_mesh() -> None:
    graph = lineage(Mesh.load(ROOT / "domains"))
    assert [(node.id, node.kind, node.reads) for node in graph.values()] == DEMO


DEMO: list[tuple[str, str, tuple[str, ...]]] = [
    ("customers.raw.demographics", "source", ()),
    ("customers.stg_demographics", "model", ("customers.raw.demographics",)),
    ("customers.households", "port", ("customers.stg_demographics",)),
    ("products.raw.products", "source", ()),
    ("products.stg_products", "model", ("products.raw.products",)),
    ("products.products", "port", ("products.stg_products",)),
    ("orders.raw.transactions", "source", ()),
    ("orders.stg_transactions", "model", ("orders.raw.transactions",)),
    ("orders.order_lines", "port", ("orders.stg_transactions", "products.products")),
    ("orders.baskets", "port", ("orders.order_lines",)),
    ("orders.daily_sales", "port", ("orders.order_lines",)),
    ("demand.forecast_model", "notebook", ("orders.daily_sales",)),
    ("demand.predicted_sales", "notebook", ("orders.daily_sales", "demand.forecast_model")),
    ("marketing.raw.campaigns", "source", ()),
    ("marketing.raw.campaign_descriptions", "source", ()),
    ("marketing.raw.coupons", "source", ()),
    ("marketing.raw.coupon_redemptions", "source", ()),
    ("marketing.raw.promotions", "source", ()),
    ("marketing.stg_campaign_descriptions", "model", ("marketing.raw.campaign_descriptions",)),
    ("marketing.stg_campaigns", "model", ("marketing.raw.campaigns",)),
    ("marketing.stg_coupon_redemptions", "model", ("marketing.raw.coupon_redemptions",)),
    ("marketing.stg_coupons", "model", ("marketing.raw.coupons",)),
    ("marketing.stg_promotions", "model", ("marketing.raw.promotions",)),
    (
        "marketing.campaign_performance",
        "port",
        (
            "orders.baskets",
            "marketing.stg_campaign_descriptions",
            "marketing.stg_campaigns",
            "marketing.stg_coupons",
            "marketing.stg_coupon_redemptions",
        ),
    ),
    (
        "marketing.household_engagement",
        "port",
        ("orders.baskets", "marketing.stg_campaigns", "marketing.stg_coupon_redemptions", "customers.households"),
    ),
    ("marketing.promotion_weeks", "port", ("orders.order_lines", "marketing.stg_promotions")),
]


def test_a_table_is_behind_those_it_reads_whatever_order_they_are_declared_in(small: SmallMesh) -> None:
    shop = small.product("shop")
    turned = replace(shop, ports=tuple(reversed(shop.ports)))
    assert [node.table for node in product_nodes(turned, Project.read(shop.folder))] == ["raw.sales", "sales", "totals"]
