import duckdb
import pytest

from kit.catalog import tabs
from tests.support.small_mesh import SmallMesh
from tests.support.tab_page import render


def test_the_overview_says_what_it_is_and_who_relies_on_it(shop: SmallMesh) -> None:
    page = render(tabs.render_overview, shop)
    facts = {name: text for name, text in page.rows if name not in ("freshness", "snapshot", "checks")}
    assert page.texts == ["One row per sales."]
    assert facts == {
        "product": "shop: what shop is for", "domain": "shop", "owner": "shop owner (o@example.com)",
        "promised": "data at most 2 d old, published every 1 d", "rows": "30", "contract": "1.0.0",
        "classification": "columns: 3 not classified, 1 personal; masked: amount",
        "made from": "raw data sales; by dbt", "read by": "no other product",
    }  # fmt: skip
    facts = dict(render(tabs.render_overview, shop, "shop.totals").rows)
    assert facts["read by"] == "plan (plan owner)"
    facts = dict(render(tabs.render_overview, shop, "plan.forecast").rows)
    assert (facts["freshness"], facts["made from"]) == ("never built", "shop.totals; by a notebook")


def test_a_sample_marks_what_is_masked(shop: SmallMesh) -> None:
    page = render(tabs.render_sample, shop)
    assert page.rows[0] == ["sale_id", "item", "amount (masked: generalise)", "sold_on"]
    assert (len(page.rows), page.texts[0].startswith("20 of 30 rows of snapshot ")) == (21, True)
    assert page.rows[1] == ["1", "tea", "1.50", "2024-01-02"]


def test_lineage_is_of_the_port_or_the_column_that_is_picked(shop: SmallMesh) -> None:
    page = render(tabs.render_lineage, shop)
    assert page.buttons == ["sale_id", "item", "amount", "sold_on"]
    assert page.pictures[0].startswith("Lineage of shop.sales: shop.raw.sales → shop.sales")
    page = render(tabs.render_lineage, shop, picked="item")
    assert page.buttons == ["", "sale_id", "amount", "sold_on"]
    assert page.pictures[0].startswith("Lineage of shop.sales.item: ")


def test_code_runs_as_it_stands(shop: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.root)
    found = {}
    page = render(tabs.render_code, shop)
    examples = dict(zip(page.texts[::2], page.texts[1::2], strict=True))
    with duckdb.connect() as connection:
        assert len(connection.execute(examples.pop("SQL of DuckDB, without the kit")).fetchall()) == 30
    for title, code in examples.items():
        space: dict[str, object] = {}
        exec(code, space)
        frame = space.get("frame", space.get("relation"))
        found[title] = frame.collect().height if hasattr(frame, "collect") else len(frame)  # type: ignore[arg-type]
    assert found == {"polars": 30, "polars, lazily": 30, "DuckDB": 30, "pandas": 30, "Intake, without the kit": 30}
