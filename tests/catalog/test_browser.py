"""The catalog's application without a page: what its widgets hold."""

import re
from collections.abc import Iterator
from shutil import rmtree
from typing import Any

import pytest

import kit
from kit.catalog import browser as browse
from kit.catalog.browser import TABS, Browser
from kit.catalog.port_view import PortView
from kit.drawing.markup import Html
from kit.storage import index, snapshot_lock
from tests.support.many import many
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMesh]:
    monkeypatch.chdir(small.root)
    monkeypatch.setattr(snapshot_lock, "_held", set())
    yield small


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Stands in for the tabs; gives what they are asked for: tab, port, what was picked."""
    found: list[tuple[str, str, str]] = []

    def stand_in(name: str) -> Any:
        def html(opened: PortView) -> Html:
            found.append((name, opened.entry.id, opened.picked))
            return Html(f"{name} of {opened.entry.id}")

        return html

    monkeypatch.setattr(browse, "TABS", {name: stand_in(name) for name in TABS})
    return found


SPACE = "\N{NO-BREAK SPACE}"


def choose(browser: Browser, port: str) -> None:
    browser._list.index = [label.split(SPACE)[0] for label in browser._list._options_labels].index(port)


def seen(browser: Browser) -> str:
    """What the tab that is seen says, as text."""
    return re.sub(r"<[^>]+>", "", list(browser._panes.values())[browser._tabs.selected_index].html)


def test_nothing_is_chosen_at_first(mesh: SmallMesh, asked: list[tuple[str, str, str]]) -> None:
    browser = kit.open().browse()
    assert (browser.selected, asked) == (None, [])
    assert browser._count.value == "3 of 3 ports"
    assert [label.split(SPACE) for label in browser._list._options_labels] == [
        ["plan.forecast", "", "never", "built"],
        ["shop.sales", "", "", "", "", "never", "built"],
        ["shop.totals", "", "", "", "never", "built"],
    ]
    assert seen(browser) == "2 data products; ports: 3 never built.Select a port in the list, also with the arrow keys."


def test_a_tab_is_made_when_it_is_seen_and_once_for_a_port(mesh: SmallMesh, asked: list[tuple[str, str, str]]) -> None:
    browser = kit.open().browse()
    choose(browser, "shop.sales")
    assert browser.selected is not None
    assert browser.selected.id == "shop.sales"
    for tab in (3, 0, 3):
        browser._tabs.selected_index = tab
    assert asked == [("Overview", "shop.sales", ""), ("Profile", "shop.sales", "")]
    choose(browser, "shop.totals")
    assert asked[2:] == [("Profile", "shop.totals", "")]
    assert seen(browser) == "Profile of shop.totals"
    # Nothing of another port flashes up; the page shows this at once when a tab is opened, while the kernel computes.
    assert "Reading shop.totals …" in browser._panes["Overview"].html
    choose(browser, "shop.sales")
    choose(browser, "shop.totals")
    assert asked.pop() == ("Profile", "shop.totals", "")
    assert asked.pop() == ("Profile", "shop.sales", "")
    browser._tabs.selected_index = 5
    browser._panes["Lineage"].picked = "item"
    assert asked[3:] == [("Lineage", "shop.totals", ""), ("Lineage", "shop.totals", "item")]
    choose(browser, "shop.sales")
    assert asked[5:] == [("Lineage", "shop.sales", "")]


def test_the_filter_counts_chooses_what_is_left_alone_and_keeps_the_choice(
    mesh: SmallMesh, asked: list[tuple[str, str, str]]
) -> None:
    browser = kit.open().browse("totals")
    assert browser.selected is not None
    assert (browser._count.value, browser.selected.id) == ("1 of 3 ports", "shop.totals")
    browser._filter.value = "shop"
    assert (browser._count.value, browser.selected.id) == ("2 of 3 ports", "shop.totals")
    assert browser._list.index == 1
    assert asked == [("Overview", "shop.totals", "")]
    browser._filter.value = "shop <nothing>"
    assert (browser._count.value, browser.selected) == ("0 of 3 ports", None)
    assert seen(browser) == "nothing matches &#x27;shop &lt;nothing&gt;&#x27;; try fewer words, or parts of them"
    browser._filter.value = ""
    assert (browser._count.value, browser.selected) == ("3 of 3 ports", None)
    assert seen(browser).startswith("2 data products; ")


def test_a_tab_that_takes_long_says_what_is_computed(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    during: list[str] = []
    browser = kit.open().browse()
    monkeypatch.setattr(browse, "TABS", {**TABS, "Profile": lambda view: during.append(seen(browser)) or Html("done")})
    choose(browser, "shop.sales")
    assert "Computing the profile of shop.sales: all of its rows are read …" in browser._panes["Profile"].html
    browser._tabs.selected_index = list(TABS).index("Profile")
    assert (during, seen(browser)) == (["Computing the profile of shop.sales: all of its rows are read …"], "done")


def test_the_list_has_freshness_and_rows_below_each_other_and_room_for_them(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    mesh.replace("domains/shop/contracts/totals.odcs.yaml", '"status": "active"', '"status": "draft"')
    index.write(mesh.context)
    browser = kit.open().browse()
    labels = [label.replace(SPACE, " ") for label in browser._list._options_labels]
    assert labels == ["plan.forecast  never built", "shop.sales     fresh        30", "shop.totals    draft         2"]
    assert int(browser._list.layout.width.removesuffix("px")) >= max(map(len, labels)) * 7.3


def test_an_error_stays_inside_its_tab(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(opened: PortView) -> Html:
        raise ValueError("<what> ever")

    monkeypatch.setattr(browse, "TABS", {**TABS, "Schema": fails})
    browser = kit.open().browse("totals")
    browser._tabs.selected_index = 1
    assert seen(browser) == "this cannot be shown: ValueError: &lt;what&gt; ever"
    browser._tabs.selected_index = 2
    assert seen(browser) == "&#x27;shop.totals&#x27; was never published and has no data; build it with `kit run shop`"
    browser._tabs.selected_index = 0
    assert "shop owner (o@example.com)" in seen(browser)


def test_a_broken_product_without_a_snapshot_is_listed_and_says_why(mesh: SmallMesh) -> None:
    (mesh.domains / "bad").mkdir()
    browser = kit.open().browse("bad")
    assert (browser._list._options_labels, browser.selected) == ((f"bad{SPACE * 2}broken",), None)
    for tab in range(len(TABS)):
        browser._tabs.selected_index = tab
        assert seen(browser) == "broken: domains/bad: has no product.odps.yaml; write one with its owner and ports"


def test_an_empty_mesh_is_a_sentence(mesh: SmallMesh) -> None:
    for name in ("shop", "plan"):
        rmtree(mesh.domains / name)
    browser = kit.open().browse()
    assert (browser._count.value, seen(browser)) == (
        "0 of 0 ports", "no data products yet; domains/README.md shows how to add one",
    )  # fmt: skip


def test_without_widgets_it_is_the_table_of_the_catalog(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    cat = kit.open()
    browser = cat.browse()
    browser._ipython_display_()
    widget, table = shown
    assert widget.pop("application/vnd.jupyter.widget-view+json")["model_id"] == browser.widget.model_id
    assert widget == {"text/plain": "", "text/html": ""}
    assert table["text/plain"] == repr(browser) == repr(cat)
    assert table["text/html"].partition("</style>")[2] == f"<div class='kit-below'>{cat._repr_html_()}</div>"


def test_a_large_mesh_is_one_list(small: SmallMesh) -> None:
    for name in ("shop", "plan"):
        rmtree(small.domains / name)
    many(small.root, 12)
    browser = kit.open(small.root).browse("d000")
    assert (browser._count.value, len(browser._list.options)) == ("15 of 18 ports", 15)
    browser._filter.value = "days"
    assert (browser._count.value, len(browser._list.options)) == ("6 of 18 ports", 6)
