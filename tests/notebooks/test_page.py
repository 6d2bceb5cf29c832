import base64
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import InvalidFile
from kit.notebooks.executed import Executed
from kit.notebooks.page import notebook_html
from tests.support.small_mesh import notebook, write

SVG = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode()
HOSTILE = """
<script>alert(1)</script><SCRIPT src="https://evil.example/x.js"></SCRIPT >
<img src="https://evil.example/pixel.png" onerror="alert(2)"><img src="x" onload=alert(3)>
<a href="javascript:alert(4)">a</a><a href="data:text/html,x">b</a><a href="https://docs.example/">good</a>
<iframe src="https://evil.example"></iframe><iframe srcdoc="<script>alert(5)</script>"></iframe>
<object data="x"></object><embed src="x"><form action="https://evil.example"><input name="x"></form>
<style>@import url(https://evil.example/x.css)</style><link rel="stylesheet" href="https://evil.example/x.css">
<meta http-equiv="refresh" content="0;url=https://evil.example"><base href="https://evil.example">
<div style="background-image: url(https://evil.example/x); color: red" onclick="alert(6)">red</div>
<svg onload="alert(7)"><script>alert(8)</script></svg>
<math><mtext></form><mglyph><style><img src onerror=alert(9)></style></math>
<!-- <img src=x onerror=alert(10)> --></div></div></main></body>
"""


