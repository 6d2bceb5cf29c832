"""A folder has another digest after every change, whatever is remembered of it."""

import os
import time
from pathlib import Path

import pytest

from kit.core import folder_digests
from kit.core.folder_digests import FolderDigests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "domain/models").mkdir(parents=True)
    (tmp_path / "domain/a.yaml").write_text("name: a")
    (tmp_path / "domain/models/a.sql").write_text("select 1")
    return tmp_path / "domain"


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust times after 20 ms, in which the clock of the file system has moved on."""
    monkeypatch.setattr(folder_digests, "_QUIET_NS", 20_000_000)


def digest(folder: Path) -> str | None:
    time.sleep(0.03)
    digests = FolderDigests(folder.parent / "known")
    found = digests.of(folder)
    digests.save()
    return found


def test_a_folder_that_was_not_touched_is_not_read_again(folder: Path, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digest(folder)
    monkeypatch.setattr(folder_digests, "_content", lambda *_: pytest.fail("read again"))
    assert digest(folder) == first


EDITS = {
    "a text of the same length": lambda folder: (folder / "a.yaml").write_text("name: b"),
    "another length": lambda folder: (folder / "a.yaml").write_text("name: ab"),
    "a new file": lambda folder: (folder / "models/b.sql").write_text("select 1"),
    "a file less": lambda folder: (folder / "a.yaml").unlink(),
    "another name": lambda folder: (folder / "a.yaml").rename(folder / "b.yaml"),
    "a new folder": lambda folder: (folder / "tests").mkdir(),
    "another file in its place": lambda folder: (
        (folder / "b").write_text("name: b"),
        (folder / "b").replace(folder / "a.yaml"),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_every_change_gives_another_digest_even_with_the_times_of_before(folder: Path, quiet: None, name: str) -> None:
    before, times = digest(folder), {path: path.stat() for path in folder.rglob("*")}
    EDITS[name](folder)
    for path, state in times.items():
        if path.exists():
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = digest(folder)
    assert before != after == FolderDigests(None).of(folder)


def test_the_content_decides_and_not_the_time(folder: Path, quiet: None) -> None:
    before = digest(folder)
    (folder / "a.yaml").write_text("name: b")
    (folder / "a.yaml").write_text("name: a")
    assert digest(folder) == before


def test_a_file_that_has_just_changed_is_read_again(folder: Path) -> None:
    digest(folder)
    assert not (folder.parent / "known").exists()


LOCAL = "23 1 8:1 / {} rw - xfs /dev/sdb rw"


@pytest.mark.parametrize(
    ("mounts", "is_remembered"),
    [
        ([LOCAL], True),
        ([LOCAL.replace("xfs", "nfs4")], False),
        ([LOCAL, LOCAL.replace("xfs", "cifs")], False),  # the later one is above
        ([LOCAL.replace("xfs", "cifs"), LOCAL], True),
        ([], True),
    ],
)
def test_where_times_do_not_show_a_change_all_is_read(
    folder: Path, quiet: None, monkeypatch: pytest.MonkeyPatch, mounts: list[str], is_remembered: bool
) -> None:
    share = folder.parent / "a share"
    share.mkdir()
    (folder.parent / "mounts").write_text(
        "".join(f"{line}\n" for line in ["22 0 8:0 / / rw - ext4 /dev/sda rw", *mounts]).format(
            *[str(share).replace(" ", "\\040")] * len(mounts)
        )
    )
    monkeypatch.setattr(folder_digests, "_MOUNTS", folder.parent / "mounts")
    digest(folder.rename(share / "domain"))
    assert (share / "known").exists() == is_remembered


def test_a_folder_with_links_or_that_is_not_there_has_no_digest(folder: Path) -> None:
    assert FolderDigests(None).of(folder / "none") is None
    (folder / "link").symlink_to("/etc/hostname")
    assert FolderDigests(None).of(folder) is None


def test_a_digest_is_that_of_the_first_look(folder: Path) -> None:
    digests = FolderDigests(None)
    before = digests.of(folder)
    assert digests.is_still(folder)
    (folder / "a.yaml").write_text("name: b")
    assert digests.of(folder) == before
    assert not digests.is_still(folder)
    (folder / "a.yaml").write_text("name: a")  # what was read meanwhile may be of the edit
    assert not digests.is_still(folder)
    assert FolderDigests(None).of(folder) == before
