"""Processes to be killed: forked from one that has imported what a build imports, so that each starts at once."""

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


def forked(what: Callable[..., object], *arguments: Any, seconds: float = 120) -> int:
    """Call a function of a test module in a process of its own; gives the exit code, negative for the signal that ended it.

    What the test has set in its environment since the first such call is not seen there.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    process = context.Process(target=what, args=arguments)
    process.start()
    process.join(seconds)
    assert process.exitcode is not None, f"not over after {seconds} seconds"
    return process.exitcode


def build_until(root: Path, product: str, point: str) -> None:
    """Build a product of the mesh at `root` as if for the first time, and kill this process as soon as it gets to `point`."""
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
