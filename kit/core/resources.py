"""Memory, threads and spill folder of DuckDB connections: settings, or what this machine and its cgroup allow."""

import math
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from kit.core import cgroups
from kit.core.config import Config, read_settings
from kit.core.errors import ConfigError

BUILDS_AT_ONCE = "KIT_BUILDS_AT_ONCE"
"""The environment variable with the number of builds that share the memory; without it there is one."""

_BUILD_BYTES = 2_000_000_000
_SHARE = 0.6  # of the memory of the machine: the rest is for Python, kernels and the file system
_LEAST = 100_000_000  # bytes: DuckDB cannot join or sort within less
_UNLIMITED = 1 << 60  # version 1 of cgroups writes a number near the largest one where there is no limit
_UNUSED_SECONDS = 7 * 86400  # whether a process of another machine still runs is not known here
_connections = count()


@dataclass(frozen=True)
class Resources:
    """What a connection may use: so many bytes of `memory` and `threads`, and the folder `spill` for what exceeds the memory.

    The spill folder has values as they were before they were masked: only its owner may open it. DuckDB deletes what it wrote
    there at the end of a connection, the next build what a process has left there that was killed.
    """

    memory: int
    threads: int
    spill: Path

    @classmethod
    def of(cls, config: Config, environ: Mapping[str, str] = os.environ) -> "Resources":
        """Return what a build of this mesh may use while so many others run as `KIT_BUILDS_AT_ONCE` says."""
        spill = config.spill_folder or config.storage / "spill"
        return cls._shared(config.memory_limit, config.threads, spill, environ)

    @classmethod
    def _shared(cls, memory: int | None, threads: int | None, spill: Path | None, environ: Mapping[str, str]) -> "Resources":
        builds = environ.get(BUILDS_AT_ONCE, "")
        memory = (memory or int(machine_memory() * _SHARE)) // (max(int(builds), 1) if builds.isdecimal() else 1)
        return cls(max(memory, _LEAST), threads or machine_threads(), spill / _user() if spill else _temporary())

    def environment(self, temp: Path) -> dict[str, str]:
        """Return the variables by which a process of domain code uses as much, and spills into its own folder `temp`."""
        _make_private(temp / _user())
        limits = {"KIT_MEMORY_LIMIT": f"{self.memory}B", "KIT_THREADS": str(self.threads), "KIT_SPILL_FOLDER": str(temp)}
        return {**limits, "POLARS_MAX_THREADS": str(self.threads), BUILDS_AT_ONCE: "1"}

    def settings(self) -> dict[str, Any]:
        """Return the settings of a new DuckDB connection. Its spill folder is its own: SQL in a sandbox may read it."""
        folder = spill_folder(self) / f"{_process()}-{next(_connections)}"
        return {"memory_limit": f"{self.memory}B", "threads": self.threads, "temp_directory": str(folder)}


def builds_at_once(setting: int | None) -> int:
    """Return how many builds run at the same time: the setting, or what cores and memory of this machine allow."""
    return setting or max(1, min(machine_threads(), machine_memory() // _BUILD_BYTES))


_limited: list[Resources] = []


@contextmanager
def limited(config: Config) -> Iterator[Resources]:
    """Let all connections of this process use what this mesh allows, until the block ends; makes the spill folder."""
    resources = Resources.of(config)
    with suppress(OSError):  # connections then use the folder for temporary files
        _sweep(_make_private(resources.spill))
    _limited.append(resources)
    try:
        yield resources
    finally:
        _limited.remove(resources)


def current() -> Resources:
    """Return what a connection of this process may use, by the block it is in or by the mesh that the process lies in."""
    return _limited[-1] if _limited else _of_place(Path.cwd(), *_variables())


def spill_folder(resources: Resources | None = None) -> Path:
    """Return the folder that is there to spill into: one for temporary files where that of the mesh is not made yet."""
    folder = (resources or current()).spill
    return folder if os.access(folder, os.W_OK) else _make_private(_temporary())


@cache
def _of_place(_: Path, *variables: tuple[str, str]) -> Resources:
    environ = dict(variables)
    try:
        return Resources.of(Config.load(None, environ), environ)
    except ConfigError:
        found = read_settings({}, environ)
        spill = Path(folder) if (folder := found.get("spill_folder")) else None
        return Resources._shared(found.get("memory_limit"), found.get("threads"), spill, environ)


def _variables() -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in os.environ.items() if name.startswith("KIT_"))


def machine_memory(groups: str = cgroups.GROUPS, own: str = cgroups.OWN) -> int:
    """Return the bytes of memory that this process may use: those of the machine, or the limit of a cgroup it is in."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
        limits += [int(text) for text in _cgroup_values(groups, own, "memory", name) if text.isdecimal()]
    return min(limit for limit in limits if 0 < limit < _UNLIMITED)


def machine_threads(groups: str = cgroups.GROUPS, own: str = cgroups.OWN) -> int:
    """Return the number of processors that this process may use, by its affinity and the quotas of cgroups it is in."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [text.split() for text in _cgroup_values(groups, own, "cpu", "cpu.max")]
    each = (_cgroup_values(groups, own, "cpu", name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
    quotas += map(list, zip(*each, strict=False))
    shares = [int(quota) / int(period) for quota, period in quotas if quota.isdecimal() and int(period)]
    return max(1, min([cores, *map(math.ceil, shares)]))


def _cgroup_values(groups: str, own: str, controller: str, name: str) -> Iterator[str]:
    """Yield the values of a file in the cgroups of this process and in those above, of version 1 and 2."""
    for hierarchy in cgroups.hierarchies(groups, own):
        if not hierarchy.controllers or controller in hierarchy.controllers:
            yield from filter(None, (hierarchy.value(place, name) for place in hierarchy.places()))


def _user() -> str:
    return f"user-{os.getuid()}"


def _temporary() -> Path:
    return Path(tempfile.gettempdir(), f"kit-spill-{os.getuid()}")


def _make_private(folder: Path) -> Path:
    """Make a folder that only its owner may open; another one in its place where it is another's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
        return Path(tempfile.mkdtemp(prefix="kit-spill-"))
    folder.chmod(0o700)
    return folder


def _sweep(folder: Path) -> None:
    """Delete what processes that were killed have left."""
    host = _host()
    for path in folder.iterdir():
        owner, *process = path.name.rsplit("-", 3)
        with suppress(OSError, ValueError):
            mine = owner == host
            if not _runs(*process[:2]) if mine else time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _process() -> str:
    """Return a name that no other process has, also none of another machine that shares the disk."""
    return f"{_host()}-{os.getpid()}-{_started(os.getpid())}"


@cache
def _host() -> str:
    """Return the name of this machine, and of the space of process numbers where a container has its own."""
    space = ""
    with suppress(OSError):
        space = f".{Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}{space}"


def _started(pid: int) -> int:
    """Return when a process was started, in ticks since the machine was; 0 where that is not known."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _runs(pid: str, started: str) -> bool:
    """Whether the process of that number runs that was started then."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return str(_started(int(pid))) == started
