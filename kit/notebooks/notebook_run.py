"""One execution of a notebook by a build, and the run file by which the notebook gets its inputs from the build."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core import KitError, NotebookError, Places, read_json, to_json

if TYPE_CHECKING:
    from kit.notebooks.model_channel import Ask

RUN_FILE = "KIT_RUN_FILE"
"""Environment variable a build sets for its notebooks: the path of the run file."""

MADE = "made"
"""The folder, below that of a run, of the tables that notebooks write."""


@dataclass(frozen=True)
class NotebookRun:
    """One execution of the notebook that makes `port`.

    `folder` keeps its run file, its executed copy and the log of its kernel, all called `name`. `kit.output` writes a table
    with the columns of the `contract` (None when there is no contract yet), which is moved to `staged`. `places` are the
    files that the notebook may open besides. `ask` asks language models for it, None where none may be asked.
    """

    notebook: Path
    port: str
    name: str
    folder: Path
    staged: Path
    places: Places
    contract: Path | None = None
    ask: "Ask | None" = field(default=None, compare=False)

    @property
    def executed(self) -> Path:
        """The executed copy."""
        return self.folder / "notebooks" / f"{self.name}.ipynb"

    @property
    def log(self) -> Path:
        """Output of the kernel's process that is not the output of a cell."""
        return self.executed.with_suffix(".log")

    @property
    def table(self) -> Path:
        """The Parquet file that `kit.output` writes, in a folder of its own."""
        return self.folder / MADE / self.name / "table.parquet"

    @property
    def all_places(self) -> Places:
        """The files that the notebook may open."""
        run_file = _run_file(self.executed)
        return replace(self.places, read=(*self.places.read, run_file), write=(*self.places.write, self.table.parent))

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the kernel besides those of this process."""
        return {RUN_FILE: str(_run_file(self.executed))}

    def prepare(self) -> None:
        """Make the files and folders that exist before the kernel is confined to them."""
        self.table.parent.mkdir(parents=True, exist_ok=True)
        _run_file(self.executed).touch()

    def take(self) -> None:
        """Move the table that the notebook wrote to its place; raises `NotebookError` when there is none."""
        # A link would lead to a file that the notebook itself must not read.
        if self.table.is_symlink() or not self.table.is_file():
            raise NotebookError(f'ended without kit.output("{self.port}", frame)', self.notebook)
        self.table.replace(self.staged)
        shutil.rmtree(self.table.parent, ignore_errors=True)

    def write(self, run_id: str, product: str, inputs: Mapping[str, Any]) -> None:
        """Write the run file; `inputs` are version and files of each port that the notebook may read."""
        data = {
            "run_id": run_id, "product": product, "port": self.port, "inputs": inputs, "staged": str(self.table),
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
