import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from kit.core import Places, Secrets
from kit.notebooks.kernel_pool import KernelPool
from kit.notebooks.notebook_run import RUN_FILE, NotebookRun
from tests.support.limits import HANG

KILLED = """
import os, signal, sys
from pathlib import Path
from kit.core import Places, Secrets
from kit.notebooks.kernel_pool import KernelPool
from kit.notebooks.notebook_run import NotebookRun
here = Path(sys.argv[1])
with KernelPool([NotebookRun(here / "a.ipynb", "a", "a", here, here / "a.parquet", Places())], Secrets(), 1):
    print(*(child.pid for child in __import__("psutil").Process().children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def runs(folder: Path, *names: str) -> list[NotebookRun]:
    return [NotebookRun(folder / f"{name}.ipynb", name, name, folder, folder / f"{name}.parquet", Places()) for name in names]


def started() -> list[psutil.Process]:
    found = psutil.Process(os.getpid()).children()
    return [child for child in found if "kernel_program.py" in " ".join(child.cmdline())]


def test_one_kernel_is_ready_ahead_each_serves_once_and_none_is_left(tmp_path: Path) -> None:
    with KernelPool(runs(tmp_path, "a", "b", "c"), Secrets(), 1) as kernels:
        (first,) = started()
        assert (first.environ()[RUN_FILE], first.cwd()) == (str(tmp_path / "a.run.json"), str(tmp_path))
        kernel = kernels.take()
        (second,) = [process for process in started() if process != first]
        assert second.environ()[RUN_FILE] == str(tmp_path / "b.run.json")
        kernel.close()
        assert started() == [second]
        kernels.take().close()
        (third,) = started()
    assert started() == []
    assert len({first.pid, second.pid, third.pid}) == 3


def test_without_notebooks_no_kernel_starts() -> None:
    with KernelPool([], Secrets(), 1):
        assert started() == []


def test_a_kernel_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == -9
    (pid,) = map(int, done.stdout.split())
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.wait_procs([psutil.Process(pid)], timeout=HANG)[1] == []
