"""Pieces of work that wait for each other: they end only when they are done at the same time."""

import time
from collections.abc import Collection
from pathlib import Path

from tests.support.limits import HANG


def meet(folder: Path, name: str, names: Collection[str]) -> None:
    """Wait in a process until all the others have come, too; raises `TimeoutError` when one stays away."""
    (folder / f"here-{name}").touch()
    until = time.monotonic() + HANG
    while not all((folder / f"here-{other}").exists() for other in names):
        if time.monotonic() > until:
            raise TimeoutError(f"{name} is alone")
        time.sleep(0.01)
