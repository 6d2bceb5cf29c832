import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.core import database
from kit.core.errors import IngestError
from kit.core.files import has_sum
from kit.ingest import typed_reader
from kit.ingest.connector import Origin
from kit.ingest.erased import erase_keys
from kit.ingest.landing import LandedSource
from kit.ingest.typed_reader import FileSchema
from tests.support.landing import land_source
from tests.support.small_mesh import SmallMesh, contract, write

COLUMNS = [
    ("code", "varchar", {}),
    ("amount", "decimal(10,2)", {}),
    ("number", "bigint", {}),
    ("share", "double", {}),
    ("day", "date", {}),
]
HEADER = "code,amount,number,share,day\n"
ROW = "007,1.50,12,0.25,2024-01-31\n"
RETURN = "return a path, a polars frame, an iterator of mappings or frames, or a connector"
VALUES = "'007' as code, 1.5::decimal(10,2) as amount, 12::bigint as number, 0.25::double as share, date '2024-01-31' as day"


@pytest.fixture
def shop(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    small.replace("domains/shop/product.odps.yaml", "raw.sales", "raw.feed")
    write(small.domains / "shop/sources/feed.odcs.yaml", contract("shop.raw.feed", "feed", COLUMNS, reads="../.."))
    return small


def ingest(shop: SmallMesh, body: str) -> LandedSource:
    """Land what a function with this body returns."""
    write(shop.domains / "shop/ingest.py", body)
    product = shop.product("shop")
    return land_source(shop.config, product, shop.root / "raw")


def take(shop: SmallMesh, name: str, content: str | bytes) -> LandedSource:
    """Land a file of that name and content."""
    file = shop.root / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return ingest(shop, f"def feed():\n    return {str(file)!r}\n")


def parquet(shop: SmallMesh, query: str) -> bytes:
    file = shop.root / "made.parquet"
    with database.connect() as connection:
        connection.execute(f"copy ({query}) to '{file}' (format parquet)")
    return file.read_bytes()


def rows(landing: LandedSource) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(f"select * from '{landing.path}'").fetchall()


def text_rows(landing: LandedSource) -> list[tuple[str | None, ...]]:
    with database.connect() as connection:
        return connection.execute(f"select columns(*)::varchar from '{landing.path}'").fetchall()


def columns(landing: LandedSource) -> dict[str, str]:
    with database.connect() as connection:
        database.add_views(connection, {"landed": [landing.path]})
        return database.column_types(connection, "landed")


def left(shop: SmallMesh) -> list[str]:
    return sorted(path.name for path in (shop.root / "raw").rglob("*") if path.is_file())


def files(landing: LandedSource) -> list[str]:
    """The names of landed data and of its checksum."""
    return [landing.path.name, landing.path.with_suffix(".sha256").name]


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


def test_a_refused_file_leaves_nothing_behind(shop: SmallMesh) -> None:
    assert problem(shop, "feed.csv", f"{HEADER}a,x,1,1,2024-01-01\n") == (
        "shop.raw.feed: feed.csv, line 2: amount is 'x', the contract says decimal(10,2)"
    )


def test_a_link_to_a_file_is_followed(shop: SmallMesh) -> None:
    (shop.root / "there.csv").write_text(HEADER + ROW)
    (shop.domains / "shop/feed.csv").symlink_to(shop.root / "there.csv")
    assert ingest(shop, "def feed():\n    return 'feed.csv'\n").rows == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return 'none.csv'", "/none.csv does not exist; return the path of a file"),
        ("return ''", " is no file, but a folder or a device; return the path of a file"),
        ("return 'models'", "/models is no file, but a folder or a device; return the path of a file"),
        ("return 'pipe.csv'", "/pipe.csv is no file, but a folder or a device; return the path of a file"),
        ("return 'link.csv'", "/link.csv does not exist; return the path of a file"),
    ],
)
def test_what_is_no_file_is_named(shop: SmallMesh, body: str, problem: str) -> None:
    folder = shop.domains / "shop"
    os.mkfifo(folder / "pipe.csv")
    (folder / "link.csv").symlink_to("gone.csv")
    assert body_problem(shop, f"def feed():\n    {body}\n") == f"shop.raw.feed: {folder}{problem}"


def test_an_invalid_path_is_refused(shop: SmallMesh) -> None:
    assert body_problem(shop, "def feed():\n    return 'a' * 300\n") == (
        "shop.raw.feed: the path it returned is invalid: File name too long"
    )


def test_a_file_that_changes_while_it_is_read_is_refused(shop: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(label: str, schema: FileSchema, path: Path, target: Path) -> None:
        typed_reader.convert(label, schema, path, target)
        with path.open("a") as file:
            file.write(ROW)

    monkeypatch.setattr("kit.ingest.landing.convert", convert)
    assert problem(shop, "feed.csv", HEADER + ROW) == (
        "shop.raw.feed: feed.csv changed while it was read; give it its name once it is complete"
    )


def test_what_ingest_py_prints_is_no_output_of_the_command(shop: SmallMesh, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.domains / "shop/feed.csv").write_text(HEADER + ROW)
    ingest(shop, "print('loaded')\ndef feed():\n    print('called')\n    return 'feed.csv'\n")
    assert capsys.readouterr() == ("", "loaded\ncalled\n")


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
    assert left(shop) == files(landing)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (
            ".drop('day')",
            "the frame: 'day' is missing",
        ),
        (
            ".lazy().select('none')",
            'the frame cannot be written: ColumnNotFoundError: unable to find column "none"; '
            'valid columns: ["code", "amount", "number", "share", "day"]',
        ),
        (
            ".with_columns(number=polars.lit(1.5))",
            "the frame, row 1: number is '1.5', the contract says bigint",
        ),
        (
            ".with_columns(number=polars.lit(1, polars.Int128))",
            "the frame: 'number' is Int128, which no column can hold; make it a decimal of at most 38 digits, or text",
        ),
        (
            ".with_columns(number=polars.lit(datetime.timedelta(1)))",
            "the frame: 'number' is Duration, which no column can hold; make it a number with the unit in its name, such as "
            "dt.total_seconds()",
        ),
        (
            ".with_columns(code=polars.Series([object()], dtype=polars.Object))",
            "the frame: 'code' is Object, which no column can hold; make it text, a number, a date or a timestamp",
        ),
        (".to_pandas()", f"returned a pandas.DataFrame; {RETURN}"),
        (".to_dict()", f"returned a dict; {RETURN}"),
        (" if False else None", f"returned nothing; {RETURN}"),
        (".to_series()", f"returned a polars.series.series.Series; {RETURN}"),
        (
            ".with_columns(code=polars.struct('number'))",
            "the frame: 'code' is Struct, which no column can hold; make each of its fields a column",
        ),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(shop: SmallMesh, ending: str, reason: str) -> None:
    assert body_problem(shop, FRAME + ending + "\n") == f"shop.raw.feed: {reason}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "has no function 'feed'; write one that returns a path, a frame, an iterator or a connector"),
        ("feed = 'feed.csv'\n", "has no function 'feed'; write one that returns a path, a frame, an iterator or a connector"),
        ("def feed():\n    raise ValueError('no feed')\n", "feed() failed: ValueError: no feed"),
        ("def feed():\n    raise ValueError('two\\nlines')\n", "feed() failed: ValueError: two"),
        ("def feed():\n    raise SystemExit(0)\n", "feed() failed: SystemExit: 0"),
        ("def feed():\n    raise MemoryError\n", "feed() failed: MemoryError"),
        ("class Stop(BaseException): pass\ndef feed():\n    raise Stop('now')\n", "feed() failed: Stop: now"),
        (
            "import polars\ndef feed():\n    raise polars.exceptions.PanicException('in Rust')\n",
            "feed() failed: PanicException: in Rust",
        ),
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
    body = "from kit.core.errors import IngestError\ndef feed():\n    raise IngestError('the feed is late')\n"
    assert body_problem(shop, body) == "the feed is late"


def test_the_domain_folder_is_left_as_it_was(shop: SmallMesh) -> None:
    take(shop, "feed.csv", HEADER + ROW)
    assert list(shop.domains.rglob("__pycache__")) == []


@pytest.mark.parametrize("again", ["file", "frame"])
def test_the_same_content_lands_once(shop: SmallMesh, again: str) -> None:
    def once() -> LandedSource:
        return take(shop, "feed.csv", HEADER + ROW) if again == "file" else ingest(shop, FRAME + "\n")

    first = once()
    content = first.path.read_bytes()
    assert once() == first
    assert first.path.read_bytes() == content
    assert left(shop) == files(first)


@pytest.mark.parametrize("damage", ["csv", "cut", "columns", "empty", "flipped", "folder", "without sum"])
@pytest.mark.parametrize("again", ["file", "frame"])
def test_landed_data_that_is_damaged_lands_again(shop: SmallMesh, damage: str, again: str) -> None:
    def once() -> LandedSource:
        return take(shop, "feed.csv", HEADER + ROW) if again == "file" else ingest(shop, FRAME + "\n")

    first = once()
    content = first.path.read_bytes()
    bad = {"csv": (HEADER + ROW).encode(), "cut": content[:-20], "columns": parquet(shop, "select 1 as code"), "empty": b""}
    bad["flipped"] = content[:10] + bytes([content[10] ^ 1]) + content[11:]
    if damage == "without sum":  # an earlier kit landed it
        first.path.with_suffix(".sha256").unlink()
    elif damage == "folder":
        first.path.unlink()
        first.path.mkdir()
    else:
        times = first.path.stat()
        first.path.write_bytes(bad[damage])
        os.utime(first.path, ns=(times.st_atime_ns, times.st_mtime_ns))  # a disk that rots tells nobody
    again_landed = once()
    assert (again_landed, has_sum(first.path)) == (first, True)
    assert first.path.read_bytes() == content
    # The content was delivered when it was landed first, unless nothing is left of that.
    assert again == "file" or damage == "folder" or again_landed.delivered == first.delivered


def test_a_csv_of_texts_only_lands_as_parquet(shop: SmallMesh) -> None:
    texts = [("carrier", "varchar", {}), ("name", "varchar", {})]
    write(shop.domains / "shop/sources/feed.odcs.yaml", contract("shop.raw.feed", "feed", texts, reads="../.."))
    assert rows(take(shop, "feed.csv", "carrier,name\n9E,Endeavor\n")) == [("9E", "Endeavor")]


def test_a_parquet_file_below_a_folder_named_key_value_has_its_own_columns_only(shop: SmallMesh) -> None:
    (shop.root / "year=2024").mkdir()
    landing = take(shop, "year=2024/feed.parquet", parquet(shop, f"select {VALUES}"))
    assert columns(landing) == {name: kind for name, kind, _ in COLUMNS}


def test_other_content_lands_beside_it(shop: SmallMesh) -> None:
    first = take(shop, "feed.csv", HEADER + ROW)
    second = take(shop, "feed.csv", HEADER + ROW * 2)
    assert left(shop) == sorted(files(first) + files(second))
    assert (first.rows, second.rows) == (1, 2)


def test_the_same_content_lands_anew_under_another_contract(shop: SmallMesh) -> None:
    first = take(shop, "feed.csv", HEADER + ROW)
    shop.replace("domains/shop/sources/feed.odcs.yaml", "bigint", "integer")
    second = take(shop, "feed.csv", HEADER + ROW)
    assert second.path != first.path
    assert columns(second)["number"] == "integer"


def test_the_contract_says_how_columns_are_called_and_parted_in_the_file(shop: SmallMesh) -> None:
    path = shop.domains / "shop/sources/feed.odcs.yaml"
    data = json.loads(
        contract("shop.raw.feed", "feed", [("code", "varchar", {"physicalName": "Code Nr."}), *COLUMNS[1:]], reads="../..")
    )
    data["customProperties"].append({"property": "csv", "value": {"delimiter": ";"}})
    write(path, json.dumps(data))
    content = (HEADER.replace("code", "Code Nr.") + ROW).replace(",", ";")
    assert text_rows(take(shop, "feed.csv", content)) == [("007", "1.50", "12", "0.25", "2024-01-31")]
    frame = FRAME.replace("'code'", "'Code Nr.'") + "\n"
    assert text_rows(ingest(shop, frame)) == [("007", "1.50", "12", "0.25", "2024-01-31")]


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


def test_a_file_was_delivered_when_it_was_last_changed(shop: SmallMesh) -> None:
    file = shop.root / "feed.csv"
    file.write_text(HEADER + ROW)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    landed = ingest(shop, f"def feed():\n    return {str(file)!r}\n")
    assert landed.delivered == datetime.fromtimestamp(1_700_000_000, UTC)


def test_what_the_function_makes_itself_was_delivered_when_its_content_came_first(shop: SmallMesh) -> None:
    frame = "import polars as pl\nfrom datetime import date\nfrom decimal import Decimal\n"
    frame += "def feed():\n    return pl.DataFrame({'code': ['7'], 'amount': [Decimal('1.50')], 'number': [1], 'share': [0.5], "
    frame += "'day': [date(2024, 1, 31)]})\n"
    first = ingest(shop, frame)
    os.utime(first.path, (1_700_000_000, 1_700_000_000))
    assert ingest(shop, frame).delivered == datetime.fromtimestamp(1_700_000_000, UTC)
    write_it = f"__import__('pathlib').Path({str(shop.domains / 'shop/new.csv')!r}).write_text({HEADER + ROW!r})"
    written = f"def feed():\n    {write_it}\n    return 'new.csv'\n"
    os.utime(ingest(shop, written).path, (1_700_000_000, 1_700_000_000))
    assert ingest(shop, written).delivered == datetime.fromtimestamp(1_700_000_000, UTC)


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("datetime(2024, 5, 1, 6)", "2024-05-01T06:00:00+00:00"),
        ("datetime(2024, 5, 1, 6, tzinfo=timezone(timedelta(hours=2)))", "2024-05-01T04:00:00+00:00"),
        ("date(2024, 5, 1)", "2024-05-01T00:00:00+00:00"),
        ("'2024-05-01'", "2024-05-01T00:00:00+00:00"),
        ("'2024-05-01T06:00:00+02:00'", "2024-05-01T04:00:00+00:00"),
    ],
)
def test_a_source_says_when_it_was_delivered(shop: SmallMesh, at: str, moment: str) -> None:
    (shop.root / "feed.csv").write_text(HEADER + ROW)
    body = "from datetime import date, datetime, timedelta, timezone\nfrom kit.ingest import Delivery\n"
    landed = ingest(shop, f"{body}def feed():\n    return Delivery('../../feed.csv', {at})\n")
    assert (landed.delivered.isoformat(), landed.rows) == (moment, 1)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("'last week'", "delivered at 'last week', which is no time; give a datetime, a date, or its ISO text"),
        ("None", "delivered at None, which is no time"),
        ("7", "delivered at 7, which is no time"),
        ("'2999-01-01'", "delivered at 2999-01-01 00:00 UTC, which is in the future; correct the time"),
    ],
)
def test_a_delivery_without_a_time_is_refused(shop: SmallMesh, at: str, says: str) -> None:
    (shop.root / "feed.csv").write_text(HEADER + ROW)
    with pytest.raises(IngestError, match=f"shop.raw.feed: {says}"):
        ingest(shop, f"from kit.ingest import Delivery\ndef feed():\n    return Delivery('../../feed.csv', {at})\n")


