"""A page in a headless browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

needs_browser = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="chromium is not installed (Debian: apt install chromium)"
)


@contextmanager
def headless(width: int = 1280, theme: Literal["light", "dark"] = "light") -> Iterator["Page"]:
    """Yield a new page of that width, in a light or dark theme."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        browser.close()
