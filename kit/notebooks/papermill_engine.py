"""The papermill engine of the kit: runs a notebook in a kernel that has been started, and limits its output."""

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Integer

from kit.core import CUT, SignalHandlers
from kit.notebooks.kernel import Kernel

ENGINE = "kit"

_ERROR = 10_000  # characters of the message of an error, and of each entry of its traceback
_TRACEBACK = 100  # entries

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def register() -> None:
    """Register the engine with papermill under the name `ENGINE`."""
    papermill_engines.register(ENGINE, _Engine)


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Keeps at most `remaining` bytes of output, so that a cell cannot fill memory and disk; leaves signals to the build.

    The texts that a cell prints are one output for each stream. nbclient could join them too, but by a regular expression whose
    time grows with the square of the length of a line: 200 kB in one line take a minute, outside of every limit of time.
    """

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

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        try:
            return super().execute_cell(cell, cell_index, **options)
        finally:
            if cell.get("outputs"):
                cell.outputs[:] = _joined(cell.outputs)

    def output(self, outs: list[Any], msg: Any, display_id: str, cell_index: int) -> Any:
        if msg["msg_type"] == "error":  # the reason of a failure is kept, whatever came before
            return super().output(outs, {**msg, "content": _shortened(msg["content"])}, display_id, cell_index)
        if self.remaining < 0:
            return None
        self.remaining -= len(json.dumps(msg["content"], default=str))
        if self.remaining < 0:
            content = {"name": "stderr", "text": CUT}
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
        scrub: Callable[[Any], Any],
        cell_timeout: int,
        output_limit: int,
        start_timeout: int,
        **_: Any,
    ) -> Any:
        nb_man.save = _scrubbed_save(nb_man, scrub)
        client = _Client(
            nb_man,
            km=kernel.manager,
            kernel_name=kernel_name,
            timeout=cell_timeout,
            iopub_timeout=cell_timeout,  # by default 4 s, in which a busy machine may not read all output of a cell
            startup_timeout=start_timeout,
            store_widget_state=False,
            remaining=output_limit,
            shutdown_kernel="immediate",
            on_cell_executed=_ended_by_exit(kernel),
            log=_quiet,
        )
        return client.execute(cleanup_kc=True)


def _joined(outputs: list[Any]) -> list[Any]:
    """Return the outputs with one text for each stream, at the place of its first part, standard output before errors."""
    texts: dict[str, list[str]] = {}
    joined: list[Any] = []
    for output in outputs:
        if output["output_type"] != "stream":
            joined.append(output)
        elif output["name"] in texts:
            texts[output["name"]].append(output["text"])
        else:
            texts[output["name"]] = [output["text"]]
            joined.append(output)
    for output in joined:
        if output["output_type"] == "stream":
            output["text"] = _overwritten("".join(texts[output["name"]]))
    names = [output.get("name") for output in joined]
    for place in range(len(names) - 1):
        if names[place : place + 2] == ["stderr", "stdout"]:
            joined[place : place + 2] = joined[place + 1], joined[place]
    return joined


def _overwritten(text: str) -> str:
    """Return a text without the parts of its lines that a carriage return overwrites, as progress bars do."""
    return text if "\r" not in text else "\n".join(map(_last_version, text.split("\n")))


def _last_version(line: str) -> str:
    shown = line.rstrip("\r")
    return shown.rpartition("\r")[2] + line[len(shown) :]


def _shortened(error: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an error, whose message and lines of traceback have at most `_ERROR` characters each."""
    lines = [_cut(line) for line in error["traceback"][-_TRACEBACK:]]
    return {**error, "evalue": _cut(error["evalue"]), "traceback": lines}


def _cut(text: str) -> str:
    return text if len(text) <= _ERROR else f"{text[:_ERROR]} … ({len(text) - _ERROR:,} more characters were cut)"


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


def _scrubbed_save(nb_man: Any, scrub: Callable[[Any], Any]) -> Callable[..., None]:
    """Return a `save` for papermill, which calls it before and after each cell, that keeps outputs as `scrub` returns them."""
    save = nb_man.save
    scrubbed: dict[int, list[Any]] = {}

    def scrub_and_save(**options: Any) -> None:
        for position, cell in enumerate(nb_man.nb.cells):
            if cell.get("outputs") and scrubbed.get(position) != cell.outputs:
                cell.outputs[:] = scrub(list(cell.outputs))
                scrubbed[position] = deepcopy(list(cell.outputs))
        save(**options)

    return scrub_and_save
