"""A program that runs a command and ends with all processes of it: `python guard.py PARENT COMMAND…`, see `guarded`.

No process of the command outlives the command, this program or PARENT, the process that started it, whatever session it has
moved to: on Linux its orphans become children of this program. Elsewhere this program ends the command's process group, and
looks once a second whether PARENT lives.

SIGINT, SIGTERM and SIGHUP are passed on to the command, SIGUSR1 ends it at once. The exit code or signal is the command's.
It imports little, so that it starts in a few milliseconds.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END = signal.SIGUSR1
_PARENT_DIED = signal.SIGUSR2
_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _SET_CHILD_SUBREAPER = 1, 4, 36
_POLL_SECONDS = 1
_KILL_SECONDS = 10


def main() -> None:
    """Run the command of the command line until it ends, or has to; exit as it did."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    wakeup = _signals()
    if sys.platform == "linux":
        for option, value in ((_SET_CHILD_SUBREAPER, 1), (_SET_PARENT_DEATH_SIGNAL, _PARENT_DIED)):
            ctypes.CDLL(None).prctl(option, value)
    child = _start(command)
    code = os.waitstatus_to_exitcode(_end_all(child, _wait(child, parent, wakeup)))
    if code >= 0:
        sys.exit(code)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0)  # the command has left its core file
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)


def _start(command: list[str]) -> int:
    """Start the command in a session of its own, with the descriptors that were to be inherited; returns its id."""
    if child := os.fork():
        return child
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)  # somebody may kill this program alone
        os.setsid()
        os.execvp(command[0], command)  # noqa: S606  no shell is wanted
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(127)


def _signals() -> int:
    """Take all signals of interest; returns the descriptor from which their numbers are read."""
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    for number in (*_PASSED_ON, _END, _PARENT_DIED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    return receiver


def _wait(child: int, parent: int, wakeup: int) -> int | None:
    """Return the status of the command when it has ended; None when it is to be ended."""
    while os.getppid() == parent:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == child:
                return found[1]
        ready, _, _ = select.select([wakeup], [], [], _POLL_SECONDS)
        for number in os.read(wakeup, 64) if ready else b"":
            if number == _END:
                return None
            if number in _PASSED_ON:
                os.kill(child, number)
    return None


def _end_all(child: int, status: int | None) -> int:
    """Kill every process of the command, those too that become children of this one meanwhile; returns its status."""
    deadline = time.monotonic() + _KILL_SECONDS  # one of another user, or that waits for a disk, cannot be killed
    while time.monotonic() < deadline:
        for process in _descendants() if sys.platform == "linux" else [-child]:
            with contextlib.suppress(OSError):  # it has just ended
                os.kill(process, signal.SIGKILL)
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                status = found[1] if found[0] == child else status
        except ChildProcessError:  # there are no more
            break
        time.sleep(0.002)
    return signal.SIGKILL if status is None else status


def _descendants() -> set[int]:
    """The processes below this one."""
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):  # it has just ended
            continue
    found, added = set[int](), {os.getpid()}
    while added:
        added = {process for process, parent in parents.items() if parent in added}
        found |= added
    return found


if __name__ == "__main__":
    main()
