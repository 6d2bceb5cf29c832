from typing import Any

import pytest

from kit.governance.masks import check_masks
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, contract, descriptor, write


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product `club` with one model over `shop.sales`, beside the two of the small mesh."""
    monkeypatch.chdir(small.root)
    club = small.domains / "club"
    write(club / "product.odps.yaml", descriptor("club", inputs=["shop.sales"], outputs={"members": "dbt"}))
    columns: list[tuple[str, str, dict[str, Any]]] = [("sale_id", "bigint", {}), ("item", "varchar", {})]
    write(club / "contracts/members.odcs.yaml", contract("club.members", "members", columns))
    write(club / "dbt_project.yml", (small.domains / "shop/dbt_project.yml").read_text().replace("shop", "club"))
    write(club / "models/sources.yml", "sources: [{name: shop, tables: [{name: sales}]}]\n")
    write(club / "models/marts/members.sql", "select sale_id, item from {{ ref('step') }}\n")
    write(club / "models/staging/step.sql", "select sale_id, upper(item) as item from {{ source('shop', 'sales') }}\n")


def found(small: SmallMesh) -> list[tuple[str, str]]:
    context = small.context
    assert context.mesh.broken == ()
    return [(name, message.partition("customProperties: ")[2]) for name, message in pairs(check_masks(context))]


def test_what_is_masked_before_is_inherited(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="hmac", item="hmac")
    small.mask("club/contracts/members.odcs.yaml", sale_id="inherited", item="inherited")
    assert found(small) == []


def test_of_a_notebook_only_names_are_known(small: SmallMesh) -> None:
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    small.mask("plan/contracts/forecast.odcs.yaml", item="inherited")
    assert found(small) == []


def test_tokens_of_tokens_and_untrue_inheritance_are_refused(small: SmallMesh) -> None:
    small.mask("shop/sources/sales.odcs.yaml", item="inherited")
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="hmac")
    small.mask("club/contracts/members.odcs.yaml", sale_id="hmac", item="inherited")
    small.replace("domains/plan/contracts/forecast.odcs.yaml", '"amount"', '"gain"')
    small.mask("plan/contracts/forecast.odcs.yaml", item="inherited", gain="inherited")
    assert sorted(found(small)) == [
        ("club", "'item' inherits no mask from shop.sales.item; mask it there, or mask this column itself"),
        ("club", "'sale_id' comes from shop.sales.sale_id, which is masked already: tokens of tokens join with nothing; "
         "write inherited"),
        ("plan", "'item' inherits no mask from shop.totals.item; mask it there, or mask this column itself"),
        ("plan", "the origin of 'gain' is not known, so nothing shows that it is masked; mask it itself"),
        ("shop", "'item' is raw data, which has no earlier mask; write hmac, drop or generalise"),
    ]  # fmt: skip


def test_a_port_may_mask_what_its_sibling_masks_since_both_are_made_before(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    assert found(small) == []
    small.mask("shop/sources/sales.odcs.yaml", item="hmac")
    assert [message.partition(",")[0] for _, message in found(small)] == ["'item' comes from shop.raw.sales.item"] * 2
