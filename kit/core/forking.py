"""Processes forked from this one: signalled when it ends, and ended as an interpreter ends."""

import atexit
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_SET_PARENT_DEATH_SIGNAL = 1
_NOT_WRITTEN = 120
"""The exit code of an interpreter that could not write what its streams held."""


def signal_with_parent(number: signal.Signals) -> None:
    """Let Linux send this process a signal when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, number)


def end_process(function: Callable[[], object]) -> NoReturn:
    """Call a function and end this process as an interpreter does whose program it is, exit functions included."""
    code = 0
    try:
        function()
    except SystemExit as request:
        code = _code(request.code)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        code = -signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    with suppress(Exception):  # it has printed what a function raised
        atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or _NOT_WRITTEN
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _code(requested: object) -> int:
    if requested is None or isinstance(requested, int):
        return (requested or 0) & 0xFF
    sys.stderr.write(f"{requested}\n")
    return 1
