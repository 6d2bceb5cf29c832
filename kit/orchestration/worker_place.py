"""The worker of an environment: the key by which a command and a worker that can take its place find each other.

Imports little, since `kit run` asks for it before anything else.
"""

import hashlib
import os
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

from kit.core import cgroups

VARIABLES = ("HOME", "LANG", "LANGUAGE", "TZDIR")
PREFIXES = (
    "ARROW_", "GLIBC_", "JUPYTER_", "LC_", "LD_", "MALLOC_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "POLARS_", "PYTHON",
    "_RJEM_",
)  # fmt: skip
"""Environment variables that the interpreter and libraries read once: a worker is started with those of its callers."""
_HARMLESS = ("PYTHONBREAKPOINT", "PYTHONDONTWRITEBYTECODE", "PYTHONHISTFILE", "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP")
"""Variables of the interpreter that change no result; a fork takes over from its caller whether it writes compiled code."""
_SET_BY_POLARS = "_RJEM_MALLOC_CONF"
"""Polars changes it when it is imported: its value at the start of the process counts."""
_HARD = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
_STATUS = ("Groups", "Cap", "NoNewPrivs", "Seccomp")
_LIMITS = (
    "cpu.cfs_quota_us", "cpu.max", "cpuset.cpus", "io.max", "memory.high", "memory.limit_in_bytes", "memory.max",
    "memory.memsw.limit_in_bytes", "memory.swap.max", "pids.max",
)  # fmt: skip
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(_PACKAGE)
"""The folder from which this kit is imported."""


def folder() -> str | None:
    """Return the folder of the workers of this user, made if it is missing; None where it cannot be used safely."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "data-mesh-kit")
    with suppress(OSError):
        os.makedirs(path, 0o700, exist_ok=True)
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return path if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077 else None


def key() -> str:
    """Return the name of the worker whose forks are this process, except for what they take over from it.

    It differs after a change of the kit, the packages or the interpreter, and between processes of which one has a limit or
    a right that the other cannot give itself. Raises `OSError` where the system does not tell.
    """
    facts = _interpreter(), code(), sorted(variables().items()), _process()
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def code() -> tuple[object, ...]:
    """Return the files of the kit and the state of the folders of packages; raises `OSError` where they are gone."""
    return sorted(_files(_PACKAGE)), sorted(_packages())


def variables() -> dict[str, str]:
    """Return the environment variables of this process with which its worker is started."""
    found = {name: value for name, value in os.environ.items() if name in VARIABLES or name.startswith(PREFIXES)}
    for name in (_SET_BY_POLARS, *_HARMLESS):
        found.pop(name, None)
    return found | {
        name: value for name, _, value in (item.partition("=") for item in cgroups.content("/proc/self/environ").split("\0"))
        if name == _SET_BY_POLARS
    }  # fmt: skip


def _interpreter() -> tuple[object, ...]:
    flags = [value for name, value in zip(sys.flags.__match_args__, sys.flags, strict=True) if name != "dont_write_bytecode"]
    return sys.executable, sys.version, sys.prefix, sys.base_prefix, flags, sys.warnoptions, sorted(sys._xoptions.items())


def _files(place: str) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of every file below a folder, without what Python compiled."""
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns


def _packages() -> Iterator[tuple[str, int]]:
    """Yield the folders that contain packages; each changes when one is installed or removed."""
    for place in {entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")}:
        yield place, os.stat(place).st_mtime_ns


def _process() -> tuple[object, ...]:
    """Return what a process inherits and cannot change again as it likes."""
    with open("/proc/self/status", encoding="utf-8") as status:
        rights = [line for line in status if line.startswith(_STATUS)]
    spaces = [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))]
    root, hard = os.stat("/"), [resource.getrlimit(limit)[1] for limit in _HARD]
    ids = os.getresuid(), os.getresgid(), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
    return rights, cgroups.content("/proc/self/oom_score_adj"), spaces, (root.st_dev, root.st_ino), hard, ids, list(_limited())


def _limited(groups: str = cgroups.GROUPS, own: str = cgroups.OWN) -> Iterator[tuple[str, ...]]:
    """Yield the control groups of this process that limit it more than all others, with their limits."""
    for hierarchy in cgroups.hierarchies(groups, own):
        if not hierarchy.is_known:
            yield (hierarchy.line,)  # its limits are not known: only a process of the same group counts as equal
            continue
        unlimited = [hierarchy.value("", name) for name in _LIMITS]
        for place in filter(None, hierarchy.places()):
            limits = [hierarchy.value(place, name) for name in _LIMITS]
            if any(limit not in ("", "max", "max 100000", usual) for limit, usual in zip(limits, unlimited, strict=True)):
                yield (",".join(hierarchy.controllers), place, *limits)
