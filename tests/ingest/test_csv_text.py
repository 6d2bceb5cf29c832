import gzip
from pathlib import Path

import pytest

from kit.core.errors import IngestError
from kit.ingest import csv_text
from kit.ingest.csv_text import Undeclared, utf8_chunks


def text(folder: Path, content: bytes, encoding: str = "utf-8", name: str = "feed.csv") -> str:
    (folder / name).write_bytes(content)
    return b"".join(utf8_chunks(folder / name, encoding, "feed")).decode()


@pytest.mark.parametrize("chunk", [3, 4, 5, 1 << 22])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "windows-1252", "iso-8859-15"])
def test_every_encoding_becomes_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, chunk: int) -> None:
    monkeypatch.setattr(csv_text, "_CHUNK", chunk)
    content = "id,name\n1,Zoë\n".encode(encoding)
    declared = encoding.removesuffix("-sig")
    assert text(tmp_path, content, declared) == "id,name\n1,Zoë\n"
    assert text(tmp_path, gzip.compress(content), declared, "feed.csv.GZ") == "id,name\n1,Zoë\n"


@pytest.mark.parametrize(
    ("content", "encoding", "says"),
    [
        (b"a\n\n\xe9\n", "utf-8", "feed is not UTF-8: line 3 holds the byte 0xe9; if it is latin-1,"),
        (b"a\n\x93b\x94\n", "utf-8", "feed is not UTF-8: line 2 holds the byte 0x93; if it is windows-1252,"),
        (b"a\n\0", "utf-8", "feed is no text: line 2 holds a NUL byte"),
        (b"a\n\xc3", "utf-8", "feed is not UTF-8: it ends inside a character, on line 2"),
        ("a\n".encode("utf-16"), "utf-8", "feed is UTF-16; save it as UTF-8, or"),
        ("Zoë\n".encode(), "iso-8859-15", "feed is UTF-8, not iso-8859-15;"),
        (b"\x82", "shift_jis", "feed is not shift_jis: it ends inside a character, on line 1"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 1 << 22])
def test_what_is_no_text_in_the_encoding_is_refused_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, encoding: str, says: str, chunk: int
) -> None:
    monkeypatch.setattr(csv_text, "_CHUNK", max(chunk, 2))
    with pytest.raises(IngestError) as caught:
        text(tmp_path, content, encoding)
    assert caught.value.problem == says


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        IngestError, match=r"^feed is not a whole gzip archive, as one that was cut or damaged; deliver it again$"
    ):
        text(tmp_path, gzip.compress(b"a\n1\n")[:-3], name="feed.csv.gz")


def test_the_declaration_that_is_missing_is_named() -> None:
    error = Undeclared("feed is UTF-16; save it as UTF-8, or", encoding="utf-16")
    assert str(error) == "feed is UTF-16; save it as UTF-8, or declare encoding: utf-16 in the property csv of its contract"
    assert error.keys == {"encoding": "utf-16"}
