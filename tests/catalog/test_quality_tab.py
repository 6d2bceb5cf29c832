from kit.catalog import quality_tab
from kit.contracts.check import Check
from tests.catalog.conftest import EVIL
from tests.catalog.test_quality_history import record
from tests.support.small_mesh import SmallMesh
from tests.support.tab_page import render


def test_the_quality_of_a_port_begins_with_what_failed(shop: SmallMesh) -> None:
    page = render(quality_tab.render_quality, shop)
    assert page.rows[0] == ["last", "check", "table", "observed"]
    assert [page.rows[1][0], page.rows[1][2]] == ["passed", "sales; dbt"]
    assert page.rows[-1][2].startswith("raw.sales; ")
    rows = ({"sale_id": 7, "item": EVIL},)
    record(shop, 1, Check("raw.sales", "item is required", "contract", False, "error", "1 of 30 rows", 1, rows, "it counts"))
    page = render(quality_tab.render_quality, shop)
    assert page.texts[:1] == ["Last build 2100-01-01 00:01 UTC: failedwhy"]
    assert page.rows[0][4:] == ["last 2 builds"]
    assert page.rows[1] == [
        "failed",
        f"item is required; it counts; row: sale_id=7, item={EVIL}",
        "raw.sales; contract",
        "1 of 30 rows",
        "",
    ]
    assert page.pictures[:2] == ["failed, passed", "not reached, passed"]
    assert render(quality_tab.render_quality, shop, "plan.forecast").texts == [
        "'plan.forecast' was never built; build it with `kit run plan`."
    ]
