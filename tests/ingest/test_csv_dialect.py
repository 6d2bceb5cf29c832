from pathlib import Path
from typing import Any

import pytest

from kit.contracts.csv_format import CsvFormat
from kit.core.errors import IngestError
from kit.ingest.csv_dialect import described
from kit.ingest.csv_table import CsvFile


def read(folder: Path, content: str, **declared: Any) -> CsvFile:
    (folder / "feed.csv").write_bytes(content.encode())
    return described(folder / "feed.csv", declared, "feed")


@pytest.mark.parametrize(
    ("content", "csv", "header"),
    [
        ("a,b\n1,2\n", CsvFormat(), ("a", "b")),
        ("a;b\n1,5;2,5\n", CsvFormat(";"), ("a", "b")),
        ("a\tb, c\n1\t2\n", CsvFormat("\t"), ("a", "b, c")),
        ("a|b\n1|x, y, z\n", CsvFormat("|"), ("a", "b")),
        ('"Name, first";"Town, state"\nAnn;"Ayr, GB"\n', CsvFormat(";"), ("Name, first", "Town, state")),
        ('"Name, first, last";id\n"Bo, B, B";1\n', CsvFormat(";"), ("Name, first, last", "id")),
        ("Ort;Preis, EUR;Preis, USD\nBonn;1,50;1,70\n", CsvFormat(";"), ("Ort", "Preis, EUR", "Preis, USD")),
        ("a,b,c\n1;2,3,4;5\n", CsvFormat(), ("a", "b", "c")),
        ("a, b\n1, 2\n", CsvFormat(), ("a", " b")),
        ("alone\n1\n", CsvFormat(), ("alone",)),
        ('alone\n"a, b; c"\n', CsvFormat(), ("alone",)),
        ("sep=;\r\nArtikel;Preis\r\n1;1,50\r\n", CsvFormat(";", header_line=2), ("Artikel", "Preis")),
        ('"sep=|"\na|b\n1|2\n', CsvFormat("|", header_line=2), ("a", "b")),
        ("a,b\n1,2", CsvFormat(open_end=True), ("a", "b")),
        ("\n\na|b\n1|2\n", CsvFormat("|"), ("a", "b")),
        ("", CsvFormat(), ()),
    ],
)
def test_the_format_is_the_one_in_which_all_records_are_alike(
    tmp_path: Path, content: str, csv: CsvFormat, header: tuple[str, ...]
) -> None:
    file = read(tmp_path, content)
    assert (file.format, file.header, file.problem) == (csv, header, "")


def test_what_a_person_declares_is_not_guessed(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b,c\n1;2,3\n", delimiter=";").header == ("a", "b,c")
    assert read(tmp_path, "note\nHello, you\n", delimiter=";").header == ("note",)
    assert read(tmp_path, "Report\na,b\n1,2\n", headerLine=2).header == ("a", "b")
    assert read(tmp_path, "sep=;\na,b\n1,2\n", headerLine=2, delimiter=",").format == CsvFormat(header_line=2)
    assert read(tmp_path, "a,b\n1,2", openEnd=False).format == CsvFormat()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a;b,c\n1;2,3\n", "feed: its fields may be separated by ',' (2 in each record) or ';' (2 in each record); "
         "choose one, for example declare delimiter: ; in the property csv of its contract"),
        ("a,b,c\n1,x,2\n3,y\n", "feed, line 3: has 2 fields, the header has 3"),
        ("a,b;c\n1,2\n1;2\n", "feed: no delimiter gives its records the same number of fields: ',', line 3: has 1 field, the "
         "header has 2; ';', line 2: has 1 field, the header has 2"),
        ("note\nHello, you\n", "feed, line 2: has 2 fields, the header has 1"),
        ("Report\n\nid,name,qty\n1,a,3\n", "feed, line 3: has 3 fields, the header has 1; if its header is on line 3, "
         "declare headerLine: 3 in the property csv of its contract"),
        ("Report\n\nid;price;qty\n1;1,5;3\n2;2,5;3\n", "feed, line 3: has 3 fields, the header has 1; if its header is on line "
         "3, declare headerLine: 3 in the property csv of its contract"),
        ("a,b\n1,2\r\n3,4\n", "feed cannot be read: its lines must all end the same way; line 2 ends with CR LF, the first "
         "one with LF"),
        ('a,b\n1,"2\n3,4\n', "feed, line 2: a quote opens a value and is never closed; close it, or write the quotes within a "
         "quoted value twice"),
        ("a\n1\n\n2\n", 'feed, line 3: is empty; remove it, or write "" for a missing value'),
    ],
)  # fmt: skip
def test_a_file_without_one_format_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(IngestError) as caught:
        read(tmp_path, content)
    assert str(caught.value) == says


@pytest.mark.parametrize("sign", ["^", "~", "\x01", "\x1f"])
def test_a_rare_delimiter_is_asked_for(tmp_path: Path, sign: str) -> None:
    content = f"a{sign}b\n1{sign}2\n3{sign}4\n"
    with pytest.raises(IngestError) as error:
        read(tmp_path, content)
    assert str(error.value) == (
        f"feed: its fields may be separated by {sign!r} (2 in each record); if they are, declare delimiter: {sign} in the "
        "property csv of its contract"
    )
    assert read(tmp_path, content, delimiter=sign).header == ("a", "b")
    assert read(tmp_path, content, delimiter=",").header == (f"a{sign}b",)
    assert read(tmp_path, f"a\n1{sign}2\n").header == ("a",)
