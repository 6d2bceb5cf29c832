"""Child processes that are watched together and ended together."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kit.core.config import Config
from kit.core.errors import KitError

HOST = "127.0.0.1"
"""Where whatever the kit starts listens."""

_START_SECONDS = 120
_STOP_SECONDS = 10


def end_by_interrupt() -> None:
    """From now on this process takes being asked to end, in whatever way, as a `KeyboardInterrupt`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


class Processes:
    """Runs of this very Python in the root of the mesh, each with a log in the folder `logs`."""

    def __init__(self, config: Config, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self._root = config.root
        self._environment = {
            **os.environ,
            "KIT_ROOT": str(config.root),
            "KIT_STORAGE": str(config.storage),
            **environment,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def spawn(self, name: str, arguments: Sequence[str]) -> None:
        """Start one by the arguments Python takes."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("wb") as log:
            # A session of its own: Ctrl-C reaches this process only, which then ends the others in order.
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=self._root, env=self._environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip

    def check(self) -> None:
        """Raises `KitError` with what a process said at its end, if one has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                said = log.read_text(errors="replace").strip().splitlines()[-12:]
                raise KitError(f"the {name} process ended with code {process.returncode}; its log, {log}:\n" + "\n".join(said))

    def wait_for(self, name: str, port: int) -> None:
        """Wait until the process listens; raises `KitError` when it does not or ends."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                socket.create_connection((HOST, port), timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise KitError(f"the {name} process did not answer within {_START_SECONDS} s; its log: {self.logs / name}.log")

    def stop(self, how: signal.Signals = signal.SIGINT, seconds: float = _STOP_SECONDS) -> None:
        """Ask each to end, the last started first; those that do not go within so many seconds are killed."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            # What it started in turn (run workers above all) ends with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def end_with_parent() -> None:
    """Ask Linux to end this process when the one that started it is killed, since that can then no longer do so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else any free port of loopback."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on loopback")
