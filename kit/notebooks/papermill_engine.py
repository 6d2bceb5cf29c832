"""The papermill engine of the kit: runs a notebook in a kernel that is there already, and caps its output."""

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
    """Let papermill know the engine by the name `ENGINE`."""
    papermill_engines.register(ENGINE, _Engine)


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Keeps at most `room` bytes of output, so that a chatty cell does not fill memory and disk."""

    room = Integer(0)

    def output(self, outs: list[Any], msg: Any, display_id: str, cell_index: int) -> Any:
        if msg["msg_type"] == "error":  # it says why the notebook failed, so it is never cut
            return super().output(outs, msg, display_id, cell_index)
        if self.room < 0:
            return None
        self.room -= len(json.dumps(msg["content"], default=str))
        if self.room < 0:
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
        nb_man.save = _discreetly(nb_man, secrets)
        client = _Client(
            nb_man,
            km=kernel.manager,
            kernel_name=kernel_name,
            timeout=cell_timeout,
            startup_timeout=start_timeout,
            store_widget_state=False,
            room=output_limit,
            coalesce_streams=True,  # so that a text stands in one piece, however it was printed
            shutdown_kernel="immediate",
            log=_quiet,
        )
        return client.execute(cleanup_kc=True)


def _discreetly(nb_man: Any, secrets: Secrets) -> Callable[..., None]:
    """How papermill saves a notebook, which it does after each cell: without the secrets that outputs show."""
    save = nb_man.save

    def saving(**options: Any) -> None:
        for cell in nb_man.nb.cells:
            if cell.get("outputs"):
                cell.outputs[:] = secrets.scrubbed(list(cell.outputs))
        save(**options)

    return saving
