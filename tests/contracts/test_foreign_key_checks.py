import json
from dataclasses import replace
from typing import Any

import pytest

from kit.contracts import foreign_key_checks
from kit.core.errors import MeshError
from kit.governance.check import check_mesh
from kit.lineage.columns import column_use
from kit.sync.sync import sync
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh


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
        ("shop/sources/sales", {"to": "shop.totals.item"}, "'shop.totals' cannot be read when 'sales' is checked; "
         "there are: raw.sales"),
        ("shop/contracts/sales", {"to": "plan.forecast.item"}, "'plan.forecast' cannot be read when 'sales' is checked; "
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
    sync(small.context)
    assert list(pairs(check_mesh(small.context))) == []
    refer(small, "plan/contracts/forecast.odcs.yaml", to="shop.totals.no")
    sync(small.context)
    ((product, message),) = pairs(check_mesh(small.context))
    assert (product, message.partition(".to: ")[2]) == (
        "plan",
        "'no' is no column of 'shop.totals'; there are: amount, item",
    )


@pytest.mark.parametrize(
    ("path", "to", "problem"),
    [
        ("shop/contracts/totals", "shop.sales.amount", "'item' is varchar and 'shop.sales.amount' decimal(10,2)"),
        ("shop/contracts/sales", "raw.sales.sold_on", "'sale_id' is bigint and 'raw.sales.sold_on' date"),
    ],
)
def test_a_key_and_its_target_are_of_one_type(small: SmallMesh, path: str, to: str, problem: str) -> None:
    refer(small, f"{path}.odcs.yaml", to=to)
    with pytest.raises(MeshError) as caught:
        small.product("shop")
    assert str(caught.value).partition(".to: ")[2] == f"{problem}; give both the same type"


MASKED = "holds real values when it is checked, but those of"


@pytest.mark.parametrize(
    ("theirs", "ours", "problem"),
    [
        ("hmac", None, f"'item' {MASKED} 'shop.totals.item' are masked (hmac); "
         "mask 'item' where it comes from, in the contract of its source, and write `mask: inherited` here"),
        ("hmac", "hmac", f"'item' {MASKED} 'shop.totals.item' are masked (hmac); "
         "mask 'item' where it comes from, in the contract of its source, and write `mask: inherited` here"),
        ("hmac", "inherited", None),
        (None, "hmac", None),
    ],
)  # fmt: skip
def test_like_is_compared_with_like(small: SmallMesh, theirs: Any, ours: Any, problem: str | None) -> None:
    refer(small, "plan/contracts/forecast.odcs.yaml", to="shop.totals.item")
    for path, mask in (("shop/contracts/totals.odcs.yaml", theirs), ("plan/contracts/forecast.odcs.yaml", ours)):
        if mask:
            small.mask(path, item=mask)
    mesh = small.mesh
    (contract,) = (port.contract for port in mesh.product("plan").ports)
    found = foreign_key_checks.column_errors(contract, {"shop.totals": mesh.port("shop.totals").contract})
    assert [str(error).partition(".to: ")[2] for error in found] == ([problem] if problem else [])


def test_raw_data_is_held_against_raw_data_before_it_is_masked(small: SmallMesh) -> None:
    small.mask("shop/sources/sales.odcs.yaml", item="hmac")
    refer(small, "shop/contracts/totals.odcs.yaml", to="shop.sales.item")
    shop = small.product("shop")  # what a product makes itself is checked before it is masked
    (source,) = (source.contract for source in shop.sources)
    (key,) = (rule.foreign_key for rule in shop.ports[1].contract.rules if rule.foreign_key)
    referring = replace(source, rules=(replace(source.rules[0], foreign_key=replace(key, table="raw.sales")),))
    assert list(foreign_key_checks.column_errors(referring, {"raw.sales": source})) == []
    elsewhere = replace(source.rules[0], foreign_key=replace(key, table="crm.sales"))
    (problem,) = foreign_key_checks.column_errors(replace(source, rules=(elsewhere,)), {"crm.sales": source})
    assert "those of 'crm.sales.item' are masked (hmac)" in str(problem)
    refer(small, "shop/contracts/totals.odcs.yaml", to="raw.sales.item")
    with pytest.raises(MeshError, match="are masked \\(hmac\\); mask 'item' where it comes from"):
        small.product("shop")


def test_what_a_foreign_key_leads_to_is_used(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", ["kit.inputs().read('shop.totals').select('amount')"])
    assert column_use(small.context)["shop.totals"] == {"plan": {"amount"}}
    refer(small, "plan/contracts/forecast.odcs.yaml", to="shop.totals.item")
    assert column_use(small.context)["shop.totals"] == {"plan": {"amount", "item"}}
