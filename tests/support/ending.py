"""Processes that a test starts end with it, also when the test run is killed."""

import ctypes
import signal
import sys


def end_with_parent() -> None:
    """Let Linux kill this process when its parent dies; for `preexec_fn`. What the kit starts then ends with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def heed_hangups() -> None:
    """Let this process heed SIGHUP, which it ignores where the tests run below `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
