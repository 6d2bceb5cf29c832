"""Processes for tests that kill them, forked from one with the imports of a build, so that each starts quickly."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

_IMPORTED = [
    "dbt.cli.main",
    "dbt.adapters.duckdb.connections",
    "great_expectations",
    "polars",
    "pytest",
    "kit.build.build",
    "kit.notebooks.kernel",
]


def forked(function: Callable[..., object], *arguments: Any, seconds: float = 120) -> int:
    """Call a function in a process of its own and return the exit code, negative for the signal that ended it.

    The process has the environment variables of the first such call.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    process = context.Process(target=function, args=arguments)
    process.start()
    process.join(seconds)
    assert process.exitcode is not None, f"not over after {seconds} seconds"
    return process.exitcode


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
