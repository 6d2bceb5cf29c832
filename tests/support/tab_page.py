"""A tab of the catalog's browser, rendered and read back as text."""

from collections.abc import Callable
from html.parser import HTMLParser

import kit
from kit.catalog.port_view import PortView
from kit.drawing.markup import Html
from tests.support.small_mesh import SmallMesh


class Page(HTMLParser):
    """Rows of the tables, paragraphs, values of buttons and texts of pictures; fails for a tag or attribute that can act."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.buttons: list[str] = []
        self.pictures: list[str] = []
        self._in = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        assert set(values) <= {"style", "type", "data-pick", "src", "alt", "sandbox", "srcdoc", "title"}
        assert tag != "script"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in = "cell"
        elif tag in ("p", "pre"):
            self.texts.append("")
            self._in = "text"
        elif tag == "br" and self._in == "cell":
            self.rows[-1][-1] += "; "
        elif tag == "img":
            self.pictures.append(values["alt"])
        if "data-pick" in values:
            self.buttons.append(values["data-pick"])

    def handle_data(self, data: str) -> None:
        if self._in == "cell":
            self.rows[-1][-1] += data
        elif self._in == "text":
            self.texts[-1] += data


def port_view(small: SmallMesh, port: str = "shop.sales", picked: str = "") -> PortView:
    return PortView(kit.open(small.root)[port], lambda: small.mesh, picked)


def render(tab: Callable[[PortView], Html], small: SmallMesh, port: str = "shop.sales", picked: str = "") -> Page:
    return Page(tab(port_view(small, port, picked)))
