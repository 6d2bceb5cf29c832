"""Digests of folders by content; a folder whose files have not been touched is not read again."""

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from kit.core.cache import ContentCache
from kit.core.files import sha256

_MOUNTS = Path("/proc/self/mountinfo")
_CERTAIN = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "overlay"))
"""File systems of one machine, on which each change of a file changes a time of it that nobody can set."""
_ESCAPED = re.compile(r"\\([0-7]{3})")
"""A space, tab, line break or backslash in the name of a mounted folder."""
_QUIET_NS = 2 * 10**9
"""A file that was changed so shortly before it is read may change again within the same tick of the clock."""


class _State(NamedTuple):
    path: str
    kind: int
    size: int
    modified: int
    changed: int
    inode: int
    device: int


class _Look(NamedTuple):
    digest: str | None
    states: list[_State]


class FolderDigests:
    """Digests of folders as they were when they were first asked for; `file` saves time and never changes a digest."""

    def __init__(self, file: Path | None) -> None:
        self._known = ContentCache(file)
        self._mounted = cache(_mounts)
        self._looks: dict[Path, _Look] = {}

    def of(self, folder: Path) -> str | None:
        """Return the digest of all files, by name and content; None for a folder with links, or with what cannot be read."""
        return self._first(folder).digest

    def is_still(self, folder: Path) -> bool:
        """Return whether nothing in a folder was touched since it was first asked for, not even by an edit that was taken back.

        Of a link only the link itself is looked at.
        """
        return self._look(folder) == self._first(folder)

    def save(self) -> None:
        """Write what is known of the folders that were asked for; others are dropped."""
        self._known.save()

    def _first(self, folder: Path) -> _Look:
        if folder not in self._looks:
            self._looks[folder] = self._look(folder)
        return self._looks[folder]

    def _look(self, folder: Path) -> _Look:
        now = time.time_ns()
        try:
            states = list(_states(str(folder)))
            if any(state.kind == stat.S_IFLNK for state in states):
                return _Look(None, states)
            is_certain = _is_local(folder, self._mounted()) and len({state.device for state in states}) <= 1
            key = ContentCache.key(str(folder), repr(states))
            if is_certain and (known := self._known.lookup(key)):
                return _Look(known, states)
            digest = _content(str(folder), states)
        except (OSError, UnicodeError):
            return _Look(None, [])
        if is_certain and all(max(state.modified, state.changed) < now - _QUIET_NS for state in states):
            self._known.put(key, digest)
        return _Look(digest, states)


def _states(folder: str) -> Iterator[_State]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        now = entry.stat(follow_symlinks=False)
        kind = stat.S_IFMT(now.st_mode)
        if kind == stat.S_IFDIR:  # its entries are looked at themselves
            yield _State(entry.path, kind, 0, 0, 0, 0, now.st_dev)
            yield from _states(entry.path)
        else:
            yield _State(entry.path, kind, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_dev)


def _content(folder: str, states: list[_State]) -> str:
    lines = (
        repr((os.path.relpath(state.path, folder), state.kind, sha256(Path(state.path)) if state.kind == stat.S_IFREG else ""))
        for state in states
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _is_local(folder: Path, mounted: tuple[tuple[str, str], ...]) -> bool:
    """Whether the file system of a folder is one on which the times of a file show that it has not changed."""
    place = os.path.realpath(folder)
    inside = [(len(mount), at, kind) for at, (mount, kind) in enumerate(mounted) if _is_below(place, mount)]
    return bool(inside) and max(inside)[2] in _CERTAIN


def _is_below(place: str, mount: str) -> bool:
    return f"{place}/".startswith(f"{mount.rstrip('/')}/")


def _mounts() -> tuple[tuple[str, str], ...]:
    """Return the folder and the kind of each mounted file system, the later ones above; none where the system does not tell."""
    try:
        lines = [line.split(" - ", 1) for line in _MOUNTS.read_text().splitlines()]
        return tuple((_ESCAPED.sub(_character, left.split()[4]), right.split()[0]) for left, right in lines)
    except (OSError, UnicodeError, ValueError, IndexError):
        return ()


def _character(escape: "re.Match[str]") -> str:
    return chr(int(escape[1], 8))
