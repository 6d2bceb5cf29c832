import json
import subprocess

import pytest

from kit.catalog import history_tab
from kit.core.errors import MaskError, NotPublished
from kit.storage.runs import Runs
from kit.storage.store import Store
from tests.catalog.conftest import EVIL
from tests.support.small_mesh import SmallMesh
from tests.support.tab_page import Page, port_view, render


def test_the_history_tells_what_changed(shop: SmallMesh) -> None:
    (first,) = shop.store.versions("shop")
    page = render(history_tab.render_history, shop)
    assert [row[0] for row in page.rows[1:]] == [f"{first}; current"]
    # The same snapshot again, whose contract promised otherwise.
    folder = shop.store.folder("shop")
    manifest = json.loads((folder / first / "manifest.json").read_text())
    columns = manifest["ports"]["sales"]["about"]["columns"]
    manifest["ports"]["sales"]["about"]["columns"] = [["old", "bigint", ""], [columns[1][0], "date", ""], *columns[2:]]
    manifest["ports"]["sales"]["about"]["sla"]["frequency_hours"] = 12.0
    manifest["version"] = "20200101T000000Z-000000"
    (folder / "20200101T000000Z-000000").mkdir()
    (folder / "20200101T000000Z-000000/manifest.json").write_text(json.dumps(manifest))
    page = render(history_tab.render_history, shop)
    assert [row[5] for row in page.rows[1:]] == [
        "sale_id added (bigint); old dropped; item: date → varchar; frequency: 12 h → 24 h", "",
    ]  # fmt: skip
    with pytest.raises(NotPublished, match=r"'plan.forecast' was never published; build it with `kit run plan`"):
        history_tab.render_history(port_view(shop, "plan.forecast"))


def test_the_history_knows_who_changed_the_contract(shop: SmallMesh) -> None:
    for command in (["init", "-q"], ["add", "domains"], ["commit", "-q", "-m", f"Promise sales {EVIL}"]):
        who = ["-c", "user.name=Ann Other", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *who, *command], cwd=shop.root, check=True)
    assert render(history_tab.render_history, shop).rows[-1][1:3] == ["Ann Other", f"Promise sales {EVIL}"]


def test_an_executed_notebook_is_a_page_of_its_own(shop: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    product = shop.store
    run = Runs(shop.config.storage)
    snapshot = product.current("shop")
    assert snapshot is not None
    folder = run.folder("shop", snapshot.manifest["run_id"]) / "notebooks"
    folder.mkdir()
    (folder / "sales.ipynb").write_bytes((shop.domains / "plan/notebooks/forecast.ipynb").read_bytes())
    assert render(history_tab.render_history, shop).buttons == [snapshot.version]
    page = history_tab.render_history(port_view(shop, picked=snapshot.version))
    assert "<iframe sandbox srcdoc='&lt;!DOCTYPE html&gt;" in page
    assert Page(page).buttons == [""]
    monkeypatch.setattr(Store, "exposed", lambda *_: ("sales.item",))
    with pytest.raises(MaskError, match=r"shows sales\.item, which is masked today; it is not served"):
        history_tab.render_history(port_view(shop, picked=snapshot.version))
