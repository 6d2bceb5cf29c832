from collections.abc import Callable
from typing import Any

import pytest

import kit
from kit.build.build import Outcome
from kit.build.plan import BuildRequest
from kit.core.errors import KitError
from kit.jupyter import progress as cell_progress
from kit.notebooks.notebook_run import RUN_FILE
from kit.orchestration import executor
from kit.storage import index
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh, write


@pytest.fixture
def built(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The requests that `execute` receives; the products in `failing` fail."""
    monkeypatch.chdir(small.root)
    seen: dict[str, Any] = {"failing": ()}

    def execute(
        context: Any,
        products: Any,
        asked: Any,
        watch: Callable[[], Any],
        tell: Callable[[Any], None],
        warn: Callable[[str], None],
        tags: Any,
        at_once: bool = False,
    ) -> Any:
        seen["asked"] = asked
        outcomes = []
        for product in products:
            with watch() as progress, progress.timed(product.name, "audit") as set_result:
                set_result("3 checks passed")
            failed = product.name in seen["failing"]
            status, message = ("failed", f"'{product.name}': 1 check failed\nfailed  a rule") if failed else ("up to date", "")
            outcomes.append(Outcome(product.name, status, 1.25, message=message))
            tell(outcomes[-1])
        return outcomes

    monkeypatch.setattr(executor, "execute", execute)
    return seen


def test_the_selection_is_built_with_the_output_of_the_command_line(
    built: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    done = kit.run("shop", downstream=True, force=True, parameters={"factor": 3.0})
    assert built["asked"] == {"shop": BuildRequest({}, (), True), "plan": BuildRequest({"factor": 3.0}, (), True)}
    assert [outcome.product for outcome in done] == ["shop", "plan"]
    assert len(done) == 2
    assert repr(done).splitlines() == [
        "product  result      snapshot  seconds  message",
        "shop     up to date            1.2",
        "plan     up to date            1.2",
    ]
    assert "<td" in done._repr_html_()
    assert "  shop         audit      3 checks passed" in capsys.readouterr().out


def test_a_failure_is_raised_after_all_products_are_built(built: dict[str, Any], small: SmallMesh) -> None:
    built["failing"] = ("shop",)
    with pytest.raises(KitError) as error:
        kit.run()
    assert str(error.value) == "'shop': 1 check failed\nfailed  a rule"
    assert (small.config.storage / index.INDEX).is_file()
    built["failing"] = ()
    write(small.domains / "wrong/product.odps.yaml", "name: wrong\n")
    with pytest.raises(KitError, match="wrong is broken: "):
        kit.run()
    assert len(kit.run("plan", "shop")) == 2


def test_a_build_starts_no_other_build(built: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_FILE, "run.json")
    with pytest.raises(KitError, match="a build cannot start another one"):
        kit.run("shop")
    assert "asked" not in built


def test_in_a_notebook_the_steps_are_written_into_one_output(built: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython.display

    written: list[str] = []

    class Handle:
        def update(self, shown: cell_progress.CellProgress) -> None:
            written.append(repr(shown))

    def display(shown: cell_progress.CellProgress, *, display_id: bool) -> Handle:
        assert display_id
        written.append(repr(shown))
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(cell_progress, "in_notebook", lambda: True)
    built["failing"] = ("plan",)
    with pytest.raises(KitError):
        kit.run("shop", "plan")
    steps = [line.split() for line in written[-1].splitlines()]
    assert written[0] == "shop: audit …"
    assert written[2].splitlines()[-1] == "plan: audit …"
    assert [step[:4] for step in steps] == [
        ["shop", "audit", "3", "checks"], ["plan", "audit", "3", "checks"], ["plan", "failed", "'plan':", "1"],
    ]  # fmt: skip


@pytest.mark.slow
def test_it_works_in_a_kernel(small: SmallMesh) -> None:
    import nbformat
    from nbclient import NotebookClient

    small.publish("shop")
    cell = nbformat.v4.new_code_cell("import kit\nkit.run('shop')")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=HANG, resources={"metadata": {"path": str(small.root)}}).execute()
    steps, table = notebook.cells[0].outputs
    assert (steps.output_type, table.output_type) == ("display_data", "execute_result")
    assert [line.split()[:2] for line in steps.data["text/plain"].splitlines()] == [["shop", "ingest"]]
    assert "up to date" in table.data["text/html"]
