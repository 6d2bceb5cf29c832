"""Child processes that are watched and ended together, and the servers made of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from kit.core.config import Config
from kit.core.errors import KitError
from kit.core.locks import SingleInstance
from kit.core.mask_key import MASK_KEY

HOST = "127.0.0.1"
"""The address on which every server of the kit listens."""

END_AT_ONCE = signal.SIGUSR1
"""The signal that ends a `guarded` command with all its processes."""

_START_SECONDS = 120
_STOP_SECONDS = 10
_WATCH_SECONDS = 0.3
_LOG_LINES = 12
_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}


def end_by_interrupt() -> None:
    """Raise `KeyboardInterrupt` in this process on SIGTERM and SIGHUP too, from now on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


class Processes:
    """Processes of this Python interpreter in the root of the mesh, each with a log in the folder `logs`.

    Only one that `masks` has the key for masking in its environment.
    """

    def __init__(self, config: Config, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self._root = config.root
        self._environment = {
            **os.environ,
            "KIT_ROOT": str(config.root),
            "KIT_STORAGE": str(config.storage),
            **environment,
        }
        self._environment.pop(MASK_KEY, None)
        self._mask_key = {MASK_KEY: config.mask_key} if config.mask_key else {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def spawn(self, name: str, arguments: Sequence[str], sockets: Sequence[socket.socket] = (), *, masks: bool = False) -> None:
        """Start a process with these arguments of the interpreter, which inherits `sockets`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = self._environment | (self._mask_key if masks else {})
        with (self.logs / f"{name}.log").open("wb") as log:
            # In a session of its own: Ctrl-C reaches this process only, which then ends the others in order.
            self._running[name] = subprocess.Popen(
                guarded([sys.executable, *arguments]), cwd=self._root, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                pass_fds=[socket.fileno() for socket in sockets],
            )  # fmt: skip

    def check(self) -> None:
        """Raise `KitError` with the end of its log if a process has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                lines = log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
                raise KitError(f"the {name} process ended with code {process.returncode}; its log, {log}:\n" + "\n".join(lines))

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a process is ready; raises `KitError` when it ends or is not ready in time."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            if ready():
                return
            time.sleep(0.2)
        raise KitError(f"the {name} process did not answer within {_START_SECONDS} s; its log: {self.logs / name}.log")

    def stop(self, how: signal.Signals = signal.SIGINT, seconds: float = _STOP_SECONDS) -> None:
        """Send a signal to each process, the last started first; end those that still run after so many seconds.

        Their own children (run workers above all) end with them.
        """
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.send_signal(END_AT_ONCE)
            process.wait()


class Server:
    """A server of the mesh at one `address`: its `processes` are started, watched and stopped together.

    Subclasses start the processes in `start`.
    """

    def __init__(self, address: str, processes: Processes) -> None:
        self.address = address
        self.processes = processes

    def start(self) -> None:
        """Start all processes and wait until `address` answers; raises `KitError` when one ends or does not answer."""
        raise NotImplementedError

    @contextmanager
    def running(self, place: SingleInstance) -> Iterator[Self]:
        """Run the server, with its address published in `place`, until the block ends."""
        try:
            self.start()
            place.set_address(self.address)
            yield self
        finally:
            self.stop()

    def watch(self) -> None:
        """Wait for ever; raises `KitError` when a process ends."""
        while True:
            self.processes.check()
            self.maintain()
            time.sleep(_WATCH_SECONDS)

    def maintain(self) -> None:
        """Do the regular work of the server; called several times a second."""

    def stop(self) -> None:
        """End all processes."""
        self.processes.stop()


def guarded(command: Sequence[str]) -> list[str]:
    """Return the command under the guard of a program that leaves none of its processes behind, see `kit.core.guard`.

    The program passes on SIGINT, SIGTERM and SIGHUP; `END_AT_ONCE` ends it with all processes of the command. When this
    process dies, they end too. SIGKILL would end the program alone.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), str(os.getpid()), *command]


def describe_ending(code: int) -> str:
    """Return how a process of domain code ended that was not to end, by its return code."""
    if code >= 0:
        return f"exit code {code}, as exit(), quit() and os._exit() give it; take them out"
    name = signal.Signals(-code).name
    if -code in _CRASHES:
        return f"crashed ({name}), by an error in native code, such as that of a compiled library"
    return f"killed ({name})" + (", as it is when memory runs out" if -code == signal.SIGKILL else "")


def port_socket(wanted: int) -> socket.socket:
    """Return a socket bound to `wanted`, if no process has this port, else to any free port of loopback.

    A server that inherits it listens there and nowhere else: a number alone may be another process's port by then.
    """
    for port in (wanted, 0):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except OSError:
            bound.close()
            continue
        # Otherwise Linux lets others, who reuse addresses too, bind the port until somebody listens there.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        return bound
    raise OSError("no free port on loopback")


def listens(family: socket.AddressFamily, address: Any) -> bool:
    """Whether a process accepts connections at an address."""
    with socket.socket(family) as probe:
        probe.settimeout(5)
        return probe.connect_ex(address) == 0
