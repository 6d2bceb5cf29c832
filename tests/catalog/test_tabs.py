"""What each tab of the catalog's application says, as text."""

import json
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

import kit
from kit.catalog import history_tab, profile_tab, quality_tab, schema_tab, tabs
from kit.catalog.port_view import PortView
from kit.contracts.check import Check
from kit.core.errors import KitError, MeshError, NotPublished
from kit.drawing.markup import Html
from kit.storage import index
from kit.storage.runs import Runs
from tests.catalog.test_quality_history import record
from tests.support.small_mesh import SmallMesh

EVIL = "<script>alert(1)</script>&amp;'"


class Page(HTMLParser):
    """The rows of a text's tables, its paragraphs, and what can act in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.said: list[str] = []
        self.offers: list[str] = []
        self.pictures: list[str] = []
        self._in = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        assert set(given) <= {"style", "type", "data-pick", "src", "alt", "sandbox", "srcdoc", "title"}
        assert tag != "script"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in = "cell"
        elif tag in ("p", "pre"):
            self.said.append("")
            self._in = "said"
        elif tag == "br" and self._in == "cell":
            self.rows[-1][-1] += "; "
        elif tag == "img":
            self.pictures.append(given["alt"])
        if "data-pick" in given:
            self.offers.append(given["data-pick"])

    def handle_data(self, data: str) -> None:
        if self._in == "cell":
            self.rows[-1][-1] += data
        elif self._in == "said":
            self.said[-1] += data


def opened(small: SmallMesh, port: str = "shop.sales", picked: str = "") -> PortView:
    return PortView(kit.open(small.root)[port], lambda: small.mesh, picked)


def shown(tab: Callable[[PortView], Html], small: SmallMesh, port: str = "shop.sales", picked: str = "") -> Page:
    return Page(tab(opened(small, port, picked)))


@pytest.fixture
def shop(small: SmallMesh) -> SmallMesh:
    """Published, with a text that would act if it were not escaped, a personal and a masked column."""
    version = small.publish("shop")
    contract = "shop/contracts/sales.odcs.yaml"
    small.replace(f"domains/{contract}", '"the item"', json.dumps(f"the item {EVIL}") + ', "classification": "personal"')
    small.mask(contract, amount={"generalise": 10})
    edit(
        small.store.folder("shop") / version / "manifest.json",
        lambda of: of["ports"]["sales"].update(masked={"amount": "generalise"}),
    )
    index.write(small.config, small.mesh)
    return small


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change the JSON value of a file."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_the_overview_says_what_it_is_and_who_relies_on_it(shop: SmallMesh) -> None:
    page = shown(tabs.render_overview, shop)
    facts = {name: text for name, text in page.rows if name not in ("freshness", "snapshot", "checks")}
    assert page.said == ["One row per sales."]
    assert facts == {
        "product": "shop: what shop is for", "domain": "shop", "owner": "shop owner (o@example.com)",
        "promised": "data at most 2 d old, published every 1 d", "rows": "30", "contract": "1.0.0",
        "classification": "columns: 3 not classified, 1 personal; masked: amount",
        "made from": "raw data sales; by dbt", "read by": "no other product",
    }  # fmt: skip
    facts = dict(shown(tabs.render_overview, shop, "shop.totals").rows)
    assert facts["read by"] == "plan (plan owner)"
    facts = dict(shown(tabs.render_overview, shop, "plan.forecast").rows)
    assert (facts["freshness"], facts["made from"]) == ("never built", "shop.totals; by a notebook")


def test_the_schema_has_rules_nulls_classes_and_masks(shop: SmallMesh) -> None:
    page, told = shown(schema_tab.render_schema, shop), f"the item {EVIL}"
    assert page.rows == [
        ["column", "type", "null", "rules", "class", "description"],
        ["sale_id; key", "bigint", "none", "is required; is unique", "", "the sale_id"],
        ["item", "varchar", "none", "is required; known values: item is one of 2 values: tea, cake", "personal", told],
        ["amount", "decimal(10,2)", "none", "is required; is between 0 and 1000", "masked: generalise 10", "the amount"],
        ["sold_on", "date", "none", "is required", "", "the sold_on"],
    ]  # fmt: skip
    assert page.said == ["Rules of the table", "rows: rows are between 20 and 100"]
    assert [row[2] for row in shown(schema_tab.render_schema, shop, "plan.forecast").rows] == ["null", "", ""]


def test_a_sample_marks_what_is_masked(shop: SmallMesh) -> None:
    page = shown(tabs.render_sample, shop)
    assert page.rows[0] == ["sale_id", "item", "amount (masked: generalise)", "sold_on"]
    assert (len(page.rows), page.said[0].startswith("20 of 30 rows of snapshot ")) == (21, True)
    assert page.rows[1] == ["1", "tea", "1.50", "2024-01-02"]


def test_a_profile_has_a_picture_for_each_column(shop: SmallMesh) -> None:
    page = shown(profile_tab.render_profile, shop)
    assert page.said[0].startswith("Counted over 30 of 30 rows of snapshot ")
    assert page.rows[1] == ["sale_id; bigint", "none", "30", "; 1 … 30, median 15"]
    assert page.rows[2] == ["item; varchar", "none", "2", " tea 66.7 %;  cake 33.3 %"]
    assert page.pictures[0] == "15 bars from 1 to 30, the highest 2 rows"


def test_the_quality_of_a_port_begins_with_what_failed(shop: SmallMesh) -> None:
    page = shown(quality_tab.render_quality, shop)
    assert page.rows[0] == ["last", "check", "table", "observed"]
    assert [page.rows[1][0], page.rows[1][2]] == ["passed", "sales; dbt"]
    assert page.rows[-1][2].startswith("raw.sales; ")
    rows = ({"sale_id": 7, "item": EVIL},)
    record(shop, 1, Check("raw.sales", "item is required", "contract", False, "error", "1 of 30 rows", 1, rows, "it counts"))
    page = shown(quality_tab.render_quality, shop)
    assert page.said[:1] == ["Last build 2100-01-01 00:01 UTC: failedwhy"]
    assert page.rows[0][4:] == ["last 2 builds"]
    assert page.rows[1] == [
        "failed",
        f"item is required; it counts; row: sale_id=7, item={EVIL}",
        "raw.sales; contract",
        "1 of 30 rows",
        "",
    ]
    assert page.pictures[:2] == ["failed, passed", "not reached, passed"]
    assert shown(quality_tab.render_quality, shop, "plan.forecast").said == [
        "'plan.forecast' was never built; build it with `kit run plan`."
    ]


def test_lineage_is_of_the_port_or_the_column_that_is_picked(shop: SmallMesh) -> None:
    page = shown(tabs.render_lineage, shop)
    assert page.offers == ["sale_id", "item", "amount", "sold_on"]
    assert page.pictures[0].startswith("Lineage of shop.sales: shop.raw.sales → shop.sales")
    page = shown(tabs.render_lineage, shop, picked="item")
    assert page.offers == ["", "sale_id", "amount", "sold_on"]
    assert page.pictures[0].startswith("Lineage of shop.sales.item: ")


def test_the_history_tells_what_changed(shop: SmallMesh) -> None:
    (first,) = shop.store.versions("shop")
    page = shown(history_tab.render_history, shop)
    assert [row[0] for row in page.rows[1:]] == [f"{first}; current"]
    # The same snapshot again, whose contract promised otherwise.
    folder = shop.store.folder("shop")
    manifest = json.loads((folder / first / "manifest.json").read_text())
    columns = manifest["ports"]["sales"]["about"]["columns"]
    manifest["ports"]["sales"]["about"]["columns"] = [["old", "bigint", ""], [columns[1][0], "date", ""], *columns[2:]]
    manifest["ports"]["sales"]["about"]["sla"]["frequency_hours"] = 12.0
    (folder / "20200101T000000Z-000000").mkdir()
    (folder / "20200101T000000Z-000000/manifest.json").write_text(json.dumps(manifest))
    page = shown(history_tab.render_history, shop)
    assert [row[5] for row in page.rows[1:]] == [
        "sale_id added (bigint); old dropped; item: date → varchar; frequency: 12 h → 24 h", "",
    ]  # fmt: skip
    with pytest.raises(NotPublished, match=r"'plan.forecast' was never published; build it with `kit run plan`"):
        history_tab.render_history(opened(shop, "plan.forecast"))


def test_the_history_knows_who_changed_the_contract(shop: SmallMesh) -> None:
    for command in (["init", "-q"], ["add", "domains"], ["commit", "-q", "-m", f"Promise sales {EVIL}"]):
        who = ["-c", "user.name=Ann Other", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *who, *command], cwd=shop.root, check=True)
    assert shown(history_tab.render_history, shop).rows[-1][1:3] == ["Ann Other", f"Promise sales {EVIL}"]


def test_an_executed_notebook_is_a_page_of_its_own(shop: SmallMesh) -> None:
    product = shop.store
    run = Runs(shop.config.storage)
    snapshot = product.current("shop")
    assert snapshot is not None
    folder = run.folder("shop", snapshot.manifest["run_id"]) / "notebooks"
    folder.mkdir()
    (folder / "sales.ipynb").write_bytes((shop.domains / "plan/notebooks/forecast.ipynb").read_bytes())
    assert shown(history_tab.render_history, shop).offers == [snapshot.version]
    page = history_tab.render_history(opened(shop, picked=snapshot.version))
    assert "<iframe sandbox srcdoc='&lt;!DOCTYPE html&gt;" in page
    assert Page(page).offers == [""]


def test_code_runs_as_it_stands(shop: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.root)
    found = {}
    page = shown(tabs.render_code, shop)
    for title, code in zip(page.said[::2], page.said[1::2], strict=True):
        space: dict[str, object] = {}
        exec(code, space)
        frame = space.get("frame", space.get("relation"))
        found[title] = frame.collect().height if hasattr(frame, "collect") else len(frame)  # type: ignore[arg-type]
    assert found == {"polars": 30, "polars, lazily": 30, "DuckDB": 30, "pandas": 30, "Intake, without the kit": 30}


def test_a_snapshot_that_was_pruned_meanwhile_is_a_sentence(shop: SmallMesh) -> None:
    port = opened(shop)
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


def test_of_a_broken_product_the_last_snapshot_is_shown(shop: SmallMesh) -> None:
    (shop.domains / "shop/product.odps.yaml").write_text("kind: [")
    index.write(shop.config, shop.mesh)
    facts = dict(shown(tabs.render_overview, shop).rows)
    assert facts["freshness"].startswith("broken: ")
    assert "classification" not in facts
    page = shown(schema_tab.render_schema, shop)
    assert page.said == ["These are the columns of the last snapshot: the port has no contract now, or its product is broken."]
    assert page.rows[1] == ["sale_id", "bigint", "none", "", "", "the sale_id"]
    assert len(shown(tabs.render_sample, shop).rows) == 21
    assert len(shown(history_tab.render_history, shop).rows) == 2
    with pytest.raises(MeshError, match=r"the data product 'shop' is broken: "):
        tabs.render_lineage(opened(shop))


def test_what_was_never_built_says_so(small: SmallMesh) -> None:
    for tab in (tabs.render_sample, profile_tab.render_profile):
        with pytest.raises(NotPublished) as error:
            tab(opened(small))
        assert str(error.value) == "'shop.sales' was never published and has no data; build it with `kit run shop`"
