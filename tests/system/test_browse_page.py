"""The catalog's application as a person sees and uses it in JupyterLab."""

import json
import os
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
    expect(ports.locator("option")).to_have_text(["plan.forecast", "shop.sales", "shop.totals"])
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
