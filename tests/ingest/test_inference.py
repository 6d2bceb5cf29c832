import gzip
from datetime import datetime, time
from pathlib import Path

import polars as pl
import pytest

from kit.contracts.csv_format import CsvFormat
from kit.core.errors import IngestError
from kit.ingest.inference import RawFile, identifier
from tests.support.small_mesh import write


def typed(path: Path, folder: Path) -> dict[str, str]:
    import duckdb

    RawFile.from_path(path).write(folder / "typed.parquet")
    return {name: kind for name, kind, *_ in duckdb.sql(f"describe from '{folder}/typed.parquet'").fetchall()}


def test_every_value_of_a_column_decides_on_its_type(tmp_path: Path) -> None:
    columns = {
        "flag": ("true", "false"),
        "number": ("1", "-20"),
        "late_text": ("1", "none"),
        "zip": ("01234", "99999"),
        "price": ("1.50", "2.35"),
        "share": ("0.125", "0.5"),
        "day": ("2024-02-29", "2024-03-01"),
        "no_day": ("2024-02-30", "2024-03-01"),
        "moment": ("2024-02-29T10:00:00Z", "2024-02-29T10:00:01Z"),
        "year_zero": ("0000-01-01", "2024-03-01"),
        "gap": ("", "7"),
        "empty": ("", ""),
    }
    rows = [",".join(columns), *(",".join(values) for values in zip(*columns.values(), strict=True))]
    write(tmp_path / "a.csv", "\n".join(rows) + "\n")
    assert typed(tmp_path / "a.csv", tmp_path) == {
        "flag": "BOOLEAN", "number": "BIGINT", "late_text": "VARCHAR", "zip": "VARCHAR", "price": "DECIMAL(18,2)",
        "share": "DOUBLE", "day": "DATE", "no_day": "VARCHAR", "moment": "TIMESTAMP", "year_zero": "VARCHAR", "gap": "BIGINT",
        "empty": "VARCHAR",
    }  # fmt: skip


def test_names_become_those_a_contract_can_have(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "\ufeffVisit Nr;2nd,line;Größe;ok\n1;a;b;c\n")
    raw = RawFile.from_path(tmp_path / "a.csv")
    assert raw.names == {"visit_nr": "Visit Nr", "n2nd_line": "2nd,line", "groe": "Größe", "ok": "ok"}
    assert raw.csv == CsvFormat(";")


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1], "Kind": pl.Series(["a"], dtype=pl.Categorical)}).write_parquet(tmp_path / "a.parquet")
    assert typed(tmp_path / "a.parquet", tmp_path) == {"id": "BIGINT", "kind": "VARCHAR"}


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"id": pl.Series([], dtype=pl.Int64)}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(IngestError, match=r"a\.parquet has no rows"):
        typed(tmp_path / "a.parquet", tmp_path)


def test_moments_in_nanoseconds_become_those_of_contracts(tmp_path: Path) -> None:
    at = pl.Series([datetime(2024, 1, 31)], dtype=pl.Datetime("ns"))
    frame = pl.DataFrame({"at": at, "all": [[at[0]]], "hour": [time(12, 30)]}, schema_overrides={"all": pl.List(at.dtype)})
    frame.write_parquet(tmp_path / "a.parquet")
    assert typed(tmp_path / "a.parquet", tmp_path) == {"at": "TIMESTAMP", "all": "TIMESTAMP[]", "hour": "TIME"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "a.csv is empty; a port needs at least columns"),
        ("a.csv", b"a,b\n", "a.csv has no rows from which a contract can be drafted; give it at least one"),
        ("a.csv", b"a,a\n1,2\n", "a.csv: the column 'a' occurs twice; rename one of them"),
        ("a.csv", b"A b,a_b\n1,2\n", "a.csv: the columns 'A b' and 'a_b' would both be called 'a_b'; rename one of them"),
        ("a.csv", b"a,\n1,2\n", "a.csv: the column 2 has no name in the first line; give it one, or, if the header is on "),
        (
            "a.csv",
            b"7,2024-01-01,x\n8,2024-01-02,y\n",
            "a.csv: its first line holds values, not names: '7', '2024-01-01'; "
            "write a line with the names above it, or, if these are names, declare headerLine: 1 in the property csv of",
        ),
        (
            "a.csv",
            b"DE,Berlin\nFR,Paris\nDE,Hamburg\n",
            "a.csv: its first line holds values, not names: 'DE', 'Berlin'; write a line with the names above it, or, if these "
            "are names, declare headerLine: 1",
        ),
        ("a.csv", b"\xff\xfe\x00", "a.csv is UTF-16; save it as UTF-8, or declare encoding: utf-16"),
        ("a.csv", b'a,b\n1,"2\n3,4\n', "a.csv, line 2: a quote opens a value and is never closed"),
        ("a.csv", b"\n\n", "a.csv is empty; a port needs at least columns"),
        ("a.txt", b"a,b\n1,2\n", "a.txt is none of .parquet, .csv, .csv.gz"),
        ("a.csv", b"a,b\n1\n", "a.csv, line 2: has 1 field, the header has 2"),
        ("a.csv", b"a,b\n1,2\r\n3,4\n", "a.csv cannot be read: its lines must all end the same way"),
        ("a.csv", b"a,b\n1,2,3\n", "a.csv, line 2: has 3 fields, the header has 2"),
        ("a.csv.gz", b"plain", "a.csv.gz is not packed by gzip; give its name the ending .csv"),
        (
            "a.csv.gz",
            gzip.compress(b"a,b\n1,2\n", mtime=0)[:-4],
            "a.csv.gz is not a whole gzip archive, as one that was cut or damaged; ",
        ),
        ("a.parquet", b"nonsense", "a.parquet cannot be read: "),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError) as caught:
        RawFile.from_path(tmp_path / name).write(tmp_path / "typed.parquet")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "typed.parquet").exists()


