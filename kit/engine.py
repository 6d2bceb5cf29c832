"""The papermill engine of the kit: runs a notebook in a kernel that is there already, and caps its output."""

import json
import logging
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Integer

from kit.kernel import Kernel

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
        cell_timeout: int,
        output_limit: int,
        start_timeout: int,
        **_: Any,
    ) -> Any:
        client = _Client(
            nb_man,
            km=kernel.manager,
            kernel_name=kernel_name,
            timeout=cell_timeout,
            startup_timeout=start_timeout,
            store_widget_state=False,
            room=output_limit,
            shutdown_kernel="immediate",
            log=_quiet,
        )
        return client.execute(cleanup_kc=True)
