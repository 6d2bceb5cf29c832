"""papermill as people call it, without an engine, over the small mesh."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import papermill
import pytest

from kit.notebooks import papermill_default
from kit.notebooks.papermill_default import MeshEngine
from tests.support.files import write
from tests.support.limits import HANG
from tests.support.notebooks import notebook
from tests.support.small_mesh import FORECAST, SmallMesh

BESIDE = ["from growth import factor_of\nimport kit\nimport polars as pl", *FORECAST[1:2], *FORECAST[2:]]


@pytest.fixture
def asset(small: SmallMesh) -> Path:
    """The notebook of `plan.forecast`, which imports a module beside it."""
    write(small.domains / "plan/notebooks/growth.py", "factor_of = float\n")
    return small.notebook("plan", "forecast", BESIDE, "factor: float = 2.0\nname: str = 'base'\n")


def execute(path: Path | str, folder: Path, **parameters: Any) -> None:
    papermill.execute_notebook(str(path), str(folder / "executed.ipynb"), parameters=parameters, progress_bar=False)


def test_papermill_runs_notebooks_by_this_engine() -> None:
    assert papermill.engines.papermill_engines.get_engine() is MeshEngine
    assert papermill.engines.papermill_engines.get_engine("nbclient") is MeshEngine


@pytest.mark.slow
def test_from_any_folder_a_notebook_finds_its_domain_and_its_modules_and_holds_its_contract(
    small: SmallMesh, asset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.publish("shop")
    monkeypatch.chdir(small.domains / "shop")  # another domain
    with pytest.raises(papermill.PapermillExecutionError) as error:
        execute(os.path.relpath(asset), small.root, factor=-1)
    first, *_ = error.value.evalue.splitlines()
    assert (error.value.ename, first) == (
        "AuditFailed",
        "plan.forecast: 2 rows, 5 of 6 checks passed. A build would refuse it.",
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"fctor": 1.0}, "has no parameter 'fctor'; there are: factor: float, name: str"),
        ({"factor": "high"}, "the parameter 'factor' is 'high'; it must be of type float"),
        ({"factor": "3"}, "the parameter 'factor' is '3'; it must be of type float"),
        ({"name": "s3cret-value"}, "the parameter 'name' of the notebook forecast.ipynb holds the secret MY_TOKEN"),
    ],
)
def test_a_parameter_that_a_build_refuses_is_refused_before_a_kernel_starts(
    small: SmallMesh, asset: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], says: str
) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret-value")
    monkeypatch.setattr(papermill_default._KernelManager, "start_kernel", pytest.fail)
    with pytest.raises(click.ClickException) as error:
        execute(asset, small.root, **given)
    assert says in str(error.value)
    assert not (small.root / "executed.ipynb").exists()


@pytest.mark.slow
def test_on_the_command_line_it_is_one_line_and_an_exit_code(small: SmallMesh, asset: Path) -> None:
    command = [sys.executable, "-m", "papermill", "domains/plan/notebooks/forecast.ipynb", "out.ipynb", "-p", "factor", "high"]
    done = subprocess.run(command, cwd=small.root, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last == "Error: domains/plan/notebooks/forecast.ipynb: the parameter 'factor' is 'high'; it must be of type float"
    assert "Traceback" not in done.stderr


def variables(path: Path, **parameters: Any) -> dict[str, str]:
    return papermill_default._environment(path, parameters)


def test_only_notebooks_of_domains_are_held_to_their_parameters(small: SmallMesh, asset: Path, tmp_path: Path) -> None:
    explored, outside = small.root / "notebooks/a.ipynb", tmp_path.parent / f"{tmp_path.name}.ipynb"
    for path in (explored, outside):
        write(path, json.dumps(notebook(["1"], "n: int = 1")))
    assert variables(outside, n="x") == {"KIT_NOTEBOOK": str(outside)}
    assert variables(explored, n="x", m=2)["KIT_NOTEBOOK"] == str(explored)
    assert variables(asset, PAPERMILL_INPUT_PATH="a", PAPERMILL_OUTPUT_PATH="b")["KIT_NOTEBOOK"] == str(asset)
    outside.unlink()


def test_modules_beside_a_notebook_of_the_mesh_come_first(asset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert variables(asset)["PYTHONPATH"] == str(asset.parent)
    monkeypatch.setenv("PYTHONPATH", "/lib")
    assert variables(asset)["PYTHONPATH"] == f"{asset.parent}{os.pathsep}/lib"


def test_what_is_no_local_file_is_left_to_papermill(asset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(asset.parent)
    assert papermill_default._local_file("forecast.ipynb") == asset
    for path in ("-", "s3://bucket/a.ipynb", "gone.ipynb", None, notebook(["1"])):
        assert papermill_default._local_file(path) is None
