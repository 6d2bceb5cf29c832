import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kit.cli.main import app
from kit.core.errors import UnknownName
from kit.notebooks.executed import copies, copy
from tests.support.small_mesh import FORECAST, SmallMesh, notebook, write

FIRST, SECOND = "20240110T080000Z-000001", "20240110T090000Z-000002"

LAST = f"the last runs that have: {SECOND}, {FIRST}"


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    """The small mesh with two runs of its notebook on record, of which the first one made a snapshot."""
    monkeypatch.chdir(small.root)
    state = small.config.storage
    for run, injected in ((FIRST, []), (SECOND, ["# Parameters\nfactor = 3\n"])):
        data: dict[str, Any] = notebook([*injected, *FORECAST], "factor: float = 2.0  # growth\n")
        if injected:
            data["cells"][1]["metadata"] = {"tags": ["injected-parameters"]}
        write(state / f"runs/plan/{run}/notebooks/forecast.ipynb", json.dumps(data))
        write(state / f"runs/plan/{run}/forecast.run.json", json.dumps({"run_id": run, "product": "plan", "port": "forecast"}))
    write(state / "runs/shop/20240110T070000Z-000000/record.json", "{}")
    write(state / "products/plan/v1/manifest.json", json.dumps({"run_id": FIRST}))
    return small


def say(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["notebook", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def path_of(small: SmallMesh, run: str) -> Path:
    return small.config.storage / "runs/plan" / run / "notebooks/forecast.ipynb"


def test_a_run_is_found_by_its_id_its_snapshot_or_a_path(mesh: SmallMesh) -> None:
    path = path_of(mesh, FIRST)
    assert copies(mesh.config, FIRST) == copies(mesh.config, "v1") == copies(mesh.config, str(path)) == {"forecast": path}
    assert (
        copy(mesh.config, FIRST, None)
        == copy(mesh.config, FIRST, "forecast")
        == copy(mesh.config, "v1", "plan.forecast")
        == path
    )


@pytest.mark.parametrize(
    ("run", "port", "says"),
    [
        (FIRST, "sales", f"'{FIRST}' has no notebook 'sales'; say which with --port: forecast"),
        ("x.ipynb", None, "there is no file 'x.ipynb'; give a notebook, the id of a run or a snapshot"),
        ("x", None, f"no run or snapshot 'x' has executed notebooks; {LAST}"),
        (
            FIRST[:-1], None,
            f"no run or snapshot '{FIRST[:-1]}' has executed notebooks; did you mean {FIRST}? {LAST}",
        ),
    ],
)  # fmt: skip
def test_an_unknown_run_is_refused_with_the_last_runs(mesh: SmallMesh, run: str, port: str, says: str) -> None:
    with pytest.raises(UnknownName) as error:
        copy(mesh.config, run, port)
    assert str(error.value) == says


def test_parameters_are_listed_with_type_default_and_meaning(mesh: SmallMesh) -> None:
    assert json.loads(say("parameters", "plan", "--json")) == [
        {"port": "plan.forecast", "name": "factor", "type": "float", "default": 2.0, "help": "growth"},
        {"port": "plan.forecast", "name": "name", "type": "str", "default": "base", "help": ""},
    ]
    assert [line.split() for line in say("parameters", "plan.forecast").splitlines()] == [
        ["port", "parameter", "type", "default", "meaning"],
        ["plan.forecast", "factor", "float", "2.0", "growth"],
        ["plan.forecast", "name", "str", "'base'"],
    ]
    with pytest.raises(UnknownName) as error:
        say("parameters", "shop.sales")
    assert str(error.value) == "'shop.sales' is made by no notebook; there are: none"


def test_two_runs_are_compared(mesh: SmallMesh) -> None:
    (pair,) = json.loads(say("diff", FIRST, SECOND, "--json"))
    assert pair["differences"] == [{"kind": "parameter", "where": "factor", "first": "2.0", "second": "3", "change": 1.0}]
    said = [line.split() for line in say("diff", FIRST, SECOND).splitlines()]
    assert [said[0], *said[3:]] == [
        ["plan.forecast"], ["first", "second", "change"], ["parameter", "factor", "2.0", "3", "1.00"],
    ]  # fmt: skip
    assert say("diff", FIRST, str(path_of(mesh, FIRST))).splitlines()[-1] == "  no difference"


def test_a_run_is_shown_as_a_page(mesh: SmallMesh) -> None:
    assert say("show", SECOND, "--output", "page.html") == "written: page.html\n"
    assert f"<title>plan.forecast, run {SECOND}</title>" in (mesh.root / "page.html").read_text()
    assert say("show", "v1") == f"written: state/runs/plan/{FIRST}/notebooks/forecast.html\n"
