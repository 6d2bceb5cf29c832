import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import InvalidFile, Unreadable
from kit.core.files import (
    has_sum,
    make_folder,
    read_json,
    read_record,
    read_text,
    resolve_inside,
    set_aside,
    sha256,
    time_id,
    to_json,
    write_durably,
    write_sum,
)
from kit.core.text import short


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_text_that_is_not_utf8_is_refused(here: Path) -> None:
    (here / "a.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(InvalidFile) as caught:
        read_text(here / "a.yaml")
    assert str(caught.value) == "a.yaml: not UTF-8 text (byte 3); save it as UTF-8"


def test_a_file_over_a_megabyte_is_refused(here: Path) -> None:
    (here / "a.yaml").write_text("x" * 1_000_000)
    assert len(read_text(here / "a.yaml")) == 1_000_000
    (here / "a.yaml").write_text("x" * 1_000_001)
    with pytest.raises(InvalidFile) as caught:
        read_text(here / "a.yaml")
    assert str(caught.value) == "a.yaml: larger than 1,000,000 bytes, the limit for files of a domain"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.yaml", "No such file or directory"),
        (".", "Is a directory"),
        ("loop", "Too many levels of"),
        ("pipe", "it is a named pipe"),
    ],
)
@pytest.mark.parametrize("read", [read_text, read_json])
def test_a_file_that_cannot_be_read_says_why(here: Path, read: Callable[[Path], object], name: str, reason: str) -> None:
    (here / "loop").symlink_to("loop")
    os.mkfifo(here / "pipe")
    with pytest.raises(InvalidFile) as caught:
        read(here / name)
    assert str(caught.value).startswith(f"{name}: cannot be read: {reason}")
    assert not isinstance(caught.value, Unreadable)


def test_a_path_is_shown_from_where_the_person_stands(here: Path) -> None:
    assert short(here / "b" / "c.yaml") == "b/c.yaml"
    assert short(here.parent) == str(here.parent)


def test_a_path_inside_the_folder_is_resolved(here: Path) -> None:
    assert resolve_inside(here, "b/../c.yaml") == here / "c.yaml"


@pytest.mark.parametrize("path", ["..", "../other", "/etc/passwd", "b/../../x", "link/x"])
def test_a_path_that_leaves_the_folder_is_refused(here: Path, path: str) -> None:
    folder = here / "domain"
    folder.mkdir()
    (folder / "link").symlink_to(here)
    with pytest.raises(InvalidFile) as caught:
        resolve_inside(folder, path)
    assert str(caught.value) == f"domain: the path '{path}' leaves the folder; keep files inside it"


def test_a_folder_whose_name_begins_alike_is_not_inside(here: Path) -> None:
    (here / "domain").mkdir()
    with pytest.raises(InvalidFile, match="leaves the folder"):
        resolve_inside(here / "domain", "../domain2/x")


@pytest.mark.parametrize("path", ["loop", "a\0b"])
def test_a_path_that_leads_nowhere_is_refused(here: Path, path: str) -> None:
    (here / "domain").mkdir()
    (here / "domain" / "loop").symlink_to("loop")
    with pytest.raises(InvalidFile) as caught:
        resolve_inside(here / "domain", path)
    assert str(caught.value).startswith(f"domain: the path '{path}' is invalid: ")


def test_the_digest_is_that_of_the_bytes(here: Path) -> None:
    (here / "a").write_bytes(b"abc")
    assert sha256(here / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("", "not valid JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "not valid JSON: maximum recursion depth exceeded while decoding a JSON array from a unicode string"),
    ],
)
def test_broken_json_is_refused(here: Path, text: str, problem: str) -> None:
    (here / "a.json").write_text(text)
    with pytest.raises(InvalidFile) as caught:
        read_json(here / "a.json")
    assert str(caught.value) == f"a.json: {problem}"


def test_a_missing_json_file_is_named(here: Path) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_json(here / "a.json")
    assert str(caught.value) == "a.json: cannot be read: No such file or directory"


def test_a_durable_write_replaces_the_text_and_passes_its_steps_in_order(here: Path) -> None:
    path, steps = here / "a.json", []
    path.write_text("old")
    write_durably(path, "new ä", lambda name: steps.append((name, path.read_text())))
    assert path.read_text(encoding="utf-8") == "new ä"
    assert steps == [("a.json written", "old"), ("a.json synced", "old"), ("a.json replaced", "new ä")]
    assert [file.name for file in here.iterdir()] == ["a.json"]


def test_a_durable_write_that_fails_leaves_the_old_text_and_nothing_else(here: Path) -> None:
    path = here / "a.json"
    path.write_text("old")

    def fail(name: str) -> None:
        raise OSError(name)

    with pytest.raises(OSError, match="written"):
        write_durably(path, "new", fail)
    assert {file.name: file.read_text() for file in here.iterdir()} == {"a.json": "old"}


def test_json_keeps_dates_as_text() -> None:
    assert to_json({"ä": datetime(2024, 1, 31, 8), "path": Path("a/b")}) == (
        '{\n "ä": "2024-01-31 08:00:00",\n "path": "a/b"\n}\n'
    )


def test_names_made_from_times_sort_by_time() -> None:
    times = [datetime(2024, 1, 31, 8), datetime(2024, 1, 31, 8, 0, 0, 1), datetime(2024, 2, 1)]
    names = [time_id(moment) for moment in times]
    assert names == sorted(names)
    assert names[1] == "20240131T080000Z-000001"


def test_missing_folders_are_made_and_existing_ones_kept(here: Path) -> None:
    make_folder(here / "a/b/c")
    (here / "a/b/c/file").write_text("kept")
    make_folder(here / "a/b/c")
    assert (here / "a/b/c/file").read_text() == "kept"


def test_json_is_that_of_the_standard() -> None:
    value = {"a": [float("nan"), float("inf"), {"b": float("-inf")}], 1: b"\x00\xff", ("c",): 12345678901234567890, "d": 0.1}
    text = to_json(value, indent=None)
    assert text == ('{"a": ["NaN", "Infinity", {"b": "-Infinity"}], "1": "00ff", "(\'c\',)": 12345678901234567890, "d": 0.1}\n')


def test_a_record_that_is_damaged_is_named_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "record.json"

    def parse(data: dict[str, Any]) -> str:
        return str(data["version"]).removeprefix("v")

    problems = {
        "": "is empty", "{": "is cut off or overwritten", "[]": "is no record of the kit: it holds no JSON object",
        "{}": "is no such record of the kit: it has no 'version'",
        '{"form": 2}': "has the form 2, which this kit does not know; update the kit of this clone",
    }  # fmt: skip
    for text, problem in problems.items():
        path.write_text(text)
        with pytest.raises(InvalidFile) as error:
            read_record(path, parse)
        assert error.value.problem == problem
    path.write_text('{"version": "v1"}')
    assert read_record(path, parse) == "1"
    assert read_record(path, parse, form=7) == "1"


def test_a_file_is_known_again_by_its_sum(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"rows")
    assert not has_sum(path)
    write_sum(path)
    assert has_sum(path)
    path.write_bytes(b"r0ws")
    assert not has_sum(path)


def test_what_is_set_aside_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("x")
    aside = set_aside(path)
    assert (path.exists(), aside.read_text()) == (False, "x")
    assert aside.name.startswith(".record.json.damaged-")
