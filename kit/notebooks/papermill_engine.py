"""The papermill engine of the kit: runs a notebook in a kernel that has been started, and limits its output."""

import json
import logging
from collections.abc import Callable
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Integer

from kit.core import Secrets
from kit.notebooks.kernel import Kernel

ENGINE = "kit"

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def register() -> None:
    """Register the engine with papermill under the name `ENGINE`."""
    papermill_engines.register(ENGINE, _Engine)


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Keeps at most `remaining` bytes of output, so that a cell cannot fill memory and disk."""

    remaining = Integer(0)

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
            log=_quiet,
        )
        return client.execute(cleanup_kc=True)


def _scrubbed_save(nb_man: Any, secrets: Secrets) -> Callable[..., None]:
    """Return a `save` for papermill, which calls it after each cell, that removes secrets from outputs."""
    save = nb_man.save

    def scrub_and_save(**options: Any) -> None:
        for cell in nb_man.nb.cells:
            if cell.get("outputs"):
                cell.outputs[:] = secrets.scrubbed(list(cell.outputs))
        save(**options)

    return scrub_and_save
