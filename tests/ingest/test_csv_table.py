import gzip
from pathlib import Path

import pytest

from kit.contracts.csv_format import CsvFormat
from kit.ingest.csv_table import CsvFile, header


def opened(folder: Path, content: str | bytes, csv_format: CsvFormat | None = None, name: str = "feed.csv") -> CsvFile:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvFile.from_path(folder / name, csv_format or CsvFormat(), "feed")


@pytest.mark.parametrize(
    ("content", "csv", "first", "line", "rows", "has_quotes"),
    [
        ("a,b\n1,2\n", CsvFormat(), ("a", "b"), 1, 1, False),
        ("\ufeffa;b\n1,5;2\n", CsvFormat(";"), ("a", "b"), 1, 1, False),
        ("a\tb\r\n1\t2\r\n", CsvFormat("\t"), ("a", "b"), 1, 1, False),
        ("\n\na|b\n1|2\n", CsvFormat("|"), ("a", "b"), 3, 1, False),
        ('"a,\n1",b\n1,2\n', CsvFormat(), ("a,\n1", "b"), 1, 1, True),
        ('a,b\n"1\n\n",2\n\n', CsvFormat(), ("a", "b"), 1, 1, True),
        ("T\na,b\n1,2\n3,4\n", CsvFormat(header_line=2), ("a", "b"), 2, 2, False),
        ("alone\n1\n", CsvFormat(), ("alone",), 1, 1, False),
        ("a;b,c,d\n", CsvFormat(";"), ("a", "b,c,d"), 1, 0, False),
        ("", CsvFormat(), (), 0, 0, False),
    ],
)
def test_the_first_record_is_the_header(
    tmp_path: Path, content: str, csv: CsvFormat, first: tuple[str, ...], line: int, rows: int, has_quotes: bool
) -> None:
    for file in (opened(tmp_path, content, csv), opened(tmp_path, gzip.compress(content.encode()), csv, "feed.CSV.GZ")):
        assert (file.header, file.header_line, file.rows, file.has_quotes) == (first, line, rows, has_quotes)
        assert (file.problem, file.is_ended) == ("", True)
        assert header(file.path, csv, "feed") == first


def test_places_are_lines_of_the_file(tmp_path: Path) -> None:
    file = opened(tmp_path, 'a,b\n1,2\n\n"x\ny",2\n3\n')
    assert [file.line(row) for row in (1, 2, 3)] == [2, 4, 6]
    with pytest.raises(IndexError):
        file.line(4)
    assert (file.problem, file.widest) == (", line 6: has 1 field, the header has 2", 2)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("Report\n\nid,name,qty\n1,a,3\n", 3),
        ("Report\nof May, 2024\nid,name,qty\n1,a,3\n2,b,4\n", 3),
        ("sep=;\nid;name\n1;a\n", 2),
        ("id,name\n1,a,b\n", None),
        ("id,name,qty\n1,a,3\n2,b\n3,c\n", None),
        ("id,name\n1,a\n2,b,c\n3,c\n", None),
    ],
)
def test_a_header_below_titles_is_found(tmp_path: Path, content: str, line: int | None) -> None:
    assert opened(tmp_path, content).true_header == line
