import errno
import getpass
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kit.core.errors import Busy
from kit.core.locks import SingleInstance, lock


def test_a_lock_has_one_holder_and_the_file_names_its_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with lock(path, wait=False) as first, lock(path, wait=False) as second:
        assert (first, second) == (True, False)
        assert path.read_text().isdigit()
    with lock(path, wait=False) as again:
        assert again


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from kit.core.locks import lock\n"
        "with lock(Path(sys.argv[1]), wait=True): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with lock(path, wait=False) as acquired:
            assert not acquired
        assert path.read_text() == str(holder.pid)
        holder.kill()
        with lock(path, wait=True) as acquired:
            assert acquired


def test_the_address_is_known_while_the_instance_runs(tmp_path: Path) -> None:
    instance, other = (SingleInstance("Lab", tmp_path / "place") for _ in range(2))
    assert (other.address, other.process) == (None, "?")
    with instance.held():
        assert other.address is None  # it is not ready yet
        whose = rf"process {os.getpid()} of {getpass.getuser()} since 20\d\d-\d\d-\d\d \d\d:\d\d, started in {os.getcwd()}"
        with pytest.raises(Busy, match=rf"^Lab starts or stops for this mesh \({whose}\); try again$"), other.held():
            raise AssertionError("two instances")
        instance.set_address("http://127.0.0.1:1")
        assert other.address == "http://127.0.0.1:1"
        assert other.process.isdigit()
        with pytest.raises(Busy, match=r"runs already for this mesh at http://127\.0\.0\.1:1 "), other.held():
            raise AssertionError("two instances")
    assert other.address is None


def test_the_address_of_a_killed_instance_does_not_count(tmp_path: Path) -> None:
    instance = SingleInstance("Lab", tmp_path)
    instance.set_address("http://127.0.0.1:1")
    assert instance.address is None


def test_a_lock_whose_file_was_deleted_is_taken_at_the_file_in_its_place(tmp_path: Path) -> None:
    path, held = tmp_path / "lock", threading.Event()

    def wait() -> None:
        with lock(path, wait=True):
            held.set()
            assert path.read_text() == str(os.getpid())
            with lock(path, wait=False) as second:
                assert not second  # whoever opens the path now is excluded

    with lock(path, wait=True):
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not _waits_for(path):
            time.sleep(0.01)
        path.unlink()
    waiting.join(30)
    assert held.is_set()


def _waits_for(path: Path) -> bool:
    return Path("/proc/locks").read_text().count(f":{path.stat().st_ino} ") > 1


def test_a_full_disk_takes_no_lock_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with lock(tmp_path / "lock", wait=False) as acquired:
        assert acquired


def test_garbage_in_the_files_of_a_lock_is_no_error(tmp_path: Path) -> None:
    instance = SingleInstance("Lab", tmp_path)
    (tmp_path / "lock").write_bytes(b"\x80\xff")
    (tmp_path / "address").write_bytes(b"\x80\xff")
    assert (instance.address, instance.process) == (None, "?")
