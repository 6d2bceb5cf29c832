import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import kit
from kit import work
from kit.errors import IngestError
from kit.ingest import Landing, land, package_file
from tests.small_mesh import SmallMesh, contract, write

COLUMNS = [
    ("code", "varchar", {}),
    ("amount", "decimal(10,2)", {}),
    ("number", "bigint", {}),
    ("share", "double", {}),
    ("day", "date", {}),
]
HEADER = "code,amount,number,share,day\n"
ROW = "007,1.50,12,0.25,2024-01-31\n"
VALUES = "'007' as code, 1.5::decimal(10,2) as amount, 12::bigint as number, 0.25::double as share, date '2024-01-31' as day"


@pytest.fixture
def shop(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    small.replace("domains/shop/product.odps.yaml", "raw.sales", "raw.feed")
    write(small.domains / "shop/sources/feed.odcs.yaml", contract("shop.raw.feed", "feed", COLUMNS))
    return small


def ingest(shop: SmallMesh, body: str) -> Landing:
    """Land what a function with this body returns."""
    write(shop.domains / "shop/ingest.py", body)
    product = shop.product("shop")
    return land(product, product.sources[0], shop.root / "raw")


def take(shop: SmallMesh, name: str, content: str | bytes) -> Landing:
    """Land a file of that name and content."""
    file = shop.root / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return ingest(shop, f"def feed():\n    return {str(file)!r}\n")


def parquet(shop: SmallMesh, query: str) -> bytes:
    file = shop.root / "made.parquet"
    with work.connect() as connection:
        connection.execute(f"copy ({query}) to '{file}' (format parquet)")
    return file.read_bytes()


def rows(landing: Landing) -> list[tuple[Any, ...]]:
    with work.connect() as connection:
        return connection.execute(f"select * from '{landing.path}'").fetchall()


def text_rows(landing: Landing) -> list[tuple[str | None, ...]]:
    with work.connect() as connection:
        return connection.execute(f"select columns(*)::varchar from '{landing.path}'").fetchall()


def columns(landing: Landing) -> dict[str, str]:
    with work.connect() as connection:
        work.add_views(connection, {"landed": [landing.path]})
        return work.columns(connection, "landed")


def left(shop: SmallMesh) -> list[str]:
    return sorted(path.name for path in (shop.root / "raw").rglob("*") if path.is_file())


def problem(shop: SmallMesh, name: str, content: str | bytes) -> str:
    with pytest.raises(IngestError) as caught:
        take(shop, name, content)
    assert left(shop) == []
    return str(caught.value)


def body_problem(shop: SmallMesh, body: str) -> str:
    with pytest.raises(IngestError) as caught:
        ingest(shop, body)
    assert left(shop) == []
    return str(caught.value)


def test_a_csv_is_read_with_the_contracts_types(shop: SmallMesh) -> None:
    landing = take(shop, "feed.csv", HEADER + ROW)
    assert columns(landing) == {name: kind for name, kind, _ in COLUMNS}
    assert text_rows(landing) == [("007", "1.50", "12", "0.25", "2024-01-31")]
    assert (landing.source, landing.rows) == ("feed", 1)
    assert landing.path == shop.root / "raw/shop/feed" / f"{landing.digest}.parquet"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("nan,1,1,1,2024-01-01", ("nan", "1.00", "1", "1.0", "2024-01-01")),
        ("NULL,1,1,1,2024-01-01", ("NULL", "1.00", "1", "1.0", "2024-01-01")),
        ("true,1,1,1,2024-01-01", ("true", "1.00", "1", "1.0", "2024-01-01")),
        ("2024-01-31,1,007,1e3,2024-01-01", ("2024-01-31", "1.00", "7", "1000.0", "2024-01-01")),
        (",,,,", (None, None, None, None, None)),
        ('"a, ""b""\nc",-1.25,-1,-1,0001-01-01', ('a, "b"\nc', "-1.25", "-1", "-1.0", "0001-01-01")),
        (" a ,1,9223372036854775807,1,2024-01-01", (" a ", "1.00", "9223372036854775807", "1.0", "2024-01-01")),
    ],
)
def test_no_value_of_a_csv_is_guessed_at(shop: SmallMesh, line: str, found: tuple[str | None, ...]) -> None:
    assert text_rows(take(shop, "feed.csv", HEADER + line + "\n")) == [found]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "a,x,1,1,2024-01-01",
            'Conversion Error: CSV Error on Line: 2: Error when converting column "amount". '
            "Could not convert string \"x\" to 'DECIMAL'",
        ),
        (
            "a,1,1,1,31.01.2024",
            'Conversion Error: CSV Error on Line: 2: Error when converting column "day". '
            "Could not convert string \"31.01.2024\" to 'TIMESTAMP'",
        ),
        (
            "a,1,1,one,2024-01-01",
            'Conversion Error: CSV Error on Line: 2: Error when converting column "share". '
            "Could not convert string \"one\" to 'DOUBLE'",
        ),
        ("a,1.505,1,1,2024-01-01", "Invalid Input Error: 1.50500000000 in column amount is not exactly a decimal(10,2)"),
        ("a,1,1.5,1,2024-01-01", "Invalid Input Error: 1.500000000 in column number is not exactly a bigint"),
        ("a,1,1,1,2024-01-01 12:00", "Invalid Input Error: 2024-01-01 12:00:00 in column day is not exactly a date"),
        ("a,1,1,1", "Invalid Input Error: CSV Error on Line: 2: Expected Number of Columns: 5 Found: 4"),
        ("a,1,1,1,2024-01-01,x", "Invalid Input Error: CSV Error on Line: 2: Expected Number of Columns: 5 Found: 6"),
        ('"a"b,1,1,1,2024-01-01', "Invalid Input Error: CSV Error on Line: 2: Value with unterminated quote found."),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused_with_line_or_column(shop: SmallMesh, line: str, reason: str) -> None:
    assert problem(shop, "feed.csv", HEADER + line + "\n") == (
        f"shop.raw.feed: feed.csv cannot be read with the contract's types: {reason}"
    )


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("code,amount,number,share\n", "code, amount, number, share"),
        ("code,amount,number,share,day,more\n", "code, amount, number, share, day, more"),
        ("code,amount,number,share,share\n", "code, amount, number, share, share"),
        ("code,code,amount,number,share,day\n", "code, code, amount, number, share, day"),
        ("Code,amount,number,share,day\n", "Code, amount, number, share, day"),
        ("code;amount;number;share;day\n", "code;amount;number;share;day"),
        ("", "none"),
    ],
)
def test_other_columns_than_the_contracts_are_refused(shop: SmallMesh, header: str, found: str) -> None:
    assert problem(shop, "feed.csv", header) == (
        f"shop.raw.feed: the columns of feed.csv are {found}; the contract says code, amount, number, share, day"
    )


