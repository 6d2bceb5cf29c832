"""Snapshots protected from pruning while they are read."""

import fcntl
import os
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary, finalize

from kit.storage.snapshot import MANIFEST_FILE, Snapshot


class SnapshotLock:
    """Shared lock that keeps a snapshot from being pruned while it is open; a context manager that gives the snapshot.

    The lock is on the manifest file. The operating system frees it when the process ends.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._file: IO[bytes] = (snapshot.folder / MANIFEST_FILE).open("rb")
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._file.fileno()), (snapshot.folder / MANIFEST_FILE).stat()):
                raise FileNotFoundError
        except OSError:
            self._file.close()
            raise

    def __enter__(self) -> Snapshot:
        return self.snapshot

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock."""
        self._file.close()


_shared: WeakValueDictionary[Path, SnapshotLock] = WeakValueDictionary()
"""One lock for each snapshot that this process reads, by the snapshot's folder."""

_held: set[SnapshotLock] = set()


def shared(snapshot_lock: SnapshotLock) -> SnapshotLock:
    """Return the one lock of a snapshot in this process, which is released when nothing refers to it any more."""
    common = _shared.setdefault(snapshot_lock.snapshot.folder, snapshot_lock)
    if common is not snapshot_lock:
        snapshot_lock.close()
    else:
        finalize(common, common._file.close)
    return common


def hold_until_exit(snapshot_lock: SnapshotLock) -> Snapshot:
    """Hold a snapshot until the process ends, because somebody has the paths of its files; each snapshot is held once."""
    common = shared(snapshot_lock)
    _held.add(common)
    return common.snapshot