def test_the_format_of_a_file_is_what_is_declared_and_what_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("sep=;\nName;Preis;Alter\nZo\xeb;1,50;-\nBo;2,00;7".encode("latin-1"))
    declared = {"encoding": "latin-1", "decimalComma": True, "nullMarkers": ["-"]}
    raw = RawFile.from_path(tmp_path / "a.csv", declared)
    assert raw.csv.to_keys() == {"delimiter": ";", "headerLine": 2, "openEnd": True} | declared
    assert raw.write(tmp_path / "typed.parquet") == {}
    import duckdb

    rows = duckdb.sql(f"select name, preis::varchar, alter from '{tmp_path}/typed.parquet'").fetchall()
    assert rows == [("Zoë", "1.50", None), ("Bo", "2.00", 7)]


def test_names_may_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("country,2023,2024\nDE,1,2\n")
    assert RawFile.from_path(tmp_path / "a.csv", {"headerLine": 1}).write(tmp_path / "typed.parquet") == {}
    (tmp_path / "a.csv").write_text("id,2023\n1,2\n")
    assert RawFile.from_path(tmp_path / "a.csv").write(tmp_path / "typed.parquet") == {}


def asked(path: Path, text: str, **csv: object) -> dict[str, str]:
    write(path / "a.csv", text)
    return RawFile.from_path(path / "a.csv", csv).write(path / "typed.parquet")


def test_the_first_line_of_a_file_of_texts_may_be_a_row(tmp_path: Path) -> None:
    texts = "9E,Endeavor\nAA,American\n"
    question = (
        "'9E', 'Endeavor' in the first line are taken as names, not as a row. Right? If not, write a line with names above it"
    )
    assert asked(tmp_path, texts) == {"n9e": question}
    assert asked(tmp_path, texts, headerLine=1) == {}
    assert asked(tmp_path, "id,name\n1,Anna\n2,Bert\n") == {}


def test_a_header_that_is_repeated_is_no_value(tmp_path: Path) -> None:
    repeated = asked(tmp_path, "id,name\n1,Anna\n2,Bert\n3,Carl\nid,name\n4,Dora\n")
    assert repeated["id"] == (
        "is 'id' on line 5 a row of the table? All 4 other values are whole numbers; without that line they have this type"
    )


def test_only_a_csv_file_has_a_format(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(IngestError, match=r"a.parquet is no CSV file, which delimiter would describe"):
        RawFile.from_path(tmp_path / "a.parquet", {"delimiter": ";"})


def test_an_identifier_begins_with_a_letter_and_is_short() -> None:
    assert [identifier(text) for text in ("Store Nr.", "2017", "__", "a" * 80)] == ["store_nr", "n2017", "", "a" * 63]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("date '0044-03-15 (BC)'", "x is '0044-03-15 (BC)', a date column holds the years 1 to 9999; make it null, or text"),
        (
            "timestamp '10000-01-01'",
            "x is '10000-01-01 00:00:00', a timestamp column holds the years 1 to 9999; make it null, or",
        ),
    ],
)
def test_a_moment_that_no_column_holds_is_named_without_a_contract(tmp_path: Path, value: str, says: str) -> None:
    import duckdb

    duckdb.sql(f"copy (select {value} as x) to '{tmp_path}/a.parquet' (format parquet)")
    with pytest.raises(IngestError) as caught:
        RawFile.from_path(tmp_path / "a.parquet").write(tmp_path / "typed.parquet")
    assert f"row 1: {says}" in str(caught.value)