def test_reordered_columns_of_a_csv_are_put_in_the_contracts_order(shop: SmallMesh) -> None:
    landing = take(shop, "feed.csv", "day,share,number,amount,code\n2024-01-31,0.25,12,1.50,007\n")
    assert text_rows(landing) == [("007", "1.50", "12", "0.25", "2024-01-31")]


@pytest.mark.parametrize(
    "content", [HEADER + ROW, "\ufeff" + HEADER + ROW, (HEADER + ROW).replace("\n", "\r\n"), (HEADER + ROW).rstrip()]
)
def test_a_csv_of_any_usual_make_is_read(shop: SmallMesh, content: str) -> None:
    assert text_rows(take(shop, "feed.csv", content)) == [("007", "1.50", "12", "0.25", "2024-01-31")]


def test_a_csv_without_rows_lands_without_rows(shop: SmallMesh) -> None:
    landing = take(shop, "feed.csv", HEADER)
    assert (landing.rows, rows(landing)) == (0, [])


def test_a_csv_that_is_not_utf8_is_refused(shop: SmallMesh) -> None:
    assert problem(shop, "feed.csv", HEADER.encode() + b"caf\xe9,1,1,1,2024-01-01\n") == (
        "shop.raw.feed: feed.csv is not readable UTF-8 CSV: "
        "'utf-8' codec can't decode byte 0xe9 in position 32: invalid continuation byte"
    )


