"""A private and confined kernel with the Python of this process, for one notebook; it starts in the background."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from traitlets.config import Config

from kit.core import END_AT_ONCE, Places, ScrubbedPipe, Secrets, confinement, guarded
from kit.notebooks import kernel_program
from kit.notebooks.model_channel import CHANNEL, Ask, ModelChannel

_END_SECONDS = 15


class Kernel:
    """One kernel process, started with this object; `close` ends it and all processes it has started, at any time.

    It works in `folder`, with the environment of this process and `environment`, and opens the files of `places` only. Its
    standard output goes to the file `log` without `secrets`, at most `log_limit` bytes. `ask` asks language models for it,
    whose `keys` are not in its environment.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], log: Path, places: Places, secrets: Secrets, log_limit: int,
        ask: Ask | None = None, keys: Collection[str] = (),
    ) -> None:  # fmt: skip
        # The address of a socket has at most about 100 characters.
        short = None if len(tempfile.gettempdir()) < 60 else "/tmp"  # noqa: S108
        self._temp = tempfile.TemporaryDirectory(prefix="kit-", dir=short, ignore_cleanup_errors=True)
        # Sockets in a private folder: nothing listens on the network, and no other user reaches the kernel.
        transport = {"transport": "ipc", "connection_file": f"{self._temp.name}/kernel.json"}
        self.manager = _Manager(config=Config(KernelManager=transport))
        temp = Path(self._temp.name)
        variables = confinement.environment(temp, {"PYDEVD_DISABLE_FILE_VALIDATION": "1", **environment})
        variables = {name: value for name, value in variables.items() if name not in (CHANNEL, *keys)}
        self._channel = ModelChannel(ask) if ask else None
        if self._channel:
            variables[CHANNEL] = str(self._channel.descriptor)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("wb", buffering=0)
        self._output = ScrubbedPipe(secrets, self._log.write, log_limit)
        with confinement.confined(places, temp) as (prefix, descriptors):
            self.manager.prefix = prefix
            inherited = [*descriptors, *([self._channel.descriptor] if self._channel else ())]
            run_sync(self.manager.start_kernel)(
                cwd=str(folder), env=variables, stdout=self._output, stderr=self._output, pass_fds=inherited
            )
        if self._channel:
            self._channel.started()

    @property
    def ended(self) -> int | None:
        """The exit code with which it ended by itself, negative for a signal; None for a kernel that `close` ended."""
        return self.manager.ended

    def close(self) -> None:
        """End the kernel at once: the table of a notebook is on disk by then, and a graceful end can take seconds."""
        if self.manager.has_kernel:
            run_sync(self.manager.shutdown_kernel)(now=True)
        if self._channel:
            self._channel.close()
        self._output.close()
        self._log.close()
        with contextlib.suppress(OSError):
            self._temp.cleanup()


class _Manager(AsyncKernelManager):  # type: ignore[misc]
    ended: int | None = None
    prefix: list[str]
    """What the command of the kernel begins with."""

    def client(self, **options: Any) -> Any:
        import zmq

        client = super().client(**options)
        client.context.setsockopt(zmq.RCVHWM, kernel_program.WAITING)  # of the sockets that it makes from now on
        return client

    async def _async_kill_kernel(self, restart: bool = False) -> None:
        if self.has_kernel:
            code = await self.provisioner.poll()
            if code is not None:
                self.ended = code
            else:
                self.provisioner.process.send_signal(END_AT_ONCE)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._async_wait(pollinterval=0.01), _END_SECONDS)
        await super()._async_kill_kernel(restart)

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return _Specs(self.prefix)


class _Specs(KernelSpecManager):  # type: ignore[misc]
    """Starts every kernel with the Python of this process, whatever kernels the user has installed."""

    def __init__(self, prefix: list[str]) -> None:
        super().__init__()
        self._prefix = prefix

    def get_kernel_spec(self, kernel_name: str) -> Any:
        argv = [sys.executable, kernel_program.__file__, "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        return KernelSpec(argv=guarded([*self._prefix, *argv]), display_name=kernel_name, language="python")
