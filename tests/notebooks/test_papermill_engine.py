import json
import time
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
    kernel = Kernel(folder, {}, folder / "kernel.log", Places(write=(folder,)), Secrets(), 1000)
    try:
        papermill.execute_notebook(
            str(folder / "a.ipynb"), str(folder / "executed.ipynb"), engine_name=ENGINE, kernel_name="python3",
            language="python", progress_bar=False, cell_timeout=60, output_limit=limit, kernel=kernel,
            scrub=Secrets(secrets).scrubbed,
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


@pytest.mark.parametrize(
    "cell",
    [
        "print('x' * 2_000_000)",
        "for _ in range(20_000):\n    print('.' * 100, end='')",
        "import sys\nfor _ in range(2000):\n    print('.' * 100, end='', flush=True)",
        "from IPython.display import display\ndisplay({'text/plain': 'x' * 2_000_000}, raw=True)",
        "raise ValueError('x' * 2_000_000)",
        "import sys\n_ = sys.stderr.write('x' * 2_000_000)",
    ],
    ids=["printed at once", "printed by parts", "flushed by parts", "displayed", "raised", "on standard error"],
)
def test_a_long_line_takes_no_longer_than_many_lines(tmp_path: Path, cell: str) -> None:
    started = time.perf_counter()
    ((output,),) = outputs(tmp_path, [cell], limit=5_000_000)
    assert time.perf_counter() - started < 30  # a regular expression over the line would take hours
    assert len(json.dumps(output)) < 2_100_000


def test_a_long_error_is_cut_and_says_so(tmp_path: Path) -> None:
    ((output,),) = outputs(tmp_path, ["raise ValueError('x' * 2_000_000)"])
    assert output["evalue"] == f"{'x' * 10_000} … (1,990,000 more characters were cut)"


def test_only_the_last_version_of_a_line_is_kept(tmp_path: Path) -> None:
    ((output,),) = outputs(tmp_path, ["print('10 %\\r50 %\\r100 %\\r\\ndone\\r\\nend\\r')"])
    assert text(output) == "100 %\r\ndone\r\nend\r\n"


def test_texts_of_a_stream_are_joined_around_other_outputs(tmp_path: Path) -> None:
    cell = "import sys\nprint('a', flush=True)\ndisplay(1)\nprint('b')\n_ = sys.stderr.write('c')"
    (found,) = outputs(tmp_path, [cell])
    assert [output.get("name", output["output_type"]) for output in found] == ["stdout", "display_data", "stderr"]
    assert [text(output) for output in (found[0], found[2])] == ["a\nb\n", "c"]
