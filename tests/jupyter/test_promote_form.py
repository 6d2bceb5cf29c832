import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

import kit
from kit.core.errors import KitError
from kit.jupyter.current_notebook import OwnNotebook
from kit.jupyter.promote_form import PromoteForm, told
from tests.support.lab import SECONDS, LabPage, needs_browser
from tests.support.small_mesh import SmallMesh, notebook, write

PROMOTION = {
    "notebook": "a.ipynb", "port": "plan.a", "place": "domains/plan/notebooks/a.ipynb", "reads": ["shop.totals 1.0.0"],
    "parameters": {"days": {"type": "int", "default": 7}}, "diff": ["--- <a>", "+++ b", "@@ -1 +1 @@", "-x", "+y"],
    "generated": ["catalog.yaml  +1 -0"], "open_points": ["a.yaml:9: TODO"], "version": None,
}  # fmt: skip


@pytest.fixture
def form(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> PromoteForm:
    monkeypatch.chdir(small.root)
    write(small.root / "notebooks/Day 1.ipynb", json.dumps(notebook(["x = 1"])))
    return PromoteForm(small.config, OwnNotebook(small.root / "notebooks/Day 1.ipynb", None, ("x = 1",)))


def test_where_no_kernel_runs_the_form_is_a_command(form: PromoteForm) -> None:
    bundle = form._repr_mimebundle_()
    assert bundle["text/plain"] == "kit promote notebooks/Day 1.ipynb --product PRODUCT --port day_1"
    assert f"<pre>{bundle['text/plain']}</pre>" in bundle["text/html"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == form.widget.model_id


def test_a_button_says_what_is_missing(form: PromoteForm) -> None:
    form.run(dry_run=True)
    assert "choose the product that it goes to" in form._said.value
    form._product.value = "plan"
    form.run(dry_run=True)
    assert "does not end in a table; write kit.output(&quot;day_1&quot;, frame) as its last line" in form._said.value
    assert "Day 1.ipynb, saved " in form._said.value
    assert not (form._look.disabled or form._promote.disabled)


def test_what_changes_is_shown_in_colours() -> None:
    html = told(PROMOTION)
    assert "<b>Nothing was written yet.</b>" in html
    assert "<span style='color:inherit;font-weight:bold'>--- &lt;a&gt;</span>\n" in html
    assert "<span style='color:#d73a49'>-x</span>\n<span style='color:#278a45'>+y</span>" in html
    assert "<td style='vertical-align:top;text-align:left'>days: int = 7</td>" in html
    assert "<li>a.yaml:9: TODO</li>" in html
    assert "plan.a is published, snapshot 2024: kit.read(&quot;plan.a&quot;)" in told({**PROMOTION, "version": "2024"})


def test_the_notebook_is_known_by_its_cell_also_when_it_was_renamed(tmp_path: Path) -> None:
    data = notebook(["x = 1", "kit.promote()"])
    old, other = tmp_path / "old.ipynb", tmp_path / "a.ipynb"
    own = OwnNotebook(old, "cell2", ("x = 1", "kit.promote()"))
    with pytest.raises(KitError, match="there is no notebook"):
        own.saved()
    write(other, "no notebook")
    write(old, json.dumps(notebook(["x = 2", "kit.promote()"])))
    with pytest.raises(
        KitError, match=r"^old\.ipynb is not saved as it was run; save it \(Ctrl\+S\) and press the button again$"
    ):
        own.saved()
    write(other, json.dumps(data))
    assert own.saved() == other
    write(old, json.dumps(data))
    assert own.saved() == old


def test_outside_of_jupyter_it_asks_for_the_name(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    with pytest.raises(KitError, match="which notebook this is cannot be told; name it"):
        kit.promote()
    assert repr(kit.promote("x.ipynb")) == "kit promote x.ipynb --product PRODUCT --port x"


@pytest.mark.slow
@needs_browser
def test_a_notebook_in_jupyterlab_shows_what_its_promotion_would_change(lab_page: LabPage) -> None:
    cells = ["import kit", "days = 7", "kit.read('orders.daily_sales').head(days)", "kit.promote()"]
    path = lab_page.lab.root / "notebooks/explore.ipynb"
    write(path, json.dumps(notebook(cells)))
    page = lab_page.page
    try:
        page.get_by_role("heading", name="Start here").wait_for()
        lab_page.open("notebooks/explore.ipynb")
        lab_page.run_all()
        form = page.locator(".kit-promote")
        form.get_by_role("combobox").select_option("demand")
        form.get_by_role("button", name="Show the changes").click()
        expect(form).to_contain_text("Nothing was written yet.", timeout=SECONDS)
        expect(form).to_contain_text("+kit.output(\"explore\", kit.read('orders.daily_sales').head(days))")
        expect(form).to_contain_text("days: int = 7")
    finally:
        path.unlink()
    assert not (lab_page.lab.root / "domains/demand/notebooks/explore.ipynb").exists()
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []
