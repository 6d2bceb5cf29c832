import os
import sys
from pathlib import Path

import psutil
import pytest

from kit.core import Places, Secrets
from kit.core.mask_key import MASK_KEY
from kit.core.processes import guarded
from kit.notebooks import kernel_program
from kit.notebooks.kernel import Kernel


def kernels() -> list[psutil.Process]:
    children = psutil.Process(os.getpid()).children()
    return [child for child in children if "kernel_program.py" in " ".join(child.cmdline())]


def test_a_kernel_is_a_private_process_of_this_python_until_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MASK_KEY, "secret of the mesh")
    monkeypatch.setenv("INHERITED", "from here")
    log = tmp_path / "logs/forecast.log"
    kernel = Kernel(tmp_path, {"KIT_RUN_FILE": "forecast.run.json"}, log, Places(), Secrets(), 1000)
    (process,) = kernels()
    environment = process.environ()
    assert (process.cmdline()[0], process.cwd()) == (sys.executable, str(tmp_path))
    assert (environment["INHERITED"], environment["KIT_RUN_FILE"]) == ("from here", "forecast.run.json")
    assert MASK_KEY not in environment
    assert log.is_file()
    assert kernel.manager.transport == "ipc"
    sockets = Path(kernel.manager.connection_file).parent
    assert sockets.stat().st_mode & 0o077 == 0
    kernel.close()
    assert kernels() == []
    assert not sockets.exists()
    kernel.close()  # again, as after a failure


def test_a_kernel_does_not_depend_on_the_kernels_that_a_user_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    kernel = Kernel(tmp_path, {}, tmp_path / "kernel.log", Places(), Secrets(), 1000)
    try:
        spec = kernel.manager.kernel_spec_manager.get_kernel_spec("julia")
        started = spec.argv[len([*guarded([]), *kernel.manager.prefix]) :]
        assert (started[:2], spec.language) == ([sys.executable, kernel_program.__file__], "python")
    finally:
        kernel.close()
