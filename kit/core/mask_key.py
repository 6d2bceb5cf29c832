"""The key for masking, out of reach of the code of domains: with it, values could be found from their tokens by trying all."""

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

MASK_KEY = "KIT_MASK_KEY"
"""Environment variable of the key for masking columns; no file contains it."""

_STATE, _ENV_START, _ENV_END = 3, 50, 51  # fields of /proc/self/stat, as `man proc` numbers them
_GET_DUMPABLE, _SET_DUMPABLE = 3, 4
_hidden: list[str] = []


def mask_key(environ: Mapping[str, str] = os.environ) -> str:
    """Return the key of an environment, of this process also while it is hidden; empty when there is none."""
    return environ.get(MASK_KEY, "") or (_hidden[-1] if _hidden and environ is os.environ else "")


@contextmanager
def mask_key_hidden() -> Iterator[None]:
    """Keep the key in the memory of this process alone: not in its environment, that of its children, or /proc.

    On Linux no other process of the same user can read this one meanwhile, except one of root.
    """
    key = os.environ.pop(MASK_KEY, None)
    if key is None:
        yield
        return
    _hidden.append(key)
    _erase()
    readable = _prctl(_GET_DUMPABLE)
    _prctl(_SET_DUMPABLE, 0)
    try:
        yield
    finally:
        os.environ[MASK_KEY] = _hidden.pop()
        _prctl(_SET_DUMPABLE, readable)


def take_keys(variable: str) -> tuple[str, ...]:
    """Return the keys, separated by blanks, of an environment variable, and remove it from this process and from /proc."""
    keys = os.environ.pop(variable, "")
    _erase(variable)
    return tuple(keys.split())


def erase_mask_key() -> None:
    """Erase the key from /proc, for a process whose children need it in their environment."""
    if key := os.environ.get(MASK_KEY):
        os.environ[MASK_KEY] = key  # at another place of the memory
        _erase()
        _prctl(_SET_DUMPABLE, 0)


def _erase(name: str = MASK_KEY) -> None:
    """Overwrite a variable in the environment with which this process was started, which /proc/PID/environ shows for ever."""
    with suppress(OSError, ValueError, IndexError):  # not on Linux, or without /proc
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[_ENV_START - _STATE]), int(fields[_ENV_END - _STATE])
        variables = ctypes.string_at(start, end - start)
        position = -1
        while (position := variables.find(f"{name}=".encode(), position + 1)) >= 0:
            value = position + len(name) + 1
            length = variables.find(b"\0", value) - value
            if variables[:position][-1:] in (b"", b"\0") and length > 0:
                ctypes.memset(start + value, ord("-"), length)


def _prctl(option: int, value: int = 0) -> int:
    return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) if sys.platform == "linux" else 0
