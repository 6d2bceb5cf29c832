import json
from pathlib import Path
from typing import Any

import papermill
import pytest

from kit.core import Places
from kit.core.secrets import Secrets
from kit.notebooks.kernel import Kernel
from kit.notebooks.papermill_engine import ENGINE, register
from tests.support.files import write
from tests.support.notebooks import notebook

CUT = {"output_type": "stream", "name": "stderr", "text": "Output beyond the limit was cut.\n"}


def outputs(folder: Path, cells: list[str], *, limit: int = 1000, **secrets: str) -> list[list[dict[str, Any]]]:
    """The outputs of each cell as the executed copy has them, also of a notebook that fails."""
    write(folder / "a.ipynb", json.dumps(notebook(cells)))
    register()
    kernel = Kernel(folder, {}, folder / "kernel.log", Places(write=(folder,)))
    try:
        papermill.execute_notebook(
            str(folder / "a.ipynb"), str(folder / "executed.ipynb"), engine_name=ENGINE, kernel_name="python3",
            language="python", progress_bar=False, cell_timeout=60, output_limit=limit, kernel=kernel, secrets=Secrets(secrets),
        )  # fmt: skip
    except papermill.PapermillExecutionError:
        pass
    finally:
        kernel.close()
    executed = json.loads((folder / "executed.ipynb").read_text())
    return [cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"]


def text(output: dict[str, Any]) -> str:
    return "".join(output["text"])


def test_prints_of_a_cell_are_one_output(tmp_path: Path) -> None:
    ((output,),) = outputs(tmp_path, ["import sys\nfor n in range(3):\n    print(n)\n    sys.stdout.flush()"])
    assert (output["name"], text(output)) == ("stdout", "0\n1\n2\n")


def test_output_beyond_the_limit_is_cut_once_for_all_cells(tmp_path: Path) -> None:
    few, many, after = outputs(tmp_path, ["print('x' * 400)", "print('y' * 2000)", "print('z')"])
    assert text(few[0]) == "x" * 400 + "\n"
    assert [{**output, "text": text(output)} for output in many] == [CUT]
    assert after == []


def test_the_error_of_a_cell_is_kept_after_output_was_cut(tmp_path: Path) -> None:
    _, failing = outputs(tmp_path, ["print('x' * 2000)", "raise ValueError('no')"])
    assert [(output["ename"], output["evalue"]) for output in failing] == [("ValueError", "no")]


@pytest.mark.parametrize("cell", ["print('key is s3cret-value')", "'s3cret-value'", "raise ValueError('s3cret-value')"])
def test_secrets_are_taken_out_of_outputs(tmp_path: Path, cell: str) -> None:
    found = outputs(tmp_path, [cell], limit=100_000, TOKEN="s3cret-value")
    assert found != [[]]
    shown = json.dumps(found)
    assert "[TOKEN]" in shown
    assert "s3cret-value" not in shown
