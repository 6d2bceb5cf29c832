import json
import os
from pathlib import Path

import pytest

from kit.core import Places
from kit.core.errors import NotebookError
from kit.core.secrets import Secrets
from kit.notebooks.executor import NotebookLimits, execute
from kit.notebooks.kernel_pool import KernelPool
from kit.notebooks.notebook_run import NotebookRun
from tests.support.small_mesh import notebook, write

DECLARED = """\
horizon: int = 30  # days ahead
level: float = 0.5
name: str = 'base'
deep = True
items: list = [1, 2]
"""


def write_notebook(folder: Path, cells: list[str]) -> Path:
    write(folder / "plan.ipynb", json.dumps(notebook(cells, DECLARED)))
    return folder / "plan.ipynb"


def run(path: Path, timeout: int = 30, output_mb: int = 1, **given: object) -> Path:
    execution = NotebookRun(
        path, "plan", "plan", path.parent / "run", path.parent / "plan.parquet", Places(write=(path.parent,))
    )
    with KernelPool([execution], Secrets(), 1) as kernels:
        execute(execution, given, NotebookLimits(timeout, output_mb), kernels, Secrets().scrubbed)
    return execution.executed


def test_it_runs_in_this_python_beside_its_notebook_with_parameters_and_environment(tmp_path: Path) -> None:
    cells = ["import os, sys, json\nprint(json.dumps([sys.executable, os.getcwd(), os.environ['KIT_RUN_FILE'], horizon]))"]
    executed = json.loads(run(write_notebook(tmp_path, cells), horizon=7).read_text())
    (text,) = (output["text"] for cell in executed["cells"] for output in cell.get("outputs", ()))
    import sys

    assert json.loads("".join(text)) == [sys.executable, str(tmp_path), str(tmp_path / "run/plan.run.json"), 7]


def test_braces_in_a_path_are_nothing_special(tmp_path: Path) -> None:
    folder = tmp_path / "{name} it's"
    folder.mkdir()
    assert run(write_notebook(folder, ["1 + 1"])).is_file()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["x = 1", "x / 0"], "cell 3 failed: ZeroDivisionError: division by zero"),
        (["import sys; sys.exit(0)", "x = 1"], "stopped before its end, 1 cells were not run; do not call exit() in it"),
        (["import sys; sys.exit(3)"], "cell 2 failed: SystemExit: 3"),
        (["exit()", "x = 1"], "cell 2 ended the kernel: exit code 0, as exit(), quit() and os._exit() give it; take them out"),
        (["x = 1", "import os; os._exit(4)"], "cell 3 ended the kernel: exit code 4, as "),
        (
            ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)"],
            "cell 2 ended the kernel: killed (SIGKILL), as it is when memory runs out",
        ),
        (["import os, signal; os.kill(os.getpid(), signal.SIGTERM)"], "cell 2 ended the kernel: killed (SIGTERM)"),
        (
            ["import ctypes; ctypes.string_at(0)"],
            "cell 2 ended the kernel: crashed (SIGSEGV), by an error in native code, such as that of a compiled library",
        ),
        (
            ["import time; time.sleep(600)"],
            "a cell ran longer than 3 s and was stopped; raise cell_timeout_seconds in [tool.kit] if it needs more",
        ),
        (["x = ("], "cell 2 failed: SyntaxError: "),
    ],
    ids=[
        "raises",
        "exits",
        "exits with a code",
        "exits by IPython",
        "leaves",
        "is killed",
        "is ended",
        "crashes",
        "hangs",
        "no Python",
    ],
)
def test_a_notebook_that_fails_is_told_apart_and_its_copy_is_kept(tmp_path: Path, cells: list[str], says: str) -> None:
    path = write_notebook(tmp_path, cells)
    with pytest.raises(NotebookError) as error:
        run(path, timeout=3)
    assert str(error.value).startswith(f"{path}: {says}")
    assert (tmp_path / "run/notebooks/plan.ipynb").is_file()


def test_output_beyond_the_limit_is_cut(tmp_path: Path) -> None:
    executed = run(write_notebook(tmp_path, ["for _ in range(50): print('x' * 100_000)", "print('after')"]))
    assert executed.stat().st_size < 1_500_000
    assert "Output beyond the limit was cut." in executed.read_text()


def test_an_error_after_cut_output_is_still_told(tmp_path: Path) -> None:
    path = write_notebook(tmp_path, ["for _ in range(50): print('x' * 100_000)", "raise ValueError('do not publish')"])
    with pytest.raises(NotebookError) as error:
        run(path)
    assert str(error.value) == f"{path}: cell 3 failed: ValueError: do not publish"


def test_no_kernel_is_left_behind(tmp_path: Path) -> None:
    import psutil

    path = write_notebook(tmp_path, ["import time; time.sleep(600)"])
    with pytest.raises(NotebookError):
        run(path, timeout=1)
    children = psutil.Process(os.getpid()).children(recursive=True)
    assert [child.cmdline() for child in children if "kernel_program.py" in " ".join(child.cmdline())] == []


def test_processes_in_sessions_of_their_own_end_with_the_notebook(tmp_path: Path) -> None:
    import psutil

    start = (
        "import subprocess\np = subprocess.Popen(['setsid', 'sh', '-c', 'sleep 600 & echo $!'], stdout=subprocess.PIPE, env={})"
    )
    executed = json.loads(run(write_notebook(tmp_path, [start, "print(int(p.stdout.readline()))"])).read_text())
    (text,) = (output["text"] for cell in executed["cells"] for output in cell.get("outputs", ()))
    assert not psutil.pid_exists(int("".join(text)))


@pytest.mark.parametrize("text", ['{"cells": [', "[" * 100_000])
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, text: str) -> None:
    path = write_notebook(tmp_path, [])
    path.write_text(text)
    with pytest.raises(NotebookError) as error:
        run(path)
    assert str(error.value).startswith(f"{path}: not a valid notebook: ")


def test_the_log_of_a_kernel_is_cut(tmp_path: Path) -> None:
    cell = "import os\nfor _ in range(50): os.write(2, b'x' * 100_000 + b'\\n')\nNone"
    log = run(write_notebook(tmp_path, [cell])).with_suffix(".log")
    assert log.stat().st_size < 1_001_000
    assert log.read_text().endswith("xOutput beyond the limit was cut.\n")
