"""Processes of their own for tests, forked from one that has imported what a build needs, so that each starts quickly."""

import atexit
import contextlib
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import Any

from tests.support.ending import end_with_parent
from tests.support.limits import HANG

_ROOT = Path(__file__).parents[2]


def run_kit(folder: Path, arguments: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a folder, with these environment variables alone."""
    with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
        code = forked(_kit, folder, arguments, environment, output.name, errors.name, seconds=300)
        return subprocess.CompletedProcess(["kit", *arguments], code, output.read().decode(), errors.read().decode())


def _kit(folder: Path, arguments: list[str], environment: dict[str, str], output: str, errors: str) -> None:
    """Become `python -m kit`; `multiprocessing` ends a process without the functions of `atexit`."""
    end_with_parent()
    threading.Thread(target=_end_with_test, daemon=True).start()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    for number, path in enumerate((output, errors), 1):
        with Path(path).open("ab") as file:
            os.dup2(file.fileno(), number)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)
    sys.path.insert(0, str(folder))
    sys.argv = ["kit", *arguments]
    try:
        runpy.run_module("kit", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()


def _end_with_test() -> None:
    """The parent of this process is the fork server, which lives as long as its children; the test is its grandparent."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    die()


def forked(function: Callable[..., object], *arguments: Any, seconds: float = HANG) -> int:
    """Call a function in a process of its own and return the exit code, negative for the signal that ended it.

    The process has the environment variables of the first such call.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.warm"])
    with contextlib.chdir(_ROOT):  # where it can be imported from
        forkserver.ensure_running()
    process = context.Process(target=function, args=arguments)
    process.start()
    process.join(seconds)
    code = process.exitcode
    if code is None:
        process.kill()
    assert code is not None, f"not over after {seconds} seconds"
    return code


def build_until(root: Path, product: str, point: str) -> None:
    """Build a product of the mesh at `root` with `force`, and kill this process when the build reaches `point`."""
    from kit.build.build import build
    from kit.build.plan import BuildRequest
    from kit.build.progress import Progress
    from kit.core.config import Config
    from kit.mesh.mesh import Mesh

    config = Config.load(root, {})
    progress = Progress(step=lambda name: die() if name == point else None)
    build(config, Mesh.load(config.domains).product(product), BuildRequest(force=True), progress=progress)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
