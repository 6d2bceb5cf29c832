import json
from shutil import rmtree

import pytest

from kit.catalog import history_tab, profile_tab, schema_tab, tabs
from kit.core.errors import KitError, MeshError, NotPublished
from kit.storage import index
from tests.support.files import write
from tests.support.small_mesh import SmallMesh
from tests.support.tab_page import Page, port_view, render


def test_a_snapshot_that_was_pruned_meanwhile_is_a_sentence(shop: SmallMesh) -> None:
    port = port_view(shop)
    version = port.entry.status.version
    rmtree(shop.store.folder("shop") / str(version))
    (shop.store.folder("shop") / "current.json").write_text(
        (shop.store.folder("shop") / "current.json").read_text().replace(str(version), "gone")
    )
    for tab in (tabs.render_sample, profile_tab.render_profile):
        with pytest.raises(KitError) as error:
            tab(port)
        assert str(error.value) == (
            f"the snapshot {version} of 'shop' has been pruned since this catalog was opened; "
            "open it again with kit.open().browse()"
        )
    assert [row[2] for row in Page(schema_tab.render_schema(port)).rows] == ["null", "", "", "", ""]


def test_of_a_broken_product_the_last_snapshot_is_render(shop: SmallMesh) -> None:
    (shop.domains / "shop/product.odps.yaml").write_text("kind: [")
    index.write(shop.context)
    facts = dict(render(tabs.render_overview, shop).rows)
    assert facts["freshness"].startswith("broken: ")
    assert "classification" not in facts
    page = render(schema_tab.render_schema, shop)
    assert page.texts == ["These are the columns of the last snapshot: the port has no contract now, or its product is broken."]
    assert page.rows[1] == ["sale_id; key", "bigint", "none", "", "", "the sale_id"]
    assert len(render(tabs.render_sample, shop).rows) == 21
    assert len(render(history_tab.render_history, shop).rows) == 2
    with pytest.raises(MeshError, match=r"the data product 'shop' is broken: "):
        tabs.render_lineage(port_view(shop))


def test_what_was_never_built_says_so(small: SmallMesh) -> None:
    for tab in (tabs.render_sample, profile_tab.render_profile):
        with pytest.raises(NotPublished) as error:
            tab(port_view(small))
        assert str(error.value) == "'shop.sales' was never published and has no data; build it with `kit run shop`"


def test_a_port_view_has_the_contract_of_the_folder_and_the_snapshot_of_the_entry(shop: SmallMesh) -> None:
    view = port_view(shop, "shop.totals")
    contract = view.contract()
    assert contract is not None
    assert (view.name, contract.id, view.config.root) == ("totals", "shop.totals", shop.root)
    shown = shop.store.current("shop")
    newer = shop.publish("shop", force=True)
    with view.snapshot() as snapshot:
        assert snapshot == shown
        assert [item.kept_because for item in shop.store.prune("shop", 1)] == ["it is being read"]
    assert shop.store.versions("shop") == [newer, snapshot.version]


def test_a_port_that_its_product_no_longer_offers_has_no_contract(shop: SmallMesh) -> None:
    view = port_view(shop, "shop.totals")
    file = shop.domains / "shop/product.odps.yaml"
    product = json.loads(file.read_text())
    product["outputPorts"].pop()
    write(file, json.dumps(product))
    for name in ("contracts/totals.odcs.yaml", "models/marts/totals.sql", "models/marts/sales.yml"):
        (shop.domains / "shop" / name).unlink()
    assert [port.name for port in shop.product("shop").ports] == ["sales"]
    assert view.contract() is None
