"""The papermill engine of the kit: one private kernel per notebook, of this very Python, with capped output."""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Integer
from traitlets.config import Config

ENGINE = "kit"

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def register() -> None:
    """Let papermill know the engine by the name `ENGINE`."""
    papermill_engines.register(ENGINE, _Engine)


class _SpecManager(KernelSpecManager):  # type: ignore[misc]
    """Gives every kernel this process's own Python, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class _KernelManager(AsyncKernelManager):  # type: ignore[misc]
    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return _SpecManager()


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Keeps at most `room` bytes of output, so that a chatty cell does not fill memory and disk."""

    room = Integer(0)
    kernel_manager_class = _KernelManager

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
        cell_timeout: int,
        output_limit: int,
        environment: dict[str, str],
        folder: str,
        log: str,
        start_timeout: int,
        **_: Any,
    ) -> Any:
        # The address of a socket holds about 100 characters.
        short = None if len(tempfile.gettempdir()) < 60 else "/tmp"  # noqa: S108
        with tempfile.TemporaryDirectory(prefix="kit-", dir=short) as sockets, Path(log).open("wb") as kernel_log:
            # Sockets in a private folder: nothing listens on the network, and no other user reaches the kernel.
            transport = {"transport": "ipc", "connection_file": f"{sockets}/kernel.json"}
            client = _Client(
                nb_man,
                config=Config(KernelManager=transport),
                kernel_name=kernel_name,
                timeout=cell_timeout,
                startup_timeout=start_timeout,
                store_widget_state=False,
                room=output_limit,
                resources={"metadata": {"path": folder}},
                # What the notebook makes is on disk by then; waiting for a graceful end can take seconds.
                shutdown_kernel="immediate",
                log=_quiet,
            )
            variables = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1", **environment}
            return client.execute(env=variables, stdout=kernel_log, stderr=kernel_log)
