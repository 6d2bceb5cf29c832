import json
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

import kit
from kit.build.build import Outcome
from kit.contracts.finding import Finding
from kit.core.errors import KitError
from kit.drawing import markup
from kit.jupyter.current_notebook import CurrentNotebook
from kit.jupyter.promote_form import PromoteForm, promotion_html
from kit.mesh.context import Context
from kit.mesh.parameters import Parameter
from kit.scaffold.asset_notebook import AssetNotebook
from kit.scaffold.changes import FileChange
from kit.scaffold.promotion import Promotion
from kit.storage.snapshot import Snapshot
from tests.support.lab import SECONDS, LabPage, needs_browser
from tests.support.small_mesh import SmallMesh, notebook, write


@pytest.fixture
def form(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> PromoteForm:
    monkeypatch.chdir(small.root)
    write(small.root / "notebooks/Day 1.ipynb", json.dumps(notebook(["x = 1"])))
    return PromoteForm(Context(small.config), CurrentNotebook(small.root / "notebooks/Day 1.ipynb", None, ("x = 1",)))


def test_without_a_kernel_the_form_is_a_command(form: PromoteForm) -> None:
    bundle = form._repr_mimebundle_()
    assert bundle["text/plain"] == "kit promote notebooks/Day 1.ipynb --product PRODUCT --port day_1"
    assert f"<pre>{bundle['text/plain']}</pre>" in bundle["text/html"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == form.widget.model_id


def test_a_button_reports_missing_input(form: PromoteForm) -> None:
    form.run(dry_run=True)
    assert "choose the product that gets the port" in form._report.value
    form._product.value = "plan"
    form.run(dry_run=True)
    assert "does not end in a table; write kit.output(&quot;day_1&quot;, frame) as its last line" in form._report.value
    assert "Day 1.ipynb, saved " in form._report.value
    assert not (form._show.disabled or form._promote.disabled)


def test_a_promotion_is_shown_with_its_changes_in_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place, contract = tmp_path / "plan/a.ipynb", tmp_path / "<a>.yaml"
    promotion = Promotion(
        path=tmp_path / "a.ipynb", port="plan.a", place=place, reads=("shop.totals 1.0.0",),
        parameters=(Parameter("days", "int", 7, ""),), asset=AssetNotebook("", "a", ("x",), ("y",)),
        changes=(
            FileChange(contract, b"old\n", b"new\n"), FileChange(tmp_path / "catalog.yaml", None, b"1\n", generated=True),
        ),
        open_points=(Finding("plan", Path("a.yaml"), 9, "TODO"),),
    )  # fmt: skip
    html = promotion_html(promotion, None)
    assert "<b>Nothing was written yet.</b>" in html
    assert "<span style='color:inherit;font-weight:bold'>--- &lt;a&gt;.yaml</span>\n" in html
    red, green = markup.text_colour(markup.BAD), markup.text_colour(markup.GOOD)
    assert f"<span style='{red}'>-old</span>\n<span style='{green}'>+new</span>" in html
    assert "<td style='vertical-align:top;text-align:left'>days: int = 7</td>" in html
    assert "catalog.yaml  +1 -0" in html
    assert "<li>a.yaml:9: TODO</li>" in html
    published = promotion_html(promotion, Outcome("plan", "published", 1.0, snapshot=Snapshot("plan", "2024", tmp_path, {})))
    assert "plan.a is published, snapshot 2024: kit.read(&quot;plan.a&quot;)" in published
    assert "it is a draft" not in published
    draft = replace(promotion, is_draft=True)
    told = "it is a draft, not yet offered to other products: replace each TODO in contracts/a.odcs.yaml, and write"
    assert told in promotion_html(draft, Outcome("plan", "published", 1.0, snapshot=Snapshot("plan", "2024", tmp_path, {})))
    again = promotion_html(replace(promotion, changes=()), None)
    assert "The notebook has not changed since plan.a was made of it. Nothing was written." in again


@pytest.mark.slow
def test_a_button_in_a_kernel_writes_and_builds(small: SmallMesh) -> None:
    """In the thread of the kernel, as `kit.run()` in a cell; the notebook it promotes runs in a kernel of its own."""
    import nbformat
    from nbclient import NotebookClient

    small.publish("shop")
    cells = ["import kit", "totals = kit.read('shop.totals')\ntotals"]
    write(small.root / "notebooks/best.ipynb", json.dumps(notebook(cells)))
    code = (
        "import kit\nform = kit.promote('best.ipynb')\nform._product.value = 'plan'\n"
        "form._promote.click()\nprint(form._report.value)"
    )
    caller = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(caller, timeout=300, resources={"metadata": {"path": str(small.root / "notebooks")}}).execute()
    text = "".join(output.get("text", "") for output in caller.cells[0].outputs)
    assert "plan.best is published, snapshot " in text, text
    assert "  builds plan …" in text
    assert ">domains/plan/notebooks/best.ipynb<" in text
    pointer = small.store.read_pointer("plan")
    assert pointer is not None
    assert pointer.version in text
    assert small.mesh.port("plan.best").notebook == small.domains / "plan/notebooks/best.ipynb"


def test_outside_of_jupyter_the_name_is_needed(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    with pytest.raises(KitError, match="the current notebook is unknown; name it"):
        kit.promote()
    assert repr(kit.promote("x.ipynb")) == "kit promote x.ipynb --product PRODUCT --port x"


@pytest.mark.slow
@needs_browser
def test_a_notebook_in_jupyterlab_shows_what_its_promotion_would_change(lab_page: LabPage) -> None:
    cells = ["import kit", "days = 7", "kit.read('shop.totals').head(days)", "kit.promote()"]
    path = lab_page.lab.root / "notebooks/explore.ipynb"
    write(path, json.dumps(notebook(cells)))
    page = lab_page.page
    try:
        page.get_by_role("heading", name="Start here").wait_for()
        lab_page.open("notebooks/explore.ipynb")
        lab_page.run_all()
        form = page.locator(".kit-promote")
        form.get_by_role("combobox").select_option("plan")
        form.get_by_role("button", name="Show the changes").click()
        expect(form).to_contain_text("Nothing was written yet.", timeout=SECONDS)
        expect(form).to_contain_text("+kit.output(\"explore\", kit.read('shop.totals').head(days))")
        expect(form).to_contain_text("days: int = 7")
    finally:
        path.unlink()
    assert not (lab_page.lab.root / "domains/plan/notebooks/explore.ipynb").exists()
    assert lab_page.elsewhere == set()
    assert lab_page.complaints == []
