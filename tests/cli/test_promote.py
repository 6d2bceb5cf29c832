import json

from typer.testing import CliRunner

from kit.cli.main import app
from kit.scaffold.asset_notebook import to_asset_notebook
from tests.scaffold.test_new import tree
from tests.support.small_mesh import SmallMesh, notebook, write


def test_a_dry_run_shows_the_changes_and_the_open_points(small: SmallMesh) -> None:
    small.publish("shop")
    path = small.root / "notebooks/best.ipynb"
    write(path, json.dumps(notebook(["import kit", "rows = 1", "best = kit.read('shop.totals').head(rows)"])))
    before = tree(small.root)
    given = ["promote", str(path), "--product", "plan", "--frame", "best", "--dry-run"]
    done = CliRunner(env={"KIT_ROOT": str(small.root)}).invoke(app, given)
    lines = done.stdout.splitlines()
    start = lines.index("plan.best")
    assert lines[start : start + 3] == ["plan.best", "  reads       shop.totals 1.0.0", "  parameters  rows: int = 1"]
    assert '+kit.output("best", best)' in lines
    assert lines[lines.index("Still to be written or decided") + 1].endswith("(TODO: One row per …)")
    assert (lines[-1], done.exit_code) == ("nothing was written", 0)
    assert tree(small.root) == before


def test_a_missing_notebook_is_one_message(small: SmallMesh) -> None:
    done = small.kit("promote", "nowhere.ipynb", "--product", "plan")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: there is no file nowhere.ipynb\n")


def test_a_notebook_that_has_not_changed_is_one_sentence(small: SmallMesh) -> None:
    path = small.root / "notebooks/forecast.ipynb"
    write(path, json.dumps(notebook(["import kit", "kit.read('shop.totals')"])))
    asset = to_asset_notebook(path, origin="notebooks/forecast.ipynb")
    write(small.domains / "plan/notebooks/forecast.ipynb", asset.text)
    before = tree(small.root)
    call = ["promote", "notebooks/forecast.ipynb", "--product", "plan"]
    done = small.kit(*call)
    text = "notebooks/forecast.ipynb has not changed since plan.forecast was made of it; nothing was written\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, text, "")
    told = json.loads(small.kit(*call, "--json", check=True).stdout)
    assert (told["unchanged"], told["version"], told["diff"]) == (True, None, [])
    assert tree(small.root) == before


def test_what_may_not_be_replaced_is_refused_in_one_sentence(small: SmallMesh) -> None:
    write(small.root / "notebooks/forecast.ipynb", json.dumps(notebook(["import kit", "kit.read('shop.totals')"])))
    before = tree(small.root)
    done = small.kit("promote", "notebooks/forecast.ipynb", "--product", "plan")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: 'plan.forecast' is made by domains/plan/notebooks/forecast.ipynb, which was never promoted; choose another "
        "name with --port, or replace that notebook with --replace\n"
    )
    assert tree(small.root) == before
