"""The papermill engine of the kit: runs a notebook in a kernel that has been started, and limits its output."""

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Callable
from typing import Any

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Integer

from kit.core import Secrets, SignalHandlers
from kit.notebooks.kernel import Kernel

ENGINE = "kit"

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def register() -> None:
    """Register the engine with papermill under the name `ENGINE`."""
    papermill_engines.register(ENGINE, _Engine)


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Keeps at most `remaining` bytes of output, so that a cell cannot fill memory and disk; leaves signals to the build."""

    remaining = Integer(0)

    def execute(self, **options: Any) -> Any:
        self.handlers = SignalHandlers()
        try:
            return super().execute(**options)
        except KeyboardInterrupt:
            _cancel_tasks()
            raise

    async def async_start_new_kernel_client(self, **options: Any) -> Any:
        # nbclient has just replaced the handlers: by its own, a signal ends the kernel, but not the build.
        loop = asyncio.get_running_loop()
        with contextlib.suppress(RuntimeError):  # outside of the main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        self.handlers.restore()
        return await super().async_start_new_kernel_client(**options)

    def output(self, outs: list[Any], msg: Any, display_id: str, cell_index: int) -> Any:
        if msg["msg_type"] == "error":  # the reason of a failure is never cut
            return super().output(outs, msg, display_id, cell_index)
        if self.remaining < 0:
            return None
        self.remaining -= len(json.dumps(msg["content"], default=str))
        if self.remaining < 0:
            content = {"name": "stderr", "text": "Output beyond the limit was cut.\n"}
            msg = {**msg, "msg_type": "stream", "header": {**msg["header"], "msg_type": "stream"}, "content": content}
        return super().output(outs, msg, display_id, cell_index)


class _Engine(NBClientEngine):  # type: ignore[misc]
    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        kernel: Kernel,
        secrets: Secrets,
        cell_timeout: int,
        output_limit: int,
        start_timeout: int,
        **_: Any,
    ) -> Any:
        nb_man.save = _scrubbed_save(nb_man, secrets)
        client = _Client(
            nb_man,
            km=kernel.manager,
            kernel_name=kernel_name,
            timeout=cell_timeout,
            startup_timeout=start_timeout,
            store_widget_state=False,
            remaining=output_limit,
            coalesce_streams=True,  # so that a text is one output, however it was printed
            shutdown_kernel="immediate",
            on_cell_executed=_ended_by_exit(kernel),
            log=_quiet,
        )
        return client.execute(cleanup_kc=True)


def _ended_by_exit(kernel: Kernel) -> Callable[..., None]:
    """Return a hook of nbclient for IPython's `exit()`: its kernel goes on for a moment, in which more cells may run."""

    def check(execute_reply: Any, **_: Any) -> None:
        if any(item.get("source") == "ask_exit" for item in execute_reply["content"].get("payload", ())):
            kernel.manager.ended = 0
            raise DeadKernelError("exit()")

    return check


def _cancel_tasks() -> None:
    """End the tasks that an interrupt left behind in the event loop of this thread, unless they belong to somebody else."""
    loop = ensure_event_loop()
    if loop.is_running():
        return
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _scrubbed_save(nb_man: Any, secrets: Secrets) -> Callable[..., None]:
    """Return a `save` for papermill, which calls it after each cell, that removes secrets from outputs."""
    save = nb_man.save

    def scrub_and_save(**options: Any) -> None:
        for cell in nb_man.nb.cells:
            if cell.get("outputs"):
                cell.outputs[:] = secrets.scrubbed(list(cell.outputs))
        save(**options)

    return scrub_and_save
