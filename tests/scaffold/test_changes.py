from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.scaffold.changes import FileChange, apply_changes
from tests.support.small_mesh import write


def test_changes_are_made_and_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "old.txt", "a\nb\n")
    old = FileChange.from_file(tmp_path / "old.txt", b"a\nc\nd\n")
    new = FileChange.from_file(tmp_path / "x/y/new.txt", b"\xff\n")
    assert old.diff() == ["--- old.txt", "+++ old.txt", "@@ -1,2 +1,3 @@", " a", "-b", "+c", "+d"]
    assert new.diff() == ["--- /dev/null", "+++ x/y/new.txt", "@@ -0,0 +1 @@", "+\ufffd"]
    assert (old.line_counts(), new.line_counts()) == ("+2 -1", "+1 -0")
    undo = apply_changes([old, new])
    assert [(tmp_path / name).read_bytes() for name in ("old.txt", "x/y/new.txt")] == [b"a\nc\nd\n", b"\xff\n"]
    undo()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "a\nb\n"


def test_what_somebody_else_wrote_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "old.txt", "a")
    changes = [FileChange.from_file(tmp_path / "new.txt", b"n"), FileChange.from_file(tmp_path / "old.txt", b"b")]
    write(tmp_path / "old.txt", "theirs")
    with pytest.raises(KitError, match=r"^old\.txt: has changed meanwhile; nothing was written$"):
        apply_changes(changes)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old.txt": "theirs"}
    write(tmp_path / "new.txt", "theirs")
    with pytest.raises(KitError, match=r"^new\.txt: exists already; nothing was written$"):
        apply_changes(changes)
