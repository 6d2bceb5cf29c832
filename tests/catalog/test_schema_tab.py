from kit.catalog import schema_tab
from tests.catalog.conftest import EVIL
from tests.support.small_mesh import SmallMesh
from tests.support.tab_page import render


def test_the_schema_has_rules_nulls_classes_and_masks(shop: SmallMesh) -> None:
    page, told = render(schema_tab.render_schema, shop), f"the item {EVIL}"
    assert page.rows == [
        ["column", "type", "null", "rules", "class", "description"],
        ["sale_id; key", "bigint", "none", "is required; is unique", "", "the sale_id"],
        ["item", "varchar", "none", "is required; known values: item is one of 2 values: tea, cake", "personal", told],
        ["amount", "decimal(10,2)", "none", "is required; is between 0 and 1000", "masked: generalise 10", "the amount"],
        ["sold_on", "date", "none", "is required", "", "the sold_on"],
    ]  # fmt: skip
    assert page.texts == ["Rules of the table", "rows: rows are between 20 and 100"]
    assert [row[2] for row in render(schema_tab.render_schema, shop, "plan.forecast").rows] == ["null", "", ""]
