import base64
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kit.catalog import report
from kit.catalog.report import render_report, write_report
from kit.contracts.check import Check
from kit.core.errors import KitError
from kit.storage.runs import Runs
from tests.catalog.test_quality_history import record
from tests.support.browser import headless, needs_browser
from tests.support.contrast import contrast, variables
from tests.support.files import write as write_text
from tests.support.small_mesh import SmallMesh

BROKEN = Check("sales", "sale_id is unique", "contract", False, observed="6 of 31 rows break it", failing_rows=6)


class Page(HTMLParser):
    """What stands in a page: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(page)
        # Pictures are part of what a reader sees.
        pictures = [tag["src"].partition(",")[2] for name, tag in self.tags if name == "img"]
        self.seen = page + "".join(base64.b64decode(picture).decode() for picture in pictures)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, attribute: str) -> list[str]:
        return [tag[attribute] for _, tag in self.tags if attribute in tag]


def page(small: SmallMesh) -> Page:
    return Page(render_report(small.context))


def personal(small: SmallMesh, path: str, column: str) -> None:
    file = small.domains / path
    data = json.loads(file.read_text())
    for item in data["schema"][0]["properties"]:
        if item["name"] == column:
            item["classification"] = "personal"
    write_text(file, json.dumps(data))


def test_it_names_every_product_port_source_column_rule_and_reader(small: SmallMesh) -> None:
    small.need([("item", "varchar", {"required": True})])
    found = page(small)
    mesh = small.mesh
    contracts = [port.contract for port in mesh.ports] + [s.contract for product in mesh.products for s in product.sources]
    for contract in contracts:
        assert contract.id in found.text
        assert [column.name for column in contract.columns if column.name not in found.text] == []
        assert [rule.name for rule in contract.rules if rule.name not in found.text] == []
    words = ("what shop is for", "shop owner (o@example.com)", "data at most 2 d old, by sold_on", "never built")
    assert [text for text in words if text not in found.text] == []
    assert (
        "plan uses amount, item Consumer contract of plan plan owner (o@example.com) item varchar item is required"
        in found.text
    )


def test_nothing_in_it_runs_or_is_fetched_and_every_link_stays_inside(small: SmallMesh) -> None:
    found = page(small)
    assert {name for name, _ in found.tags} & {"script", "link", "iframe", "object", "embed", "form", "input", "base"} == set()
    assert [name for name in {name for _, tag in found.tags for name in tag} if name.startswith("on")] == []
    assert all(source.startswith("data:image/svg+xml;base64,") for source in found.of("src"))
    assert len(found.of("src")) == 4
    ids = found.of("id")
    assert len(ids) == len(set(ids))
    assert [link for link in found.of("href") if not (link.startswith("#") and link[1:] in ids)] == []
    assert found.of("content")[0] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in found.seen


def test_checks_are_told_with_what_builds_found_and_runs_with_who_and_why(small: SmallMesh) -> None:
    record(small, 1, replace(BROKEN, passed=True, observed=""), status="published", version="v1")
    at = record(small, 2, BROKEN, replace(BROKEN, rule="amount is steady", passed=True))
    Runs(small.config.storage).save(replace(at, parameters={"factor": 3.0}, by="ada", git_commit="0123456789abcdef"))
    text = page(small).text
    assert "sale_id is unique contract stops failed 6 of 31 rows break it failed 2100-01-01 00:02 passed 2100-01-01" in text
    assert "1 check that passed in every build" in text
    assert "2100-01-01 00:02 failed 0.0 ada 01234567 factor=3.0 1 check failed, nothing was published" in text
    assert "2100-01-01 00:01 published 0.0 v1 why" in text


def test_whatever_people_wrote_is_text(small: SmallMesh) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&"
    for path in ("shop/product.odps.yaml", "shop/contracts/sales.odcs.yaml"):
        file = small.domains / path
        old = "what shop is for" if "odps" in path else "the amount"
        file.write_text(file.read_text().replace(json.dumps(old), json.dumps(bad)))
    check = Check("sales", f"rule {bad}", "contract", False, observed=bad, note=bad)
    at = record(small, 1, check)
    Runs(small.config.storage).save(replace(at, parameters={bad: bad}, by=bad, git_commit="<b>", message=bad))
    write_text(small.domains / "wrong/product.odps.yaml", f"kind: {json.dumps(bad)}\n")
    found = page(small)
    assert {name for name, _ in found.tags}.isdisjoint({"script"})
    assert all(source.startswith("data:") for source in found.of("src"))
    assert found.of("onerror") == []
    assert found.text.count("<script>alert(1)</script>") >= 7


def test_no_value_of_a_personal_column_gets_into_it(small: SmallMesh) -> None:
    personal(small, "shop/contracts/sales.odcs.yaml", "item")
    samples = ({"item": "Mrs Secret", "sale_id": 7},)
    told = "'shop': 1 check failed\n        row:      item=Mrs Secret"
    checks = [
        Check("sales", "item is one of 2 values", "contract", False, observed="1 of 3 rows break it", samples=samples),
        Check("sales", "a query", "suite", False, observed="Mrs Secret", samples=samples),
    ]
    at = record(small, 1, *checks)
    Runs(small.config.storage).save(replace(at, message=told))
    crashed = record(small, 2)
    Runs(small.config.storage).save(replace(crashed, message="cannot convert 'Mrs Secret'"))
    found = page(small)
    assert "Secret" not in found.seen
    assert "1 of 3 rows break it" in found.text
    assert f"failed with a message that may quote personal data; see run {crashed.run_id}" in found.text
    assert "2 checks failed, nothing was published" in found.text


def test_without_personal_columns_the_first_line_of_a_message_is_told(small: SmallMesh) -> None:
    at = record(small, 1)
    Runs(small.config.storage).save(replace(at, message="the disk is full\ntraceback"))
    text = page(small).text
    assert "the disk is full" in text
    assert "traceback" not in text


def test_a_broken_product_and_an_empty_mesh(small: SmallMesh) -> None:
    write_text(small.domains / "shop/product.odps.yaml", "name: shop\n")
    text = page(small).text
    assert "shop broken domains/shop/product.odps.yaml" in text
    assert str(small.root) not in text
    for path in sorted(small.domains.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    found = page(small)
    assert "There are no data products yet." in found.text
    assert "no ports yet" in found.seen


def test_it_is_written_where_it_was_asked_for(small: SmallMesh, tmp_path: Path) -> None:
    done = small.kit("report", check=True)
    file = small.config.storage / "report.html"
    assert re.fullmatch(r"written: state/report\.html \(0\.\d MB\)\n", done.stdout)
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert write_report(small.context, tmp_path / "new/mesh.html").is_file()
    with pytest.raises(KitError, match=r"cannot write .*: Is a directory; name another file with --output"):
        write_report(small.context, tmp_path / "new")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (Debian: apt install chromium)")
def test_a_browser_opens_it_without_a_request_or_an_error(small: SmallMesh) -> None:
    from playwright.sync_api import sync_playwright

    record(small, 1, BROKEN)
    address = write_report(small.context, small.root / "report.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: said.append(request.url) if not request.url.startswith("data:") else None)
        tab.goto(address)
        assert tab.evaluate("[...document.images].map(image => image.complete && image.naturalWidth > 100)") == [True] * 4
        tab.click("a[href='#port-shop.sales']")
        assert tab.locator("[id='port-shop.sales']").is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1280  # nothing is cut off
        assert said == [address]
        browser.close()


@pytest.mark.parametrize("theme", [0, 1])
def test_coloured_texts_can_be_read_in_both_themes(theme: int) -> None:
    colours = variables(Path(report.__file__).with_name("report.css").read_text(encoding="utf-8"))[theme]
    texts, grounds = ("text", "soft", "link", "good", "mid", "bad"), ("page", "card")
    assert [(text, ground) for text in texts for ground in grounds if contrast(colours[text], colours[ground]) < 4.5] == []


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1280, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_at_every_width(small: SmallMesh, width: int, theme: str) -> None:
    record(small, 1, BROKEN)
    address = write_report(small.context, small.root / "report.html").as_uri()
    with headless(width, theme) as tab:  # type: ignore[arg-type]
        tab.goto(address)
        tab.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        # Texts of pictures keep at least 85 % of their size, in a frame that scrolls.
        shares = tab.evaluate("[...document.images].map(image => image.getBoundingClientRect().width / image.naturalWidth)")
        assert min(shares) >= 0.84
        # Every word of the tables is on one line.
        broken = tab.evaluate(
            """() => { const found = [], range = document.createRange()
            for (const cell of document.querySelectorAll('td:not([data-label=message]):not([data-label=observed])')) {
              const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT)
              while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/\\w{1,30}/g)) {
                range.setStart(texts.currentNode, word.index); range.setEnd(texts.currentNode, word.index + word[0].length)
                if (range.getClientRects().length > 1) found.push(word[0])
              } }
            return found }"""
        )
        assert broken == []
