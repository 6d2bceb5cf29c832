"""Kernels for the notebooks of one build, each started before its notebook is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.notebooks.kernel import Kernel


@dataclass(frozen=True)
class NotebookRun:
    """One execution of a notebook: where its executed copy goes, and what its kernel's environment has besides ours."""

    notebook: Path
    executed: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where its kernel writes what is no output of a cell."""
        return self.executed.with_suffix(".log")


class KernelPool:
    """A kernel for each execution, in their order; while one is used, the next one starts.

    None serves twice. One that nobody came for is ended with the block.
    """

    def __init__(self, sheets: Sequence[NotebookRun]) -> None:
        self._coming = list(sheets)
        self._ready: Kernel | None = None

    def __enter__(self) -> "KernelPool":
        self._start()
        if self._ready:
            from kit.notebooks import papermill_engine  # its libraries load while the kernel starts

            papermill_engine.register()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._ready:
            self._ready.close()

    def take(self) -> "Kernel":
        """The kernel of the next execution; from now on it is the caller's to close."""
        taken = self._ready
        assert taken is not None, "more executions than were announced"
        self._start()
        return taken

    def _start(self) -> None:
        self._ready = None
        if self._coming:
            from kit.notebooks.kernel import Kernel

            sheet = self._coming.pop(0)
            self._ready = Kernel(sheet.notebook.parent, sheet.environment, sheet.log)
