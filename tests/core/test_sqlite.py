import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit.core.errors import Unreadable
from kit.core.sqlite import sqlite_damage


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table runs (id integer, body text)")
        connection.executemany("insert into runs values (?, ?)", [(number, "x" * 500) for number in range(200)])
    return path


def test_a_whole_file_has_no_damage_and_stays_as_it_is(file: Path) -> None:
    before = file.read_bytes()
    assert sqlite_damage(file, "runs") == ""
    assert (file.read_bytes(), [path.name for path in file.parent.iterdir()]) == (before, ["runs.db"])
    file.write_bytes(b"")
    assert sqlite_damage(file, "runs") == ""  # it is being created


def test_damage_is_named(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    assert sqlite_damage(file, "jobs") == "is that of something else"
    file.write_bytes(content[: len(content) // 2])
    assert sqlite_damage(file, "runs").startswith("is damaged")
    file.write_bytes(b"\x80 no database")
    assert sqlite_damage(file, "runs") == "is no SQLite file"
    assert sqlite_damage(tmp_path, "runs") == "is a folder"
    with pytest.raises(Unreadable, match=r"cannot be read: Not a directory$"):
        sqlite_damage(file / "x.db", "runs")


def test_a_file_that_another_program_holds_is_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("begin exclusive")
        assert sqlite_damage(file, "runs", seconds=0.1) == ""
