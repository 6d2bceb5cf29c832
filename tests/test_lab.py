"""What a person sees in JupyterLab, as `kit lab` starts it."""

import pytest
from playwright.sync_api import expect

from tests.lab import LabPage, needs_browser


@pytest.mark.slow
@needs_browser
def test_it_opens_on_the_tour_and_runs_it(lab_page: LabPage) -> None:
    expect(lab_page.page.get_by_role("heading", name="Start here")).to_be_visible()
    lab_page.open("notebooks/00_start.ipynb")
    lab_page.run_all()
    expect(lab_page.cell(1)).not_to_contain_text("Error")
    expect(lab_page.page.locator(".Toastify__toast")).to_have_count(0)
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []
