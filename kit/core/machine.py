"""Failures of the machine, in plain words: a full disk, no memory, too many open files, a missing right."""

import errno
import re
import resource
from collections.abc import Iterator
from pathlib import Path

from kit.core.errors import KitError
from kit.core.text import short

_SPACE = "no space is left on the disk; free some, for instance with `kit prune --keep 1`"
OPEN_FILES = 128
"""The files that a build has open at a time, with room to spare."""

ADDRESS_SPACE_MB = 2000
"""The address space of a build of little data: most of it is that of libraries."""

_RAISED_TO = 4096
_FILES = "this process has too many open files; raise the limit, for instance with `ulimit -n 4096`"
_MEMORY = "no memory is left; end other programs, or give this one more"

_NOT_OPENED, _NOT_WRITTEN = -1, -2
_LIMIT, _SPILL = -3, -4
"""In place of numbers: SQLite does not tell why, and the limits of DuckDB are those of settings."""

_ERRNO = {
    _NOT_OPENED: "a database cannot be opened: the disk is full, a right is missing, or this process has too many open files",
    _NOT_WRITTEN: "a database cannot be written: the disk is full or failing, or this process may write no larger files",
    _LIMIT: "the tables of the build need more memory than they may use; raise `memory_limit` in [tool.kit], or end other "
    "programs",
    _SPILL: "no space is left for what exceeds the memory; free some, or set `spill_folder` in [tool.kit] to a folder on a "
    "larger disk",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: "the disk quota of this user is used up; free some space, for instance with `kit prune --keep 1`",
    errno.EFBIG: "a file would be larger than this process may write; raise the limit with `ulimit -f unlimited`",
    errno.EMFILE: _FILES,
    errno.ENFILE: "this machine has too many open files; end other programs",
    errno.ENOMEM: _MEMORY,
    errno.EROFS: "the file system is read-only; make it writable, or set `storage` in [tool.kit] to another folder",
    errno.EACCES: "the right to read or write is missing; change owner or mode",
    errno.EPERM: "the right to read or write is missing; change owner or mode",
    errno.EIO: "the disk reports an input/output error; copy what can be read to another disk",
    errno.EISDIR: "there is a folder where a file has to be; move it away",
    errno.ENOTDIR: "there is a file where a folder has to be; move it away",
}

_TEXTS = {
    r"failed to offload data block": _SPILL,
    r"out of memory error: (failed to allocate|could not allocate)": _LIMIT,
    r"no space left on device|disk is full|not enough space": errno.ENOSPC,
    r"disk quota exceeded": errno.EDQUOT,
    r"\bfile too large\b": errno.EFBIG,
    r"too many open files": errno.EMFILE,
    r"cannot allocate memory|out of memory|failed to allocate|memory allocation .*failed|std::bad_alloc": errno.ENOMEM,
    r"read-only file system|attempt to write a readonly database": errno.EROFS,
    r"permission denied": errno.EACCES,
    r"input/output error": errno.EIO,
    r"unable to open database file": _NOT_OPENED,
    r"disk i/o error": _NOT_WRITTEN,
}
"""Words of libraries that report a failure of the machine without its number."""


def machine_problem(error: BaseException | str) -> str:
    """Return in one sentence how the machine failed, where, and what helps; empty for every other error.

    The errors that caused this one count as well. A text is the message of an error of a library.
    """
    if isinstance(error, str):
        return next((_ERRNO[meant] for words, meant in _TEXTS.items() if re.search(words, error, re.IGNORECASE)), "")
    for each in _causes(error):
        number = each.errno if isinstance(each, OSError) else errno.ENOMEM if isinstance(each, MemoryError) else None
        if number in _ERRNO:
            place = getattr(each, "filename", None)
            # The folder, since the file itself may be a temporary one.
            return (f"{short(Path(str(place)).parent)}: " if place else "") + _ERRNO[number]
        if number is None and not isinstance(each, KitError) and (problem := machine_problem(str(each))):
            return problem
    return ""


def need_resources() -> None:
    """Let this process open the files of a build; raises `KitError` for a limit of files or memory that is too low for one.

    Libraries do not report such a lack: they end the process, or wait and try again for ever, deaf to signals.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < _RAISED_TO:
        soft = _RAISED_TO if hard == unlimited else min(hard, _RAISED_TO)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != unlimited and soft < OPEN_FILES:
        raise KitError(
            f"a build would have too many open files: it needs up to {OPEN_FILES}, and this process may open {soft}; "
            "raise the limit, for instance with `ulimit -n 4096`"
        )
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if space != unlimited and space < ADDRESS_SPACE_MB * 1_000_000:
        raise KitError(
            f"a build would have no memory left: it needs {ADDRESS_SPACE_MB} MB of address space or more, this process may "
            f"use {space // 1_000_000} MB; raise the limit, for instance with `ulimit -v unlimited`"
        )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
