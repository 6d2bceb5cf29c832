"""What a person sees in Dagster's web UI, in a real browser."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import ROOT
from tests.dev_server import DevServer, dev_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (Debian: apt install chromium)"),
]

SECONDS = 60_000  # milliseconds that a page on a busy machine may take
PATH_TO_PREDICTION = [
    "products/raw/products", "products/stg_products", "products/products", "orders/raw/transactions",
    "orders/stg_transactions", "orders/order_lines", "orders/daily_sales", "demand/forecast_model", "demand/predicted_sales",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """`kit dev` over a copy of the demo, in which `demand` was built once more."""
    root = tmp_path_factory.mktemp("browser")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "domains", root / "domains")
    (root / "kit").symlink_to(ROOT / "kit")
    shutil.copytree(demo, root / ".mesh", copy_function=os.link, ignore=shutil.ignore_patterns("dagster"))
    subprocess.run([sys.executable, "-m", "kit.cli", "run", "demand", "--force"], cwd=root, check=True, timeout=300)
    with dev_server(root) as running:
        yield running


class Seen:
    """What a page asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]) if "://" in request.url else None)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.set_default_timeout(SECONDS)
        yield page
        browser.close()


def shows(page: Page, text: str, within: str = "body") -> None:
    expect(page.locator(within).get_by_text(text, exact=True).first).to_be_visible(timeout=SECONDS)


def graph_nodes(page: Page) -> Any:
    return page.locator("foreignObject")


def test_the_graph_shows_five_domains_and_the_way_from_raw_data_to_the_prediction(server: DevServer, page: Page) -> None:
    seen = Seen(page)
    page.goto(f"{server.address}/asset-groups")
    for domain in ("customers", "products", "orders", "marketing", "demand"):
        expect(graph_nodes(page).filter(has_text=domain).first).to_be_visible(timeout=SECONDS)
    page.goto(f"{server.address}/assets/demand/predicted_sales?view=lineage&lineageScope=upstream&lineageDepth=10")
    for asset in PATH_TO_PREDICTION:
        name = asset.rpartition("/")[2]
        expect(graph_nodes(page).filter(has_text=name).first).to_be_visible(timeout=SECONDS)
    for domain in ("orders", "products", "demand"):
        shows(page, domain)
    assert seen.hosts == {server.address.removeprefix("http://")}
    assert seen.complaints == []


def test_an_asset_shows_owner_columns_checks_and_its_executed_notebook(server: DevServer, page: Page) -> None:
    seen = Seen(page)
    page.goto(f"{server.address}/assets/demand/predicted_sales")
    for text in ("nadia.berg@example.com", "The predicted business day.", "At 06:00 AM UTC", "consumer-aligned", "480"):
        shows(page, text)
    page.goto(f"{server.address}/assets/demand/predicted_sales?view=checks")
    shows(page, "Checks (28)")
    expect(page.get_by_text("Succeeded", exact=True).nth(20)).to_be_visible(timeout=SECONDS)  # the list draws what fits
    page.goto(f"{server.address}/assets/demand/predicted_sales")
    link = page.get_by_role("link", name="notebook?path=").first
    address = link.get_attribute("href", timeout=SECONDS)
    assert seen.complaints == []
    page.goto(f"{server.address}{address}")
    shows(page, "predicted_sales")
    expect(page.get_by_text("horizon: int = 30").first).to_be_visible()
    # Nothing in the page wants to run, or to be fetched.
    assert seen.complaints == []
    assert seen.hosts == {server.address.removeprefix("http://")}
