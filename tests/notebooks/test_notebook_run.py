from pathlib import Path

import pytest

from kit.core import Places
from kit.notebooks.notebook_run import RUN_FILE, NotebookRun, current_run, run_of_copy


def test_a_notebook_and_its_executed_copy_find_the_run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = NotebookRun(
        tmp_path / "forecast.ipynb", "forecast", "forecast.tea", tmp_path / "r1", tmp_path / "tea.parquet", Places()
    )
    run.folder.mkdir()
    inputs = {"shop.totals": {"version": "v1", "files": ["a.parquet"]}}
    run.write("r1", "plan", inputs)
    assert (run.executed, run.log) == (
        tmp_path / "r1/notebooks/forecast.tea.ipynb", tmp_path / "r1/notebooks/forecast.tea.log"
    )  # fmt: skip
    written = {
        "run_id": "r1", "product": "plan", "port": "forecast", "inputs": inputs,
        "staged": str(tmp_path / "r1/made/forecast.tea/table.parquet"), "contract": None,
    }  # fmt: skip
    assert run_of_copy(run.executed) == written
    assert current_run() is None
    monkeypatch.setenv(RUN_FILE, run.environment[RUN_FILE])
    assert current_run() == written


def test_a_notebook_that_no_build_ran_has_no_run_file(tmp_path: Path) -> None:
    assert run_of_copy(tmp_path / "notebooks/explore.ipynb") == {}
