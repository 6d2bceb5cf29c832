import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import expect

from kit.core.errors import KitError
from kit.jupyter import charts
from kit.notebooks.page import notebook_html
from tests.support.files import write
from tests.support.lab import SECONDS, LabPage, needs_browser
from tests.support.limits import HANG
from tests.support.notebooks import notebook

CHART = """import altair as alt
import polars as pl
from decimal import Decimal
sums = pl.DataFrame({"item": ["tea", "cake"], "amount": [Decimal("1.50"), Decimal("2.25")]})
alt.Chart(sums, title="Sums of items").mark_bar().encode(x="item", y="amount")"""
CELLS = ["import kit", CHART]


def drawn(html: str) -> str:
    """The SVG of the picture in a piece of HTML."""
    found = re.search(r'data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)" alt="Sums of items"|'
                      r'alt="Sums of items" src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)"', html)  # fmt: skip
    assert found is not None
    return base64.b64decode(found[1] or found[2]).decode()


@pytest.fixture(scope="module")
def executed() -> Any:
    """A notebook with a chart of decimals, run in a kernel that imports the kit."""
    made = nbformat.from_dict(notebook(CELLS))  # type: ignore[no-untyped-call]
    NotebookClient(made, timeout=HANG, kernel_name="python3").execute()
    return made


def test_a_chart_is_a_picture_with_decimals_and_without_scripts(executed: Any) -> None:
    (output,) = executed["cells"][-1]["outputs"]
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert output["data"]["text/plain"] == "<Picture: Sums of items>"
    assert 'alt="Sums of items"' in output["data"]["text/html"]
    assert "http" not in re.sub(r"data:[^\s\"]+", "", output["data"]["text/html"])
    svg = drawn(output["data"]["text/html"])
    assert all(text in svg for text in ("tea", "cake", "2.25", "Sums of items"))


def test_a_chart_is_in_the_page_of_an_executed_notebook_and_in_that_of_nbconvert(executed: Any, tmp_path: Path) -> None:
    path = tmp_path / "chart.ipynb"
    nbformat.write(executed, path)  # type: ignore[no-untyped-call]
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=HANG)
    for page in (notebook_html(path), (tmp_path / "chart.html").read_text()):
        assert "tea" in drawn(page)


def test_a_renderer_that_was_chosen_keeps_its_charts_and_gets_floats() -> None:
    import altair as alt
    import polars as pl

    frame = pl.DataFrame({"amount": ["1.5"]}).cast(pl.Decimal(4, 2))
    with alt.renderers.enable("mimetype"):
        bundle, _ = charts.chart_bundle(alt.Chart(frame).mark_point().encode(x="amount"))
    (spec,) = [value for mime, value in bundle.items() if "vegalite" in mime]
    assert json.loads(json.dumps(spec))["datasets"].popitem()[1] == [{"amount": 1.5}]


def test_without_the_program_that_draws_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import altair as alt

    monkeypatch.setattr(charts, "find_spec", lambda name: None)
    with pytest.raises(KitError, match=r"drawn by the package vl-convert-python; run `pip install 'data-mesh-kit\[explore\]'`"):
        charts.chart_bundle(alt.Chart({"values": [{"a": 1}]}).mark_point().encode(x="a:Q"))


def test_the_kit_imports_no_chart_library() -> None:
    code = "import sys, kit, kit.jupyter.charts; print(*({'altair', 'vl_convert', 'IPython'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANG)
    assert done.stdout == "\n"


@pytest.mark.slow
@needs_browser
def test_a_chart_is_drawn_in_jupyterlab_without_the_network(lab_page: LabPage) -> None:
    page, path = lab_page.page, lab_page.lab.root / "chart.ipynb"
    page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
    expect.set_options(timeout=SECONDS)
    expect(page.get_by_role("heading", name="Start here")).to_be_visible()
    write(path, json.dumps(notebook(CELLS)))
    try:
        lab_page.open("chart.ipynb")
        lab_page.run_all()
        picture = page.get_by_alt_text("Sums of items")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") > 50
        lab_page.check_ran()
    finally:
        path.unlink()
