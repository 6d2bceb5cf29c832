"""The catalog's application as a person sees and uses it in JupyterLab."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from kit.browse import TABS
from tests.lab import SECONDS, LabPage, needs_browser
from tests.small_mesh import notebook, write

SAYS = {
    "Overview": "What each department will sell", "Schema": "horizon_day", "Sample": "20 of 480 rows",
    "Profile": "Counted over 480 of 480 rows", "Quality": "Last build", "Lineage": "Look at the whole port",
    "History": "executed notebook", "Code": 'frame = kit.read("demand.predicted_sales")',
}  # fmt: skip


@pytest.fixture
def page(lab_page: LabPage) -> Iterator[Page]:
    """A notebook that shows the application, run."""
    expect.set_options(timeout=SECONDS)
    cells = ["import kit\nbrowser = kit.open().browse()\nbrowser", "print(browser.selected.id)"]
    path = lab_page.lab.root / "browse.ipynb"
    write(path, json.dumps(notebook(cells)))
    lab_page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(lab_page.page.get_by_role("heading", name="Start here")).to_be_visible()  # or it would open over the other one
    lab_page.open("browse.ipynb")
    lab_page.command("notebook:run-cell-and-select-next")
    expect(lab_page.page.locator(".kit-browse")).to_be_visible()
    yield lab_page.page
    path.unlink()
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []


def says(page: Page) -> str:
    """What the tab that is seen says."""
    return page.locator(".kit-pane:visible").inner_text()


@pytest.mark.slow
@needs_browser
def test_it_is_filtered_and_used_by_keyboard_and_mouse(page: Page, lab_page: LabPage) -> None:
    assert says(page).startswith("5 data products; ports: 10 fresh.")
    field, ports = page.locator(".kit-browse input"), page.locator(".kit-browse select")
    field.fill("sales zebra")
    expect(page.get_by_text("0 of 10 ports", exact=True)).to_be_visible()
    expect(page.locator(".kit-pane:visible")).to_have_text("nothing speaks of 'sales zebra'; try fewer words, or parts of them")
    field.fill("demand")
    expect(page.get_by_text("2 of 10 ports", exact=True)).to_be_visible()
    expect(ports.locator("option")).to_have_text(["demand.forecast_model", "demand.predicted_sales"])
    field.press("Tab")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    assert list(SAYS) == list(TABS)
    for tab, text in SAYS.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(page.locator(".kit-pane:visible")).to_contain_text(text)

    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == 'import kit\n\nframe = kit.read("demand.predicted_sales")'
    page.get_by_role("button", name="Insert below").first.click()
    expect(lab_page.cell(1)).to_contain_text('frame = kit.read("demand.predicted_sales")')
    lab_page.cell(2).locator(".jp-InputPrompt").click()
    lab_page.command("notebook:run-cell")
    expect(lab_page.cell(2).locator(".jp-OutputArea-output")).to_have_text("demand.predicted_sales")

    page.get_by_role("tab", name="Lineage").click()
    page.get_by_role("button", name="horizon_day").click()
    expect(page.get_by_alt_text("What demand.predicted_sales.horizon_day is made from")).to_be_visible()
    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name="executed notebook").click()
    frame = page.frame_locator(".kit-pane:visible iframe")
    expect(frame.get_by_text("horizon: int = 30").first).to_be_visible()
