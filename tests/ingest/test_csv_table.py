import gzip
from pathlib import Path

import pytest

from kit.contracts.csv_format import CsvFormat
from kit.core.errors import IngestError
from kit.ingest.csv_table import CsvFile


def opened(folder: Path, content: str | bytes, csv_format: CsvFormat | None = None, name: str = "feed.csv") -> CsvFile:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvFile.from_path(folder / name, csv_format, "feed")


@pytest.mark.parametrize(
    ("content", "delimiter", "header", "skipped", "has_quotes"),
    [
        ("a,b\n1,2\n", ",", ("a", "b"), 0, False),
        ("\ufeffa;b\n1,5;2\n", ";", ("a", "b"), 0, False),
        ("a\tb\r\n1\t2\r\n", "\t", ("a", "b"), 0, False),
        ("\n\na|b\n1|2\n", "|", ("a", "b"), 2, False),
        ('"a,\n1",b\n1,2\n', ",", ("a,\n1", "b"), 0, True),
        ('a,b\n"1",2\n', ",", ("a", "b"), 0, True),
        ("alone\n1\n", ",", ("alone",), 0, False),
        ("", ",", (), 0, False),
    ],
)
def test_the_first_record_is_the_header_and_gives_the_delimiter(
    tmp_path: Path, content: str, delimiter: str, header: tuple[str, ...], skipped: int, has_quotes: bool
) -> None:
    for file in (opened(tmp_path, content), opened(tmp_path, gzip.compress(content.encode()), name="feed.CSV.GZ")):
        assert (file.format, file.header, file.skipped, file.has_quotes) == (CsvFormat(delimiter), header, skipped, has_quotes)


def test_a_declared_delimiter_is_not_guessed(tmp_path: Path) -> None:
    assert opened(tmp_path, "a;b,c,d\n", CsvFormat(";")).header == ("a", "b,c,d")


def test_places_are_lines_of_the_file(tmp_path: Path) -> None:
    file = opened(tmp_path, 'a,b\n1,2\n\n"x\ny",2\n3\n')
    assert [file.line(row) for row in (1, 2, 3, 4)] == [2, 4, 6, None]
    assert file.misshapen_record() == (6, 1)
    assert opened(tmp_path, "a,b\n1,2\n").misshapen_record() is None


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"a\n\n\xe9\n", "feed.csv", "feed is not UTF-8: line 3 holds the byte 0xe9"),
        (b"a\n\0", "feed.csv", "feed is no text: line 2 holds a NUL byte"),
        (b"a\n\xc3", "feed.csv", "feed is not UTF-8: it ends inside a character, on line 2"),
        (b"a", "feed.csv.gz", "feed is not a whole gzip archive: Not a gzipped file (b'a')"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_the_line(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    with pytest.raises(IngestError) as caught:
        opened(tmp_path, content, name=name)
    assert str(caught.value) == says
