"""What a person sees of Dagster inside JupyterLab, in a real browser."""

import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.lab import SECONDS, LabPage, RunningLab, needs_browser
from tests.support.limits import HANG

pytestmark = [pytest.mark.slow, needs_browser]

PATH_TO_FORECAST = ["shop/raw/sales", "shop/sales", "shop/totals", "plan/forecast"]


@pytest.fixture(scope="module")
def dagster(lab: RunningLab) -> str:
    """The address of Dagster below that of JupyterLab; `plan` was built once more, with Dagster."""
    subprocess.run([sys.executable, "-m", "kit", "run", "plan", "--force"], cwd=lab.root, check=True, timeout=300)
    return f"{lab.home}dagster"


def shows(page: Page, text: str, within: str = "body") -> None:
    expect(page.locator(within).get_by_text(text, exact=True).first).to_be_visible(timeout=SECONDS)


def graph_nodes(page: Page) -> Any:
    return page.locator("foreignObject")


def test_it_opens_in_a_tab_and_stays_where_it_was_when_the_page_is_loaded_again(dagster: str, lab_page: LabPage) -> None:
    sockets: list[str] = []
    lab_page.page.on("websocket", lambda socket: sockets.append(socket.url))
    lab_page.command("launcher:create")
    lab_page.page.locator(".jp-LauncherCard", has_text="Dagster").click()
    frame = lab_page.page.frame_locator("#kit-dagster iframe")
    expect(frame.get_by_text("Dagster is starting …")).to_be_visible(timeout=SECONDS)
    for domain in ("shop", "plan"):
        expect(frame.get_by_text(domain, exact=True).first).to_be_visible(timeout=SECONDS)
    lab_page.command("kit:dagster", path="assets/plan/forecast")
    owner = frame.get_by_text("o@example.com").first
    expect(owner).to_be_visible(timeout=SECONDS)
    sockets.clear()
    lab_page.page.reload()
    expect(owner).to_be_visible(timeout=SECONDS)
    assert f"{dagster.replace('http:', 'ws:')}/graphql" in sockets
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []


def test_the_graph_shows_domains_and_the_way_from_raw_data_to_a_forecast(dagster: str, logged_in: LabPage) -> None:
    page = logged_in.page
    page.goto(f"{dagster}/asset-groups")
    for domain in ("shop", "plan"):
        expect(graph_nodes(page).filter(has_text=domain).first).to_be_visible(timeout=SECONDS)
    page.goto(f"{dagster}/assets/plan/forecast?view=lineage&lineageScope=upstream&lineageDepth=10")
    for asset in PATH_TO_FORECAST:
        name = asset.rpartition("/")[2]
        expect(graph_nodes(page).filter(has_text=name).first).to_be_visible(timeout=SECONDS)
    for domain in ("shop", "plan"):
        shows(page, domain)
    assert logged_in.elsewhere == set()
    assert logged_in.complaints == []


def test_an_asset_shows_owner_columns_checks_and_its_executed_notebook(dagster: str, logged_in: LabPage) -> None:
    page = logged_in.page
    page.goto(f"{dagster}/assets/plan/forecast")
    for text in ("o@example.com", "the item", "At 06:00 AM UTC", "consumer-aligned", "One row per forecast."):
        shows(page, text)
    page.goto(f"{dagster}/assets/plan/forecast?view=checks")
    shows(page, "Checks (6)")
    expect(page.get_by_text("Succeeded", exact=True).nth(5)).to_be_visible(timeout=SECONDS)
    page.goto(f"{dagster}/assets/plan/forecast")
    link = page.get_by_role("link", name="notebook?path=").first
    address = link.get_attribute("href", timeout=SECONDS)
    assert logged_in.complaints == []
    page.goto(f"{logged_in.lab.home}{address.removeprefix('/')}")
    shows(page, "plan.forecast")
    expect(page.get_by_text("factor: float = 2.0").first).to_be_visible()
    # Nothing in the page wants to run, or to be fetched.
    assert logged_in.complaints == []
    assert logged_in.elsewhere == set()


def test_only_who_is_logged_in_on_a_page_of_lab_gets_through(dagster: str, lab: RunningLab, logged_in: LabPage) -> None:
    logged_in.page.goto(f"{dagster}/runs")  # starts it, if this test is the first
    shows(logged_in.page, "Runs")
    token = {"authorization": f"token {lab.address.partition('=')[2]}"}
    query, kind = b'{"query": "{version}"}', {"content-type": "application/json"}
    ours, other = {"origin": lab.home.rstrip("/")}, {"origin": "http://127.0.0.1:1"}
    graphql = f"{dagster}/graphql"
    assert answer(graphql, query, token | kind | ours) == (200, '{"data":{"version"')
    assert answer(graphql, query, kind | ours)[0] == 403
    assert answer(graphql, query, token | kind | other) == (403, "requests from 'htt")
    assert answer(f"{graphql}?query={{version}}", None, token) == (405, "GraphQL takes POST")
    assert answer(graphql, query, token | ours | {"content-type": "text/plain"}) == (415, "a POST of 'text/pl")
    assert answer(graphql, query, token | kind | {"host": "mesh.example.com"})[0] == 403
    assert answer(f"{lab.home}kit/notebooks", b"{}", kind | ours)[0] == 403


def answer(address: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str]:
    """Status and beginning of the answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=HANG) as response:
            return response.status, response.read().decode()[:18]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()[:18]
