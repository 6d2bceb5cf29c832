"""Landlock, by which a Linux process gives up rights of its own, see `man 7 landlock`.

As a program, `python landlock.py RULESET COMMAND…`, it confines itself to the rules of an inherited descriptor and becomes the
command. It imports little, so that it starts in a few milliseconds, and no thread, which would not be confined.
"""

import ctypes
import os
import struct
import sys
from contextlib import suppress

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF, _PATH_BENEATH, _VERSION = 444, 445, 446, 1, 1
_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO = (1 << bit for bit in range(7, 11))
MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV = (1 << bit for bit in range(12, 16))
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""The rights that a file can have; all others are of folders."""
READ = EXECUTE | READ_FILE | READ_DIR

_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""The number of rights that each version of the interface knows; later versions know those of the last one."""
_SCOPE_SIGNAL = 2


def version() -> int:
    """Return the version of the interface; 0 where the system cannot confine a process."""
    return max(0, _syscall(_CREATE_RULESET, None, 0, _VERSION)) if sys.platform == "linux" else 0


def new_ruleset() -> int:
    """Return the descriptor of a new set of rules, which forbids all rights and signals to processes outside."""
    attributes = struct.pack("QQQ", _known(), 0, _SCOPE_SIGNAL if version() >= 6 else 0)
    return _checked(_syscall(_CREATE_RULESET, attributes, len(attributes), 0))


def add(ruleset: int, place: str, rights: int) -> None:
    """Add rights to a file, or to a folder and all below it; a place that does not exist is left out."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        try:
            allowed = (rights if os.path.isdir(place) else rights & OF_FILES) & _known()  # noqa: PTH112
            _checked(_syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0))
        finally:
            os.close(descriptor)


def restrict(ruleset: int) -> None:
    """Confine this thread, and all it starts from now on, to the rules and its own part of `/proc`."""
    add(ruleset, "/proc/self", READ)
    _checked(ctypes.CDLL(None, use_errno=True).prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_syscall(_RESTRICT_SELF, ruleset, 0))


def _known() -> int:
    return (1 << _BITS.get(version(), _BITS[max(_BITS)])) - 1


def _syscall(number: int, *arguments: "int | bytes | None") -> int:
    values = (ctypes.c_long(item) if isinstance(item, int) else ctypes.c_char_p(item) for item in arguments)
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *values))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    restrict(int(sys.argv[1]))
    os.close(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  no shell is wanted
