"""`kit run` handed over to the worker of its environment, which forks a process for it; without one it is executed here.

Imports little: all else takes longer than what is left to do.
"""

import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kit.orchestration import caller, worker_place

NO_WORKER = "--no-worker"
WORKER = "KIT_WORKER"
"""Environment variable that switches the worker off, and names it to nothing else."""

OFF = ("off", "false", "no", "0")
GO = b"go"
TOKEN_BYTES = 32
_STATUS = struct.Struct("=i")
_SIZE = struct.Struct("=I")
_ANSWER_SECONDS = 5
_FORWARDED = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP,
)  # fmt: skip


def wanted() -> bool:
    """Whether commands of this process may use the worker and start it."""
    setting, ci = os.environ.get(WORKER, "").lower(), os.environ.get("CI", "").lower()
    return sys.platform == "linux" and setting not in OFF and ci in ("", *OFF)


def hand_over(program: str) -> None:
    """Let the worker execute this command and exit as it did; return where no worker can.

    `program` names the function `MODULE:NAME` that the worker calls for it.
    """
    if sys.argv[1:2] != ["run"] or NO_WORKER in sys.argv or not wanted():
        return
    with suppress(OSError, ValueError), _blocked_signals() as blocked:
        numbers = caller.descriptors()
        if numbers is None:
            return
        with connected() as connection:
            try:
                state = caller.state(program, numbers[:-1], blocked)
                socket.send_fds(connection, [_SIZE.pack(len(state))], numbers)
                connection.sendall(state)
            finally:
                os.close(numbers[-1])
            (process,) = _SIZE.unpack(receive(connection, _SIZE.size))
            child = os.pidfd_open(process)
            connection.sendall(GO)
            # From here on the child executes the command, and nobody else may.
            try:
                _forward_signals(child, blocked)
                _hide_key()
                connection.settimeout(None)
                status = _STATUS.unpack(receive(connection, _STATUS.size))[0]
            except (OSError, ValueError):
                _exit_without_worker(child)
            _exit_as(status)


@contextmanager
def connected() -> Iterator[socket.socket]:
    """Connect to the worker of this environment, as one that may; raises `OSError` or `ValueError` where none answers."""
    place = worker_place.folder()
    if place is None:
        raise FileNotFoundError("workers have no folder")
    key = worker_place.key()
    with open(os.path.join(place, key), "rb") as file:
        token = file.read()
    if len(token) != TOKEN_BYTES:
        raise ValueError("it is being written")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        with in_folder(place) as short:
            connection.connect(f"{short}/{key}.socket")
        if peer(connection)[1] != os.geteuid():
            raise PermissionError("the worker belongs to another user")
        connection.sendall(token)
        yield connection


@contextmanager
def in_folder(place: str) -> Iterator[str]:
    """Yield a name of a folder that is short: the address of a socket has room for 107 bytes."""
    folder = os.open(place, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}"
    finally:
        os.close(folder)


def peer(connection: socket.socket) -> tuple[int, int, int]:
    """Return the process, user and group at the other end of a connection."""
    found: tuple[int, int, int] = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return found


def receive(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes; raises `ValueError` when the connection ends before."""
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ValueError("the connection has ended")
        parts += part
    return bytes(parts)


def receive_state(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Return the state and the files that `hand_over` sends; raises `OSError` or `ValueError` when they do not arrive."""
    header, files, flags, _ = socket.recv_fds(connection, _SIZE.size, 1 << 8, socket.MSG_CMSG_CLOEXEC)
    if len(header) < _SIZE.size or flags & socket.MSG_CTRUNC:
        raise ValueError("files are missing")
    return receive(connection, *_SIZE.unpack(header)), files


def begin(connection: socket.socket) -> bool:
    """Offer this process to the client, and return whether it is to execute the command."""
    connection.sendall(_SIZE.pack(os.getpid()))
    return receive(connection, len(GO)) == GO


def end(connection: socket.socket, status: int) -> None:
    """Send the client the status with which the process of its command ended, as `os.waitpid` returned it."""
    with suppress(OSError):
        connection.sendall(_STATUS.pack(status))


@contextmanager
def _blocked_signals() -> Iterator[list[int]]:
    """Keep signals waiting until it is known which process they are for; yields those that were blocked before."""
    before = list(signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED))
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forward_signals(child: int, blocked: list[int]) -> None:
    """Send the signals of this process to the child that executes its command; stop and continue with it."""

    def forward(number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            if number != signal.SIGTSTP:
                signal.pidfd_send_signal(child, number)
                return
            signal.pidfd_send_signal(child, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            signal.pidfd_send_signal(child, signal.SIGCONT)

    for number in _FORWARDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _hide_key() -> None:
    """Erase the key for masking from what the system shows of this process; the child does the same with its own."""
    if "KIT_MASK_KEY" in os.environ:
        from kit.core import erase_mask_key

        erase_mask_key()


def _exit_without_worker(child: int) -> None:
    """End after the child, which the system ends with its worker."""
    import select

    select.select([child], [], [])
    sys.stderr.write("error: the worker process was ended, and this run with it; run again, or with --no-worker\n")
    sys.stderr.flush()
    os._exit(1)


def _exit_as(status: int) -> None:
    """End this process as the child ended."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        os._exit(code)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the child has left its core file
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    signal.pause()
