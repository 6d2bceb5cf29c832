import json
from typing import Any

import pytest

from kit.columns import uses
from kit.errors import MeshError
from kit.lint import problems
from kit.sync import sync
from tests.small_mesh import SmallMesh


def refer(small: SmallMesh, path: str, **relationship: Any) -> None:
    """Let the first column of a contract refer to another table."""
    file = small.domains / path
    data = json.loads(file.read_text())
    data["schema"][0]["properties"][0]["relationships"] = [relationship]
    file.write_text(json.dumps(data, indent=1))


ASIDE = [{"property": "onFailure", "value": "quarantine"}]


@pytest.mark.parametrize(
    ("path", "relationship", "problem"),
    [
        ("shop/sources/sales", {"to": "shop.totals.item"}, "'shop.totals' cannot be seen when 'sales' is checked; "
         "there are: raw.sales"),
        ("shop/contracts/sales", {"to": "plan.forecast.item"}, "'plan.forecast' cannot be seen when 'sales' is checked; "
         "there are: raw.sales, shop.sales, shop.totals"),
        ("shop/contracts/totals", {"to": "shop.sales.items"}, "'items' is no column of 'shop.sales'; there are: amount, item, "
         "sale_id, sold_on"),
        ("shop/contracts/totals", {"to": "shop.sales.item", "customProperties": ASIDE}, "'shop.sales' may not be made yet "
         "when rows of 'totals' are set aside; use block or warn"),
    ],
)  # fmt: skip
def test_a_foreign_key_leads_to_what_the_audit_can_see(small: SmallMesh, path: str, relationship: Any, problem: str) -> None:
    small.replace(f"domains/{path}.odcs.yaml", '"status": "active",', LIMIT if "customProperties" in relationship else ACTIVE)
    refer(small, f"{path}.odcs.yaml", **relationship)
    with pytest.raises(MeshError) as caught:
        small.product("shop")
    assert str(caught.value).rpartition(".to: ")[2].rpartition("relationships.0: ")[2] == problem


ACTIVE = '"status": "active",'
LIMIT = f'{ACTIVE} "customProperties": [{{"property": "quarantineLimit", "value": 0.1}}],'


def test_check_knows_the_columns_of_inputs(small: SmallMesh) -> None:
    refer(small, "plan/contracts/forecast.odcs.yaml", to="shop.totals.item")
    sync(small.config, small.mesh)
    assert list(problems(small.config, small.mesh)) == []
    refer(small, "plan/contracts/forecast.odcs.yaml", to="shop.totals.no")
    sync(small.config, small.mesh)
    ((product, message),) = problems(small.config, small.mesh)
    assert (product, message.partition(".to: ")[2]) == (
        "plan",
        "'no' is no column of 'shop.totals'; there are: amount, item",
    )


def test_what_a_foreign_key_leads_to_is_used(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", ["kit.inputs().read('shop.totals').select('amount')"])
    assert uses(small.config, small.mesh)["shop.totals"] == {"plan": {"amount"}}
    refer(small, "plan/contracts/forecast.odcs.yaml", to="shop.totals.item")
    assert uses(small.config, small.mesh)["shop.totals"] == {"plan": {"amount", "item"}}
