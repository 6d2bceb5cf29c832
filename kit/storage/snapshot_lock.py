"""Snapshots protected from pruning while they are read."""

import fcntl
import os
from typing import IO

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


_held: dict[tuple[str, str], SnapshotLock] = {}
"""Locks that this process holds until it ends, by product and version."""


def hold_until_exit(snapshot_lock: SnapshotLock) -> Snapshot:
    """Hold a snapshot until the process ends, because lazy frames read it later; each snapshot is held once."""
    snapshot = snapshot_lock.snapshot
    if _held.setdefault((snapshot.product, snapshot.version), snapshot_lock) is not snapshot_lock:
        snapshot_lock.close()
    return snapshot
