"""The catalog's application as a person sees and uses it in JupyterLab."""

import json
import os
import re
from collections.abc import Iterator

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Page, expect

from kit.catalog.browser import TABS
from tests.support.files import write
from tests.support.lab import SECONDS, LabPage, needs_browser
from tests.support.limits import HANG
from tests.support.notebooks import notebook

SAYS = {
    "Overview": "One row per forecast.", "Schema": "the amount", "Sample": "2 of 2 rows",
    "Profile": "Counted over 2 of 2 rows", "Quality": "Last build", "Lineage": "Lineage of the whole port",
    "History": "executed notebook", "Code": 'frame = kit.read("plan.forecast")',
}  # fmt: skip


THOUSAND = """from kit.storage.summary import PortSummary, ProductSummary
from kit.catalog import Catalog
from kit.core.config import Config
products = [ProductSummary(f"d{n:04d}", owner=f"team {n % 7}", ports=(PortSummary("lines"),)) for n in range(1000)]
Catalog(Config.load(), products).browse()"""


@pytest.fixture
def opened(lab_page: LabPage) -> Iterator[LabPage]:
    """JupyterLab with a place for a notebook beside those of the mesh, `browse.ipynb`; nothing may be wrong in the end."""
    expect.set_options(timeout=SECONDS)
    expect(lab_page.page.get_by_role("heading", name="Start here")).to_be_visible()  # or it would open over the other one
    yield lab_page
    (lab_page.lab.root / "browse.ipynb").unlink()
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []


def run_first(opened: LabPage, cells: list[str]) -> Page:
    """Show a notebook of these cells and run the first one, which gives the application."""
    write(opened.lab.root / "browse.ipynb", json.dumps(notebook(cells)))
    opened.open("browse.ipynb")
    opened.command("notebook:run-cell-and-select-next")
    expect(opened.page.locator(".kit-browse")).to_be_visible()
    return opened.page


def says(page: Page) -> str:
    """What the tab that is seen says."""
    return page.locator(".kit-pane:visible").inner_text()


@pytest.mark.slow
@needs_browser
def test_it_is_filtered_and_used_by_keyboard_and_mouse(opened: LabPage) -> None:
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = run_first(opened, ["import kit\nbrowser = kit.open().browse()\nbrowser", "print(browser.selected.id)"])
    assert says(page).startswith("2 data products; ports: 3 fresh.")
    field, ports = page.locator(".kit-browse input"), page.locator(".kit-browse select")
    field.fill("sales zebra")
    expect(page.get_by_text("0 of 3 ports", exact=True)).to_be_visible()
    expect(page.locator(".kit-pane:visible")).to_have_text("nothing matches 'sales zebra'; try fewer words, or parts of them")
    field.fill("amount")
    expect(page.get_by_text("3 of 3 ports", exact=True)).to_be_visible()
    lines = [r"plan\.forecast\s+fresh\s+2", r"shop\.sales\s+fresh\s+30", r"shop\.totals\s+fresh\s+2"]
    expect(ports.locator("option")).to_have_text([re.compile(line) for line in lines])
    field.press("Tab")
    page.keyboard.press("ArrowDown")
    assert list(SAYS) == list(TABS)
    for tab, text in SAYS.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(page.locator(".kit-pane:visible")).to_contain_text(text)

    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == 'import kit\n\nframe = kit.read("plan.forecast")'
    page.get_by_role("button", name="Insert below").first.click()
    expect(opened.cell(1)).to_contain_text('frame = kit.read("plan.forecast")')
    opened.cell(2).locator(".jp-InputPrompt").click()
    opened.command("notebook:run-cell")
    expect(opened.cell(2).locator(".jp-OutputArea-output")).to_have_text("plan.forecast")

    page.get_by_role("tab", name="Lineage").click()
    page.get_by_role("button", name="amount").click()
    expect(page.get_by_alt_text("Lineage of plan.forecast.amount")).to_be_visible()
    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name="executed notebook").click()
    frame = page.frame_locator(".kit-pane:visible iframe")
    expect(frame.get_by_text("factor: float = 2.0").first).to_be_visible()


