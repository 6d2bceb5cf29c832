"""What a cell shows, as text, tables and digests of pictures: things that can be compared."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Shown:
    """One output: `kind` is text, table, picture or error; its `rows` are lines of one cell, or those of the table.

    Where things lie in memory and colours of a terminal are no part of it.
    """

    kind: str
    rows: tuple[tuple[str, ...], ...]


def shown(cell: Mapping[str, Any]) -> list[Shown]:
    """The outputs of a code cell, streams put together."""
    found: list[Shown] = []
    for output in cell.get("outputs", ()):
        for item in _of(output):
            if found and item.kind == found[-1].kind == "text":
                item = Shown("text", found.pop().rows + item.rows)
            found.append(item)
    return found


def _of(output: Mapping[str, Any]) -> Iterator[Shown]:
    if output.get("output_type") == "stream":
        yield _text(output.get("text", ""))
    elif output.get("output_type") == "error":
        yield Shown("error", ((_plain(f"{output.get('ename')}: {output.get('evalue')}"),),))
    data = output.get("data", {})
    rows = _table("".join(data.get("text/html", "")))
    picture = next((kind for kind in data if kind.startswith("image/")), None)
    if rows:
        yield Shown("table", rows)
    elif picture:
        digest = hashlib.sha256("".join(data[picture]).strip().encode()).hexdigest()[:12]
        yield Shown("picture", ((f"{picture} {digest}",),))
    elif "text/plain" in data:
        yield _text(data["text/plain"])


def _text(given: str | list[str]) -> Shown:
    return Shown("text", tuple((_plain(line),) for line in "".join(given).splitlines()))


def _plain(text: str) -> str:
    return _ADDRESS.sub("0x…", _COLOUR.sub("", text)).rstrip()


def _table(html: str) -> tuple[tuple[str, ...], ...]:
    """The rows of the first table in HTML; none when there is none."""
    reader = _Rows()
    reader.feed(html)
    return tuple(tuple(map(_plain, row)) for row in reader.rows)


class _Rows(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._reading = False
        self._done = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr" and not self._done:
            self.rows.append([])
        elif tag in ("td", "th") and self.rows and not self._done:
            self.rows[-1].append("")
            self._reading = True

    def handle_endtag(self, tag: str) -> None:
        self._reading = self._reading and tag not in ("td", "th")
        self._done = self._done or tag == "table"

    def handle_data(self, data: str) -> None:
        if self._reading:
            self.rows[-1][-1] += data
