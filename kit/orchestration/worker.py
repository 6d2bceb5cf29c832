"""The worker: a process of its user that has imported what builds need, and is forked for every `kit run` of its environment.

It opens no database and knows no mesh. It ends when it is idle, when the kit or its packages change, and with their folder.
"""

import fcntl
import gc
import hmac
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

from kit.core import end_process, holder, signal_with_parent
from kit.orchestration import caller, handover, worker_place

IDLE_MINUTES = 10
_LOOK_SECONDS = 5
_REQUEST_SECONDS = 10
_PROGRAM = "import sys; sys.path[0] = sys.argv[1]; from kit.orchestration import worker; worker.main(*sys.argv[2:])"


def start(idle_minutes: float = IDLE_MINUTES) -> None:
    """Start the worker of this environment in the background, unless it runs or cannot run here."""
    place = worker_place.folder() if handover.wanted() else None
    with suppress(OSError, ValueError):
        if place is None or _process(place, key := worker_place.key()):
            return
        subprocess.Popen(
            [
                sys.executable, *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
                "-c", _PROGRAM, worker_place.ROOT, place, key, str(idle_minutes),
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
            env=worker_place.variables(), start_new_session=True,
        ).wait()  # fmt: skip


def running() -> tuple[int, bool] | None:
    """Return the process of the worker of this environment, and whether it accepts commands yet; None without one."""
    with suppress(OSError, ValueError):
        if (place := worker_place.folder()) and (process := _process(place, key := worker_place.key())):
            return process, os.path.exists(os.path.join(place, key))
    return None


def stop() -> list[int]:
    """End all workers of this user, each after its commands, and return their processes."""
    place = worker_place.folder()
    names = [name.removesuffix(".lock") for name in sorted(os.listdir(place)) if name.endswith(".lock")] if place else []
    processes = [process for name in names if place and (process := _process(place, name))]
    for process in processes:
        with suppress(OSError):
            os.kill(process, signal.SIGTERM)
    return processes


def main(place: str, key: str, idle_minutes: str) -> None:
    """Be the worker with this key until it has to end."""
    lock = open(os.path.join(place, f"{key}.lock"), "a", encoding="utf-8")  # noqa: SIM115  it ends with the process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if process := os.fork():
        lock.truncate(0)
        lock.write(str(process))
        lock.flush()
        os._exit(0)  # the worker is the child of nobody who started it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        _serve(place, key, float(idle_minutes) * 60, lock)
    finally:
        with suppress(OSError):
            os.unlink(lock.name)


def _serve(place: str, key: str, idle_seconds: float, lock: IO[str]) -> None:
    from kit.orchestration.warm import warm_up

    if worker_place.key() == key:
        worker = Worker(place, key, idle_seconds, lock)
        warm_up()
        gc.collect()
        gc.freeze()  # a forked process would copy all that its collector looks at
        worker.serve()


class Worker:
    """Accepts commands on its socket in the folder `place`, and forks a process for each."""

    def __init__(self, place: str, key: str, idle_seconds: float, lock: IO[str]) -> None:
        self._place, self._key, self._idle_seconds, self._lock = place, key, idle_seconds, lock
        self._socket, self._file = os.path.join(place, f"{key}.socket"), os.path.join(place, key)
        self._token = secrets.token_hex(handover.TOKEN_BYTES // 2).encode()
        self._listener = socket.socket(socket.AF_UNIX)
        self._code = worker_place.code()
        self._clients: dict[int, socket.socket] = {}
        self._interrupted: set[int] = set()
        self._used = time.monotonic()
        self._stopping = False

    def serve(self) -> None:
        """Serve until nobody asks any more, this version is out of date, or SIGTERM; commands that run end before."""
        self._wakeup, self._sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._sender, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_stopping", True))
        with suppress(FileNotFoundError):
            os.unlink(self._socket)
        os.umask(0o077)
        with handover.in_folder(self._place) as short:
            self._listener.bind(f"{short}/{self._key}.socket")
        self._listener.listen()
        # Only who may read this file is served: the code of domains may open the socket, but not the file.
        with open(self._file, "wb") as file:
            file.write(self._token)
        try:
            while not self._is_over():
                self._turn()
        finally:
            for path in (self._file, self._socket, self._lock.name):
                with suppress(OSError):
                    os.unlink(path)

    def _is_over(self) -> bool:
        idle = not self._clients and time.monotonic() - self._used > self._idle_seconds
        if idle or not self._is_valid():
            self._stopping = True
        return self._stopping and not self._clients

    def _is_valid(self) -> bool:
        try:
            return worker_place.code() == self._code and os.path.exists(self._socket)
        except OSError:
            return False

    def _turn(self) -> None:
        """Wait for commands, for the end of one, and for clients that leave."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if not self._stopping:
            poll.register(self._listener, select.POLLIN)
        processes = {client.fileno(): process for process, client in self._clients.items() if process not in self._interrupted}
        for descriptor in processes:
            poll.register(descriptor, select.POLLRDHUP)
        for descriptor, _ in poll.poll(_LOOK_SECONDS * 1000):
            if descriptor == self._listener.fileno():
                self._accept()
            elif process := processes.get(descriptor):
                self._interrupted.add(process)
                os.kill(process, signal.SIGTERM)
        with suppress(BlockingIOError):
            os.read(self._wakeup, 64)
        self._reap()

    def _accept(self) -> None:
        with suppress(OSError):  # too many processes or files, no memory: the command goes without
            connection, _ = self._listener.accept()
            if handover.peer(connection)[1] != os.geteuid():
                connection.close()
                return
            gc.disable()
            process = os.fork()
            if not process:
                self._execute(connection)
            self._clients[process] = connection
            self._used = time.monotonic()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if client := self._clients.pop(ended[0], None):
                    handover.end(client, ended[1])
                    client.close()
                    self._used = time.monotonic()
                self._interrupted.discard(ended[0])

    def _execute(self, connection: socket.socket) -> NoReturn:
        """Execute the command of a client in this process, which was forked for it."""
        signal_with_parent(signal.SIGTERM)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (self._wakeup, self._sender, self._lock.fileno()):
            os.close(number)
        for other in (self._listener, *self._clients.values()):
            other.close()
        connection.settimeout(_REQUEST_SECONDS)
        try:
            if not hmac.compare_digest(handover.receive(connection, handover.TOKEN_BYTES), self._token):
                os._exit(1)
            program = caller.assume(*handover.receive_state(connection))
            if not handover.begin(connection):
                os._exit(1)
            connection.close()
        except (OSError, ValueError):
            os._exit(1)
        gc.enable()
        module, _, name = program.partition(":")
        end_process(lambda: getattr(import_module(module), name)())


def _process(place: str, key: str) -> int | None:
    """Return the process that holds the lock of a worker, or None."""
    try:
        with open(os.path.join(place, f"{key}.lock"), encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = holder(Path(place, f"{key}.lock"))
        return int(text) if text.isdigit() else None
    except FileNotFoundError:
        return None
    return None