def test_a_header_without_end_is_refused(shop: SmallMesh) -> None:
    assert problem(shop, "feed.csv", "x" * 200_000) == (
        "shop.raw.feed: feed.csv is not readable UTF-8 CSV: field larger than field limit (131072)"
    )


def test_a_packed_csv_is_read(shop: SmallMesh) -> None:
    landing = take(shop, "feed.csv.gz", gzip.compress((HEADER + ROW).encode()))
    assert text_rows(landing) == [("007", "1.50", "12", "0.25", "2024-01-31")]


def damaged(packed: bytes) -> bytes:
    return packed[:-8] + bytes(8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nope", "Not a gzipped file (b'no')"),
        (
            gzip.compress((HEADER + ROW * 99).encode())[:-8],
            "Compressed file ended before the end-of-stream marker was reached",
        ),
        (gzip.compress((HEADER + ROW).encode())[:20], "Compressed file ended before the end-of-stream marker was reached"),
        (damaged(gzip.compress(HEADER.encode(), mtime=0)), "CRC check failed 0x0 != 0x"),
    ],
)
def test_a_damaged_archive_is_refused(shop: SmallMesh, content: bytes, reason: str) -> None:
    message = problem(shop, "feed.csv.gz", content)
    assert message.startswith(f"shop.raw.feed: feed.csv.gz is not readable UTF-8 CSV: {reason}")


def test_a_parquet_file_of_the_contracts_types_is_kept_byte_for_byte(shop: SmallMesh) -> None:
    content = parquet(shop, f"select {VALUES} from range(10)")
    landing = take(shop, "feed.parquet", content)
    assert landing.path.read_bytes() == content
    assert landing.rows == 10


def test_reordered_columns_of_a_parquet_file_are_kept_as_they_are(shop: SmallMesh) -> None:
    content = parquet(shop, f"select day, share, number, amount, code from (select {VALUES})")
    assert take(shop, "feed.parquet", content).path.read_bytes() == content


def test_a_parquet_file_of_other_types_is_turned_into_the_contracts(shop: SmallMesh) -> None:
    query = "select 7 as code, 1.5::double as amount, '12' as number, 0.25::float as share, timestamp '2024-01-31' as day"
    landing = take(shop, "feed.parquet", parquet(shop, query))
    assert columns(landing) == {name: kind for name, kind, _ in COLUMNS}
    assert text_rows(landing) == [("7", "1.50", "12", "0.25", "2024-01-31")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("1.5::double as number", "1.5 in column number is not exactly a bigint"),
        ("'1.5' as number", "1.5 in column number is not exactly a bigint"),
        ("1.505::decimal(10,3) as amount", "1.505 in column amount is not exactly a decimal(10,2)"),
        ("timestamp '2024-01-31 12:00:00' as day", "2024-01-31 12:00:00 in column day is not exactly a date"),
        ("'2024-01-31 12:00' as day", "2024-01-31 12:00 in column day is not exactly a date"),
    ],
)
def test_nothing_is_rounded_off_in_silence(shop: SmallMesh, change: str, reason: str) -> None:
    content = parquet(shop, f"select * replace ({change}) from (select {VALUES})")
    assert problem(shop, "feed.parquet", content) == (
        f"shop.raw.feed: feed.parquet cannot be read with the contract's types: Invalid Input Error: {reason}"
    )


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select * exclude (day) from (select {})", "column 'day' (date) is missing"),
        ("select *, 1 as more from (select {})", "column 'more' (integer) is not in the contract"),
        (
            "select * rename (code as Code) from (select {})",
            "column 'code' (varchar) is missing; column 'Code' (varchar) is not in the contract",
        ),
    ],
)
def test_other_columns_of_a_parquet_file_are_refused(shop: SmallMesh, query: str, reason: str) -> None:
    assert problem(shop, "feed.parquet", parquet(shop, query.format(VALUES))) == (
        f"shop.raw.feed: feed.parquet breaks its contract: {reason}"
    )


