"""One execution of a notebook by a build, and the run file by which the notebook gets its inputs from the build."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import KitError, read_json, to_json

RUN_FILE = "KIT_RUN_FILE"
"""Environment variable a build sets for its notebooks: the path of the run file."""


@dataclass(frozen=True)
class NotebookRun:
    """One execution of the notebook that makes `port`.

    `folder` keeps its run file, its executed copy and the log of its kernel, all called `name`. `kit.output` writes the
    table to `staged`, with the columns of the `contract`; None when there is no contract yet.
    """

    notebook: Path
    port: str
    name: str
    folder: Path
    staged: Path
    contract: Path | None = None

    @property
    def executed(self) -> Path:
        """The executed copy."""
        return self.folder / "notebooks" / f"{self.name}.ipynb"

    @property
    def log(self) -> Path:
        """Output of the kernel's process that is not the output of a cell."""
        return self.executed.with_suffix(".log")

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the kernel besides those of this process."""
        return {RUN_FILE: str(_run_file(self.executed))}

    def write(self, run_id: str, product: str, inputs: Mapping[str, Any]) -> None:
        """Write the run file; `inputs` are version and files of each port that the notebook may read."""
        data = {
            "run_id": run_id, "product": product, "port": self.port, "inputs": inputs, "staged": str(self.staged),
            "contract": str(self.contract) if self.contract else None,
        }  # fmt: skip
        _run_file(self.executed).write_text(to_json(data), encoding="utf-8")


def current_run() -> dict[str, Any] | None:
    """The run file of the build that this process belongs to; None outside a build."""
    path = os.environ.get(RUN_FILE)
    return read_json(Path(path)) if path else None


def run_of_copy(executed: Path) -> dict[str, Any]:
    """The run file of an executed copy; empty for a notebook that no build ran."""
    try:
        run: dict[str, Any] = read_json(_run_file(executed))
    except KitError:
        return {}
    return run


def _run_file(executed: Path) -> Path:
    return executed.parent.parent / f"{executed.stem}.run.json"
