import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from kit.storage import snapshot_lock
from kit.storage.snapshot import MANIFEST_FILE, Snapshot
from kit.storage.snapshot_lock import SnapshotLock, hold_until_exit, shared


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    monkeypatch.setattr(snapshot_lock, "_held", set())
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / MANIFEST_FILE).write_text("{}")
    return Snapshot("shop", "1", tmp_path / "1", {})


def locked(snapshot: Snapshot) -> bool:
    """Whether a process that prunes would find the snapshot locked."""
    with (snapshot.folder / MANIFEST_FILE).open("rb") as manifest:
        try:
            fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_several_readers_lock_a_snapshot_until_the_last_one_ends(snapshot: Snapshot) -> None:
    with SnapshotLock(snapshot) as given:
        assert given == snapshot
        second = SnapshotLock(snapshot)
    assert locked(snapshot)
    second.close()
    assert not locked(snapshot)


def test_a_snapshot_that_is_being_pruned_or_was_pruned_cannot_be_locked(snapshot: Snapshot) -> None:
    with (snapshot.folder / MANIFEST_FILE).open("rb") as manifest:
        fcntl.flock(manifest, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            SnapshotLock(snapshot)
    snapshot.folder.rename(snapshot.folder.with_name(".pruned-1"))
    with pytest.raises(FileNotFoundError):
        SnapshotLock(snapshot)


def test_a_snapshot_is_held_once_until_the_process_ends(snapshot: Snapshot) -> None:
    first, second = SnapshotLock(snapshot), SnapshotLock(snapshot)
    assert hold_until_exit(first) == hold_until_exit(second) == snapshot
    assert snapshot_lock._held == {first}
    second_is_closed = second._file.closed
    first.close()
    assert (second_is_closed, locked(snapshot)) == (True, False)


def test_a_shared_lock_is_released_when_nobody_has_it_any_more(snapshot: Snapshot) -> None:
    first = shared(SnapshotLock(snapshot))
    second = shared(SnapshotLock(snapshot))
    assert first is second
    del first
    assert locked(snapshot)
    del second
    assert not locked(snapshot)
    third = shared(SnapshotLock(snapshot))
    assert locked(snapshot)
    del third
    assert not locked(snapshot)


def test_the_end_of_a_process_frees_its_locks(snapshot: Snapshot) -> None:
    code = (
        "import pathlib, sys\nfrom kit.storage import Snapshot, SnapshotLock, hold_until_exit\n"
        "hold_until_exit(SnapshotLock(Snapshot('shop', '1', pathlib.Path(sys.argv[1]), {})))\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(snapshot.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    held = locked(snapshot)
    process.kill()
    process.communicate()
    assert (held, locked(snapshot)) == (True, False)