def test_a_parquet_value_that_is_not_of_its_type_is_refused(shop: SmallMesh) -> None:
    content = parquet(shop, f"select * replace ('x' as share) from (select {VALUES})")
    assert problem(shop, "feed.parquet", content) == (
        "shop.raw.feed: feed.parquet cannot be read with the contract's types: Conversion Error: "
        "Could not convert string 'x' to DOUBLE when casting from source column share"
    )


@pytest.mark.parametrize("place", [0.01, 0.25, 0.5, 0.75])
def test_a_parquet_file_damaged_anywhere_is_refused(shop: SmallMesh, place: float) -> None:
    varied = f"select * replace (hash(i)::varchar as code, i as number) from (select {VALUES}) join range(50000) t(i) on true"
    content = bytearray(parquet(shop, f"select * exclude (i) from ({varied})"))
    start = int(len(content) * place)
    content[start : start + 64] = b"\xff" * 64
    assert problem(shop, "feed.parquet", bytes(content)).startswith(
        "shop.raw.feed: feed.parquet cannot be read with the contract's types: "
    )


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(shop: SmallMesh, content: bytes) -> None:
    assert problem(shop, "feed.parquet", content).startswith(
        "shop.raw.feed: feed.parquet cannot be read with the contract's types: "
    )


def test_a_file_of_another_kind_is_refused(shop: SmallMesh) -> None:
    assert problem(shop, "feed.xlsx", "x") == (
        "shop.raw.feed: feed.xlsx is neither .parquet nor .csv; return such a path or a polars frame"
    )


def test_a_file_that_is_not_there_is_named(shop: SmallMesh) -> None:
    path = shop.domains / "shop" / "none.csv"
    assert body_problem(shop, "def feed():\n    return 'none.csv'\n") == f"shop.raw.feed: there is no file {path}"


FRAME = (
    "import datetime, polars\n"
    "def feed():\n"
    "    frame = polars.DataFrame({'code': ['007'], 'amount': ['1.50'], 'number': [12], 'share': [0.25],"
    " 'day': [datetime.date(2024, 1, 31)]})\n"
    "    return frame"
)


@pytest.mark.parametrize("ending", ["", ".lazy()"])
def test_a_polars_frame_lands_with_the_contracts_types(shop: SmallMesh, ending: str) -> None:
    landing = ingest(shop, FRAME + ending + "\n")
    assert columns(landing) == {name: kind for name, kind, _ in COLUMNS}
    assert rows(landing)[0][4] == date(2024, 1, 31)
    assert text_rows(landing) == [("007", "1.50", "12", "0.25", "2024-01-31")]
    assert left(shop) == [landing.path.name]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (
            ".drop('day')",
            "the frame breaks its contract: column 'day' (date) is missing; column 'amount' is varchar, "
            "the contract says decimal(10,2)",
        ),
        (
            ".lazy().select('none')",
            'the frame cannot be written: ColumnNotFoundError: unable to find column "none"; '
            'valid columns: ["code", "amount", "number", "share", "day"]',
        ),
        (
            ".with_columns(number=polars.lit(1.5))",
            "the frame cannot be read with the contract's types: "
            "Invalid Input Error: 1.5 in column number is not exactly a bigint",
        ),
        (".to_dict()", "returned a dict; return a path or a polars frame"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(shop: SmallMesh, ending: str, reason: str) -> None:
    assert body_problem(shop, FRAME + ending + "\n") == f"shop.raw.feed: {reason}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "has no function 'feed'; write one that returns the raw data's path or frame"),
        ("feed = 'feed.csv'\n", "has no function 'feed'; write one that returns the raw data's path or frame"),
        ("def feed():\n    raise ValueError('no feed')\n", "feed() failed: ValueError: no feed"),
        ("def feed():\n    raise SystemExit(0)\n", "feed() failed: SystemExit: 0"),
        (
            "def feed(day):\n    return day\n",
            "feed() failed: TypeError: feed() missing 1 required positional argument: 'day'",
        ),
        ("import none_such\n", "fails on import: ModuleNotFoundError: No module named 'none_such'"),
        ("def feed(:\n", "fails on import: SyntaxError: invalid syntax (ingest.py, line 1)"),
        ("raise SystemExit(0)\n", "fails on import: SystemExit: 0"),
    ],
)
def test_an_ingest_file_that_fails_is_named(shop: SmallMesh, body: str, reason: str) -> None:
    assert body_problem(shop, body) == f"domains/shop/ingest.py: {reason}"