@pytest.mark.parametrize("table", ["sources/feed", "contracts/sales"])
@pytest.mark.parametrize("name", ["feed.csv", "feed.parquet"])
def test_a_value_of_a_hidden_column_is_not_quoted(shop: SmallMesh, table: str, name: str) -> None:
    path = shop.domains / "shop" / f"{table}.odcs.yaml"
    column = "number" if table == "sources/feed" else "item"
    write(path, path.read_text().replace(f'"name": "{column}"', f'"name": "{column}", "classification": "personal"'))
    source = shop.domains / "shop/sources/feed.odcs.yaml"
    write(source, source.read_text().replace('"name": "number"', f'"name": "{column}"'))
    if name == "feed.csv":
        content: str | bytes = HEADER.replace("number", column) + ROW.replace("12,", "ZZ47,")
    else:
        content = parquet(shop, f"select {VALUES.replace('12::bigint as number', repr('ZZ47') + f' as {column}')}")
    with pytest.raises(IngestError) as error:
        take(shop, name, content)
    assert f"{column} is of another form (the value is personal or masked, and not shown), the contract says" in str(
        error.value
    )
    assert "ZZ47" not in str(error.value)


def test_a_file_is_the_origin_of_its_source_unless_the_function_has_made_it(shop: SmallMesh) -> None:
    landed = take(shop, "feed.csv", HEADER + ROW)
    assert landed.origins == (Origin("file", str((shop.root / "feed.csv").resolve())),)
    made = "import pathlib, tempfile\ndef feed():\n    path = pathlib.Path(tempfile.mkdtemp(), 'x.csv')\n"
    landed = ingest(shop, f"{made}    path.write_text({HEADER + ROW!r})\n    return path\n")
    assert landed.origins == ()


TWO = (
    "polars.DataFrame({'code': ['007', '008'], 'amount': ['1.50', '1.50'], 'number': [12, 12], 'share': [0.25, 0.25],"
    " 'day': [datetime.date(2024, 1, 31)] * 2})"
)


@pytest.mark.parametrize("body", ["return 'feed.csv'", f"return {TWO}", f"yield {TWO}"])
def test_rows_of_erased_keys_do_not_land_again(shop: SmallMesh, body: str) -> None:
    (shop.domains / "shop/feed.csv").write_text(HEADER + ROW + ROW.replace("007", "008", 1))
    code = f"import datetime, polars\ndef feed():\n    {body}\n"
    before = ingest(shop, code)
    erase_keys(shop.root, {"shop.raw.feed": {"code": ["008"]}})
    after = ingest(shop, code)
    assert (before.rows, after.rows, [row[0] for row in text_rows(after)]) == (2, 1, ["007"])
    assert (after.digest != before.digest, ingest(shop, code)) == (True, after)
    assert [path.name for path in after.path.parent.iterdir() if path.name.startswith(".")] == []
