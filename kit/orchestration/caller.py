"""A command as its user started it: arguments, environment, files, limits and signals, for another process to take over.

Imports little, since `kit run` asks for it before anything else.
"""

import contextlib
import fcntl
import io
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

_STREAMS = 3
_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
_MOST = 250  # descriptors that one message can carry


def descriptors() -> list[int] | None:
    """Return the open files that this process was started with, then its working folder; None for too few or too many.

    The caller closes the last one.
    """
    opened = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    inherited = [number for number in opened if _is_inherited(number)]
    if inherited[:_STREAMS] != [0, 1, 2] or len(inherited) > _MOST:
        return None
    return [*inherited, os.open(".", os.O_PATH | os.O_DIRECTORY)]


def state(program: str, numbers: Sequence[int], blocked: Sequence[int]) -> bytes:
    """Return all that a process takes over by `assume`, beside the files of these `numbers`."""
    umask = os.umask(0o077)
    os.umask(umask)
    main = sys.modules["__main__"]
    return json.dumps(
        {
            "program": program,
            "arguments": sys.argv,
            "package": getattr(main, "__package__", None),
            "path": sys.path,
            "bytecode": not sys.dont_write_bytecode,
            "variables": dict(os.environ),
            "numbers": list(numbers),
            "umask": umask,
            "limits": {limit: resource.getrlimit(limit) for limit in _LIMITS},
            "processors": sorted(os.sched_getaffinity(0)),
            "ignored": [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN],
            "blocked": list(blocked),
        }
    ).encode()


def assume(state: bytes, files: Sequence[int]) -> str:
    """Become like the process whose `state` this is, and return the name of its program.

    `files` are its open files and its working folder. Raises `OSError` or `ValueError` for what cannot be taken
    over.
    """
    caller: dict[str, Any] = json.loads(state)
    for limit, pair in caller["limits"].items():
        resource.setrlimit(int(limit), tuple(pair))
    os.sched_setaffinity(0, caller["processors"])
    os.umask(caller["umask"])
    os.fchdir(files[-1])
    os.close(files[-1])
    _take_files(caller["numbers"], files[:-1])
    os.environ.clear()
    os.environ.update(caller["variables"])
    time.tzset()
    sys.argv, sys.path[:] = caller["arguments"], caller["path"]
    sys.dont_write_bytecode = not caller["bytecode"]
    sys.modules["__main__"].__package__ = caller["package"]
    _open_streams()
    _set_signals(set(caller["ignored"]), caller["blocked"])
    return str(caller["program"])


def _is_inherited(number: int) -> bool:
    with contextlib.suppress(OSError):  # that of the list itself
        return os.get_inheritable(number)
    return False


def _take_files(numbers: Sequence[int], files: Sequence[int]) -> None:
    """Give the files the numbers that they had; raises `ValueError` for a number that is in use."""
    for number in numbers[_STREAMS:]:
        if number not in files and os.path.exists(f"/proc/self/fd/{number}"):
            raise ValueError(f"descriptor {number} is in use")
    above = max(*numbers, *files) + 1
    high = [_above(file, above) for file in files]
    for file in files:
        os.close(file)
    for number, file in zip(numbers, high, strict=True):
        os.dup2(file, number)
        os.close(file)


def _above(number: int, least: int) -> int:
    """Return a copy of a descriptor whose number is not below `least`, which programs that are started do not get."""
    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, least)


def _open_streams() -> None:
    """Open the standard streams as the interpreter does, with the encodings that it chose."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        like = getattr(sys, f"__{name}__")
        raw = io.FileIO(number, mode, closefd=False)
        raw.name = f"<{name}>"
        buffer: Any = io.BufferedReader(raw) if mode == "r" else raw if like.write_through else io.BufferedWriter(raw)
        by_line = not like.write_through and (name == "stderr" or os.isatty(number))
        stream = io.TextIOWrapper(buffer, like.encoding, like.errors, "\n", by_line, like.write_through)
        stream.mode = mode  # type: ignore[misc]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _set_signals(ignored: set[int], blocked: Sequence[int]) -> None:
    """Handle signals as an interpreter does that has just started."""
    for number in signal.valid_signals():
        with contextlib.suppress(OSError):  # SIGKILL, SIGSTOP
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, signal.SIG_IGN if number in ignored else usual)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