def test_an_ingest_error_of_the_teams_own_is_passed_on(shop: SmallMesh) -> None:
    body = "from kit.errors import IngestError\ndef feed():\n    raise IngestError('the feed is late')\n"
    assert body_problem(shop, body) == "the feed is late"


def test_the_domain_folder_is_left_as_it_was(shop: SmallMesh) -> None:
    take(shop, "feed.csv", HEADER + ROW)
    assert list(shop.domains.rglob("__pycache__")) == []


@pytest.mark.parametrize("again", ["file", "frame"])
def test_the_same_content_lands_once(shop: SmallMesh, again: str) -> None:
    def once() -> Landing:
        return take(shop, "feed.csv", HEADER + ROW) if again == "file" else ingest(shop, FRAME + "\n")

    first = once()
    content = first.path.read_bytes()
    assert once() == first
    assert first.path.read_bytes() == content
    assert left(shop) == [first.path.name]


def test_other_content_lands_beside_it(shop: SmallMesh) -> None:
    first = take(shop, "feed.csv", HEADER + ROW)
    second = take(shop, "feed.csv", HEADER + ROW * 2)
    assert left(shop) == sorted([first.path.name, second.path.name])
    assert (first.rows, second.rows) == (1, 2)


def test_the_same_content_lands_anew_under_another_contract(shop: SmallMesh) -> None:
    first = take(shop, "feed.csv", HEADER + ROW)
    shop.replace("domains/shop/sources/feed.odcs.yaml", "bigint", "integer")
    second = take(shop, "feed.csv", HEADER + ROW)
    assert second.path != first.path
    assert columns(second)["number"] == "integer"


def test_a_file_of_a_package_is_found() -> None:
    assert package_file("kit", "errors.py") == Path(kit.__file__).parent / "errors.py"


@pytest.mark.parametrize(
    ("package", "problem"),
    [
        ("none_such", "the package 'none_such' is not installed; install it with `pip install none_such`"),
        ("none_such.data", "the package 'none_such.data' is not installed; install it with `pip install none_such.data`"),
        ("kit", "the package 'kit' has no file none.csv"),
    ],
)
def test_a_package_or_file_that_is_missing_is_named(package: str, problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        package_file(package, "none.csv")
    assert str(caught.value) == problem


def test_ingest_py_may_import_the_files_beside_it_and_is_forgotten_afterwards(shop: SmallMesh) -> None:
    import sys

    (shop.domains / "shop" / "places.py").write_text("FEED = 'feed.csv'\n")
    (shop.domains / "shop" / "feed.csv").write_text(HEADER + ROW)
    body = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport places\n\n"
        "@dataclass\nclass Where:\n    path: str\n\ndef feed():\n    return Where(places.FEED).path\n"
    )
    assert ingest(shop, body).rows == 1
    assert "places" not in sys.modules
    assert not list((shop.domains / "shop").rglob("__pycache__"))
