import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.core.config import Config
from kit.core.errors import InvalidFile, UnknownName
from kit.notebooks.executed import Executed, copies, copy, source
from tests.support.files import write
from tests.support.notebooks import notebook


def cell(text: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": text, "outputs": [], **more}


def save(path: Path, *cells: dict[str, Any], **metadata: Any) -> Path:
    write(path, json.dumps({**notebook([]), "metadata": metadata, "cells": list(cells)}))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write(tmp_path / "pyproject.toml", '[tool.kit]\nstorage = "state"\n')
    return Config.load(tmp_path, {})


def executed(config: Config, product: str, run: str, *names: str) -> Path:
    folder = config.storage / "runs" / product / run / "notebooks"
    for name in names:
        save(folder / f"{name}.ipynb")
    return folder


def test_a_notebook_that_no_build_ran_has_neither_run_nor_inputs(tmp_path: Path) -> None:
    found = Executed.read(save(tmp_path / "explore.ipynb", cell("1 + 1")))
    assert (found.run_id, found.port, found.inputs, found.parameters, found.given) == ("", "", {}, {}, ())
    assert (found.started, found.seconds, found.error) == (None, None, "")
    assert found.title == "explore"


def test_a_copy_has_the_run_and_the_inputs_of_its_build(tmp_path: Path) -> None:
    inputs = {"shop.totals": {"version": "v7", "files": []}, "plan.base": {"version": "r1", "files": []}}
    run = {"run_id": "r1", "product": "plan", "port": "forecast", "inputs": inputs}
    write(tmp_path / "r1/forecast.run.json", json.dumps(run))
    record = {"start_time": "2024-01-10T08:00:00+00:00", "duration": 1.25}
    found = Executed.read(save(tmp_path / "r1/notebooks/forecast.ipynb", papermill=record))
    assert (found.run_id, found.port, found.title) == ("r1", "plan.forecast", "plan.forecast")
    assert found.inputs == {"shop.totals": "v7", "plan.base": "this run"}
    assert (found.started, found.seconds) == (datetime(2024, 1, 10, 8, tzinfo=UTC), 1.25)


def test_parameters_are_the_defaults_and_what_was_given(tmp_path: Path) -> None:
    declared = cell("horizon: int = 30  # days\nnames = ['a']\nstart = date(2024, 1, 1)", "parameters")
    found = Executed.read(save(tmp_path / "a.ipynb", declared, cell("horizon = 7", "injected-parameters")))
    assert found.parameters == {"horizon": 7, "names": ["a"], "start": "date(2024, 1, 1)"}
    assert found.given == ("horizon",)


def test_parameters_that_are_no_python_are_left_out(tmp_path: Path) -> None:
    assert Executed.read(save(tmp_path / "a.ipynb", cell("horizon = (", "parameters"))).parameters == {}


def test_the_error_is_that_of_the_first_cell_that_failed(tmp_path: Path) -> None:
    def failing(name: str) -> dict[str, Any]:
        return cell("x", outputs=[{"output_type": "error", "ename": name, "evalue": "no", "traceback": []}])

    assert (
        Executed.read(save(tmp_path / "a.ipynb", cell("1"), failing("KeyError"), failing("ValueError"))).error == "KeyError: no"
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": 1, "nbformat": 4}', '{"cells": [1], "nbformat": 4}', '{"cells": []}'])
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "x.ipynb", text)
    with pytest.raises(InvalidFile, match=r"x\.ipynb: not "):
        Executed.read(tmp_path / "x.ipynb")


def test_the_text_of_a_cell_may_be_a_list_of_lines() -> None:
    assert [source({"source": ["a\n", "b"]}), source({"source": "a\nb"}), source({})] == ["a\nb", "a\nb", ""]


def test_copies_are_found_by_run_by_snapshot_and_by_path(config: Config) -> None:
    folder = executed(config, "plan", "r1", "forecast", "base")
    found = {"base": folder / "base.ipynb", "forecast": folder / "forecast.ipynb"}
    assert copies(config, "r1") == found
    write(config.storage / "products/plan/v7/manifest.json", '{"run_id": "r1"}')
    assert copies(config, "v7") == found
    assert copies(config, str(folder / "base.ipynb")) == {"base": folder / "base.ipynb"}


def test_what_has_no_copies_is_told_with_what_has(config: Config) -> None:
    with pytest.raises(UnknownName) as error:
        copies(config, "r1")
    assert str(error.value) == "no run or snapshot 'r1' has executed notebooks; the last runs that have: none yet"
    executed(config, "plan", "20240110T080000Z", "forecast")
    write(config.storage / "products/plan/v7/manifest.json", "{")
    with pytest.raises(UnknownName, match=r"^no run or snapshot 'v7' has executed notebooks; the last runs that have: 2024"):
        copies(config, "v7")
    with pytest.raises(UnknownName, match=r"did you mean 20240110T080000Z\? "):
        copies(config, "20240110T080001Z")
    with pytest.raises(UnknownName, match=r"^there is no file 'gone\.ipynb'; give a notebook, the id of a run or a snapshot"):
        copies(config, "gone.ipynb")


def test_one_copy_of_a_run_is_chosen_by_its_port(config: Config) -> None:
    folder = executed(config, "plan", "r1", "forecast")
    assert [copy(config, "r1", port) for port in (None, "forecast", "plan.forecast")] == [folder / "forecast.ipynb"] * 3
    executed(config, "plan", "r1", "base.tea")
    assert copy(config, "r1", "base.tea") == folder / "base.tea.ipynb"
    with pytest.raises(UnknownName, match=r"^'r1' has 2 notebooks; say which with --port: base\.tea, forecast$"):
        copy(config, "r1", None)
    with pytest.raises(UnknownName, match=r"^'r1' has no notebook 'plan\.more'; say which with --port: base\.tea, forecast$"):
        copy(config, "r1", "plan.more")