@pytest.mark.slow
@needs_browser
def test_filter_and_list_have_names_and_keys(opened: LabPage) -> None:
    page = run_first(opened, ["import kit\nkit.open().browse()"])
    field, ports = page.get_by_role("textbox", name="Filter the ports"), page.get_by_role("listbox", name="Ports")
    field.fill("shop")
    expect(page.get_by_text("2 of 3 ports", exact=True)).to_be_visible()
    field.press("ArrowDown")
    expect(ports).to_be_focused()
    expect(page.locator(".kit-pane:visible")).to_contain_text("One row per sales.")
    ports.press("ArrowDown")
    expect(page.locator(".kit-pane:visible")).to_contain_text("One row per totals.")
    ports.press("Escape")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    expect(page.get_by_text("3 of 3 ports", exact=True)).to_be_visible()
    expect(page.locator(".kit-pane:visible")).to_contain_text("One row per totals.")


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("width", [1280, 1600])
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_is_clipped_and_moments_are_on_one_line(opened: LabPage, width: int, theme: str) -> None:
    page = opened.page
    page.set_viewport_size({"width": width, "height": 900})
    opened.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    run_first(opened, ["import kit\nkit.open().browse()"])
    ports = page.locator(".kit-browse select")
    ports.select_option(index=1)
    for tab in ("Schema", "Sample"):
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(page.locator(".kit-pane:visible table")).to_be_visible()
        pane = page.locator(".kit-pane:visible")
        assert pane.evaluate("pane => pane.scrollWidth - pane.clientWidth") <= 0
        if tab == "Schema":
            assert pane.evaluate("pane => pane.scrollHeight - pane.clientHeight") <= 0
    moments = page.locator(".kit-pane:visible td", has_text=re.compile(r"^2024-01-"))
    assert moments.first.evaluate("cell => getComputedStyle(cell).whiteSpace") == "nowrap"
    assert ports.evaluate("list => list.scrollWidth - list.clientWidth") <= 0
    opened.command("apputils:change-theme", theme="JupyterLab Light")


@pytest.mark.slow
@needs_browser
def test_a_thousand_products_are_listed_and_filtered(opened: LabPage) -> None:
    page = run_first(opened, [THOUSAND])
    assert says(page).startswith("1,000 data products; ports: 1,000 never built.")
    expect(page.locator(".kit-browse select option")).to_have_count(1000)
    page.locator(".kit-browse input").fill("d099")
    expect(page.get_by_text("10 of 1,000 ports", exact=True)).to_be_visible()
    expect(page.locator(".kit-browse select option")).to_have_count(10)


@pytest.mark.slow
@needs_browser
def test_run_elsewhere_and_not_trusted_a_notebook_shows_tables_and_pictures(opened: LabPage) -> None:
    root = opened.lab.root
    cells = ["import kit\ncat = kit.open()\ncat", "cat.lineage()", 'cat.quality("shop.sales")', "cat.browse()"]
    executed = nbformat.from_dict(notebook(cells))  # type: ignore[no-untyped-call]
    given = {**os.environ, "KIT_ROOT": str(root), "KIT_STORAGE": str(root / ".mesh")}
    NotebookClient(executed, timeout=HANG, kernel_name="python3", store_widget_state=False).execute(env=given)
    nbformat.write(executed, root / "browse.ipynb")  # type: ignore[no-untyped-call]
    opened.open("browse.ipynb")
    assert (
        opened.page.evaluate("() => [...jupyterapp.shell.currentWidget.content.model.cells].some(cell => cell.trusted)")
        is False
    )
    expect(opened.cell(0).get_by_role("cell", name="shop owner").first).to_be_visible()
    for number in (1, 2):
        picture = opened.cell(number).locator(".jp-OutputArea-output img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") > 300
    expect(opened.cell(3).get_by_role("cell", name="shop owner").first).to_be_visible()
