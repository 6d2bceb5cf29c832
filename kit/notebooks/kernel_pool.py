"""Kernels for the notebooks of one build, each started ahead of its notebook."""

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from kit.core import Secrets, need_resources
from kit.notebooks.notebook_run import NotebookRun

if TYPE_CHECKING:
    from kit.notebooks.kernel import Kernel


class KernelPool:
    """A kernel for each execution, in the order of `runs`; while one is in use, the next one starts.

    No kernel serves twice. A kernel that was not taken ends with the block. The log of each has no `secrets` and at most
    `log_mb` megabytes; its environment has none of the variables `keys`, which are those of language models.
    """

    def __init__(self, runs: Sequence[NotebookRun], secrets: Secrets, log_mb: int, keys: Collection[str] = ()) -> None:
        self._keys = keys
        self._secrets = secrets
        self._log_limit = log_mb * 1_000_000
        self._waiting = list(runs)
        self._ready: Kernel | None = None

    def __enter__(self) -> "KernelPool":
        need_resources()
        self._start()
        if self._ready:
            from kit.notebooks import papermill_engine  # its libraries load while the kernel starts

            papermill_engine.register()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._ready:
            self._ready.close()

    def take(self) -> "Kernel":
        """The kernel of the next execution; the caller closes it."""
        taken = self._ready
        assert taken is not None, "more executions than were announced"
        self._start()
        return taken

    def _start(self) -> None:
        self._ready = None
        if self._waiting:
            from kit.notebooks.kernel import Kernel

            run = self._waiting.pop(0)
            run.prepare()
            self._ready = Kernel(
                run.notebook.parent,
                run.environment,
                run.log,
                run.all_places,
                self._secrets,
                self._log_limit,
                run.ask,
                self._keys,
            )