class Seen(HTMLParser):
    """All tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


def page(folder: Path, cells: list[dict[str, Any]], **metadata: Any) -> str:
    data = notebook([])
    numbered = [{**cell, "id": f"cell{number}"} for number, cell in enumerate(cells)]
    write(folder / "plan.ipynb", json.dumps({**data, "metadata": {**data["metadata"], **metadata}, "cells": numbered}))
    return notebook_html(folder / "plan.ipynb")


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    metadata = {"tags": list(tags)}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": list(outputs), "execution_count": 1}


def shows(**data: Any) -> dict[str, Any]:
    bundle = {name.replace("__", "/").replace("_", "+"): value for name, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": bundle}


def test_what_is_hostile_neither_runs_nor_loads_anything(tmp_path: Path) -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "application/javascript": "alert(11)"}
    widget = {"output_type": "display_data", "metadata": {}, "data": {**view, "text/plain": "Box()"}}
    cells = [
        code(
            HOSTILE,
            shows(text__html=HOSTILE),
            widget,
            shows(text__markdown=HOSTILE),
            shows(application__javascript="alert(12)"),
        ),
        {"cell_type": "markdown", "metadata": {}, "source": HOSTILE},
        {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": HOSTILE},
        code(
            "1", shows(image__png='"><script>alert(13)</script>'), shows(text__vnd="x"), tags=('"><script>alert(14)</script>',)
        ),
        code("2", {"output_type": "stream", "name": "stdout", "text": HOSTILE}),
        code("3", {"output_type": "error", "ename": "<script>", "evalue": HOSTILE, "traceback": [HOSTILE]}),
        {"cell_type": "markdown", "metadata": {}, "source": "[a](javascript:alert(15)) ![b](https://evil.example/c.png)"},
    ]
    title, state = "</title><script>alert(16)</script>", {"application/vnd.jupyter.widget-state+json": {"x": "</script>"}}
    seen = Seen(made := page(tmp_path, cells, title=title, widgets=state))
    assert seen.tags.isdisjoint({"script", "iframe", "object", "embed", "form", "input", "link", "base", "svg", "math"})
    assert made.count("<style>") == made.count("<main>") == made.count("</body>") == made.count("<title>") == 1
    assert {name for name, _ in seen.attributes if name.startswith("on")} == set()
    assert {value for name, value in seen.attributes if name == "http-equiv"} == {"Content-Security-Policy"}
    assert {value for name, value in seen.attributes if name == "href"} == {"https://docs.example/"}
    assert {value.partition(",")[0] for name, value in seen.attributes if name == "src"} <= {"data:image/png;base64"}
    assert {value for name, value in seen.attributes if name == "style"} == {"color: red;"}
    assert "Box()" in made


def test_tables_pictures_and_markdown_are_kept(tmp_path: Path) -> None:
    table = "<table><thead><tr><th>item</th></tr></thead><tbody><tr><td colspan='2'>tea</td></tr></tbody></table>"
    picture = f"<img src='data:image/svg+xml;base64,{SVG}' alt='p'>"
    made = page(
        tmp_path,
        [
            {"cell_type": "markdown", "metadata": {}, "source": "# Head\n\n| a | b |\n|---|---|\n| 1 | *2* |\n"},
            code("x = 'café < tea'", shows(text__html=f"<style>p {{}}</style>{table}{picture}")),
            code("1", {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo="}}),
            code("1", {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg xmlns='x'/>"}}),
        ],
    )  # fmt: skip
    assert '<table><thead><tr><th>item</th></tr></thead><tbody><tr><td colspan="2">tea</td></tr></tbody></table>' in made
    assert re.search(r"<td>1</td>\s*<td><em>2</em></td>", made)
    assert re.findall('src="(data:[^;]*;base64)', made) == [
        "data:image/svg+xml;base64",
        "data:image/png;base64",
        "data:image/svg+xml;base64",
    ]
    assert "café &lt; tea" in made
    assert "p {}" not in made


def test_it_says_which_run_it_is_of_and_what_went_in(tmp_path: Path) -> None:
    run = {"run_id": "r1", "product": "plan", "port": "forecast", "inputs": {"shop.totals": {"version": "v7", "files": []}}}
    write(tmp_path / "r1/forecast.run.json", json.dumps(run))
    cells = [
        code("horizon: int = 30  # days\nnames = ['a']", tags=("parameters",)),
        code("# Parameters\nhorizon = 7\n", tags=("injected-parameters",)),
        code("1 / 0", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division", "traceback": []}),
    ]
    metadata = {"papermill": {"start_time": "2024-01-10T08:00:00+00:00", "duration": 1.25}}
    path = tmp_path / "r1/notebooks/forecast.ipynb"
    write(path, json.dumps({**notebook([]), "metadata": metadata, "nbformat_minor": 4, "cells": cells}))
    executed = Executed.read(path)
    assert executed == Executed(
        path=path, notebook=executed.notebook, run_id="r1", port="plan.forecast", inputs={"shop.totals": "v7"},
        parameters={"horizon": 7, "names": ["a"]}, given=("horizon",), started=datetime(2024, 1, 10, 8, tzinfo=UTC),
        seconds=1.25, error="ZeroDivisionError: division",
    )  # fmt: skip
    made = notebook_html(path)
    assert "<title>plan.forecast, run r1</title>" in made
    assert (
        "<p>run r1 · 2024-01-10 08:00:00 UTC · 1.2 s · <span class='bad'>ZeroDivisionError: division</span></p>\n"
        "<table><tr><th>name</th><th>value</th><th></th></tr><tr><td>horizon</td><td>7</td><td>given</td></tr>"
        "<tr><td>names</td><td>[&#x27;a&#x27;]</td><td>default</td></tr><tr><td>shop.totals</td><td>v7</td><td>input</td></tr></table>"
    ) in made


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": 1, "nbformat": 4}', '{"cells": [], "nbformat": 3}'])
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "x.ipynb", text)
    with pytest.raises(InvalidFile, match=r"x\.ipynb: not "):
        notebook_html(tmp_path / "x.ipynb")


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "stream"])
def test_a_long_output_is_shown_from_its_start_and_the_page_says_so(tmp_path: Path, kind: str) -> None:
    text = "a <b>&" * 100_000
    output: dict[str, Any] = {"output_type": "stream", "name": "stdout", "text": text}
    if kind != "stream":
        output = {"output_type": "display_data", "metadata": {}, "data": {kind: text}}
    content = notebook(["1"])
    content["cells"][-1]["outputs"] = [output]
    write(tmp_path / "a.ipynb", json.dumps(content))
    page = notebook_html(tmp_path / "a.ipynb")
    assert "… 550,000 more characters are in the notebook" in page
    assert len(page) < 300_000
