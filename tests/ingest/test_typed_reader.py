"""What is refused at the gate and in which sentence; what is odd, but right."""

import base64
import gzip
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from kit.contracts.contract import Contract
from kit.contracts.csv_format import CsvFormat
from kit.core import database
from kit.core.errors import IngestError
from kit.ingest.csv_table import CsvTable
from kit.ingest.typed_reader import FileSchema, convert
from kit.quality import volume
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from tests.support.small_mesh import contract, valid, write

TYPES = {
    "code": "varchar", "amount": "decimal(10,2)", "number": "bigint", "small": "tinyint", "share": "double", "day": "date",
    "at": "timestamp", "zoned": "timestamp with time zone", "clock": "time", "flag": "boolean", "ident": "uuid", "more": "json",
    "list": "bigint[]",
}  # fmt: skip
GOOD = {
    "code": "007", "amount": "1.50", "number": "12", "small": "1", "share": "0.25", "day": "2024-01-31",
    "at": "2024-01-31 12:30:00", "zoned": "2024-01-31 12:30:00+00", "clock": "12:30:00", "flag": "true",
    "ident": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "more": '"{""a"":1}"', "list": '"[1, 2]"',
}  # fmt: skip
SEEN = {**GOOD, "more": '{"a":1}', "list": "[1, 2]"}
HEADER, ROW = ",".join(GOOD), ",".join(GOOD.values())
FILE = f"{HEADER}\n{ROW}\n"
DAY, AT = "date, written 2024-01-31", "timestamp, written 2024-01-31 12:30:00, in UTC"
ZONED, CLOCK = "timestamp with time zone, written 2024-01-31 12:30:00+01:00", "time, written 12:30:00"


def line(**changed: str) -> str:
    return ",".join((GOOD | changed).values())


def parquet(folder: Path, **changed: str) -> bytes:
    """A Parquet file of one row, `changed` columns given by SQL expressions, others as the contract has them."""
    values = {name: changed.get(name, f"{database.literal(SEEN[name])}::{kind}") for name, kind in TYPES.items()}
    values |= {name: value for name, value in changed.items() if name not in TYPES}
    return query(folder, "select " + ", ".join(f'{value} as "{name}"' for name, value in values.items() if value))


def query(folder: Path, text: str) -> bytes:
    made = folder / "made.parquet"
    with database.connect() as connection:
        connection.execute(f"set timezone = 'UTC'; copy ({text}) to '{made}' (format parquet)")
    return made.read_bytes()


def schema(types: dict[str, str] = TYPES) -> FileSchema:
    """These columns, called in the file as in the contract."""
    return FileSchema(types, {name: name for name in types})


def take(folder: Path, name: str, content: str | bytes, wanted: FileSchema | None = None) -> list[tuple[Any, ...]]:
    """The rows, as text, that a file of this name and content is turned into."""
    wanted = wanted or schema()
    origin, target = folder / name, folder / "landed"
    origin.write_bytes(content.encode() if isinstance(content, str) else content)
    convert(name, wanted, origin, target)
    with database.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"create view landed as select * from read_parquet('{target}')")
        assert database.column_types(connection, "landed") == wanted.types
        return connection.execute("select columns(*)::varchar from landed").fetchall()


def refused(folder: Path, name: str, content: str | bytes, wanted: FileSchema | None = None) -> str:
    with pytest.raises(IngestError) as caught:
        take(folder, name, content, wanted)
    assert not (folder / "landed").exists()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) <= 300
    return message


NULL = "; if it means a missing value, declare nullMarkers:"
CSV = "in the property csv of its contract"
COMMA = f"; if all numbers are written so, declare decimalComma: true {CSV}"
VALUES = [
    ("amount", "x", "decimal(10,2)"),
    ("amount", "1.505", "decimal(10,2)"),
    ("amount", "123456789.00", "decimal(10,2)"),
    ("amount", '"1,50"', f"decimal(10,2){COMMA}"),
    ("amount", '"1,000.00"', "decimal(10,2)"),
    ("amount", "1_000", "decimal(10,2)"),
    ("amount", "$1.50", "decimal(10,2)"),
    ("amount", "nan", f'decimal(10,2){NULL} ["nan"] {CSV}'),
    ("amount", "NULL", f'decimal(10,2){NULL} ["NULL"] {CSV}'),
    ("amount", "1\N{NO-BREAK SPACE}000", "decimal(10,2)"),
    ("number", "1.5", "bigint"),
    ("number", "1.000", "bigint"),
    ("number", "1e-1", "bigint"),
    ("number", "0x10", "bigint"),
    ("number", "9223372036854775808", "bigint"),
    ("number", "\N{FULLWIDTH DIGIT ONE}", "bigint"),
    ("number", "N/A", f'bigint{NULL} ["N/A"] {CSV}'),
    ("small", "128", "tinyint"),
    ("share", "one", "double"),
    (
        "share",
        '"0,25"',
        f"double{COMMA}",
    ),
    ("share", "25%", "double"),
    ("share", "1e400", "double"),
    ("share", "1e-400", "double"),
    ("share", "1234567890123456789", "double"),
    ("day", "31.01.2024", DAY),
    ("day", "01/31/2024", DAY),
    ("day", "20240131", DAY),
    ("day", "2024-02-30", DAY),
    ("day", "2023-02-29", DAY),
    ("day", "2024-01-31 12:00", DAY),
    ("day", "0000-01-01", DAY),
    ("day", "10000-01-01", DAY),
    ("day", "0044-03-15 (BC)", DAY),
    ("day", "infinity", DAY),
    ("day", "45322", DAY),
    ("at", "2024-01-31 24:00:00", AT),
    ("at", "2016-12-31 23:59:60", AT),
    ("at", "2024-01-31 12:30:00+02", AT),
    ("at", "2024-01-31 12:30:00 Europe/Berlin", AT),
    ("at", "2024-01-31 12:30:00.1234567", AT),
    ("at", "1706704200", AT),
    ("at", "31.01.2024 12:30", AT),
    ("zoned", "2024-01-31 12:30:00", ZONED),
    ("zoned", "2024-01-31", ZONED),
    ("zoned", "1/2/2024 12:30:00Z", ZONED),
    ("zoned", "2024-03-31 02:30:00 Europe/Berlin", ZONED),
    ("clock", "24:00:00", CLOCK),
    ("clock", "12:30:00+02", CLOCK),
    ("clock", "12:30:00.1234567", CLOCK),
    ("clock", "12:30 PM", CLOCK),
    ("flag", "maybe", "boolean"),
    ("flag", "2", "boolean"),
    ("ident", "6ba7b810", "uuid"),
    ("more", "{a:1}", "json"),
    ("list", '"[1, x]"', "bigint[]"),
    ("list", '"[1.5]"', "bigint[]"),
]


@pytest.mark.parametrize(("column", "text", "promised"), VALUES)
def test_a_value_that_is_not_of_its_type_is_refused_with_its_line(
    tmp_path: Path, column: str, text: str, promised: str
) -> None:
    shown = text.strip('"').replace("\N{NO-BREAK SPACE}", r"\xa0")
    assert refused(tmp_path, "feed.csv", f"{HEADER}\n{ROW}\n{line(**{column: text})}\n") == (
        f"feed.csv, line 3: {column} is '{shown}', the contract says {promised}"
    )


NOT_WHOLE = " is not a whole gzip archive, as one that was cut or damaged; deliver it again"
MIXED = " cannot be read: its lines must all end the same way; line 2 ends with CR LF, the first one with LF"
ALL_BUT = "'code', 'amount', 'number' and 10 more are missing"
TWO_LINES, PLAIN, WIDE = line(code='"a\nb"'), line(more="", list="x"), ",".join(f"c{i}" for i in range(10_000))
CUT = "it is not a whole Parquet file, as one that was cut or is still being written; deliver it again"
FILES: list[tuple[str, str | bytes, str]] = [
    ("feed.csv", f"{HEADER}\n{ROW}\n{ROW},\n", ", line 3: has 14 fields, the header has 13"),
    ("feed.csv", f"{HEADER}\n{ROW},x\n", ", line 2: has 14 fields, the header has 13"),
    ("feed.csv", f"{HEADER}\n{ROW},,,\n", ", line 2: has 16 fields, the header has 13"),
    ("feed.csv", f"{HEADER}\n{ROW}\n7\n", ", line 3: has 1 field, the header has 13"),
    ("feed.csv", f"{HEADER}\n{TWO_LINES}\n\n{ROW},\n", ", line 5: has 14 fields, the header has 13"),
    ("feed.csv", "", f": {ALL_BUT}"),
    ("feed.csv", f"{ROW}\n", f": {ALL_BUT}; '007', '1.50', '12' and 10 more are not in the contract"),
    ("feed.csv", FILE.replace(",list\n", "\n"), ": 'list' is missing"),
    ("feed.csv", FILE.replace(",list\n", ",list,extra\n"), ": 'extra' is not in the contract"),
    ("feed.csv", FILE.replace(",list\n", ",list,\n"), ": '' is not in the contract"),
    ("feed.csv", FILE.replace("code,", "Code,"), ": 'code' is missing; 'Code' is not in the contract"),
    ("feed.csv", FILE.replace("code,", "code ,"), ": 'code' is missing; 'code ' is not in the contract"),
    ("feed.csv", FILE.replace("code,", "code,Code,"), ": 'Code' is not in the contract"),
    ("feed.csv", FILE.replace("code,", "code,code,"), ": 'code' is there more than once"),
    ("feed.csv", FILE.replace("code,amount", "code,code"), ": 'amount' is missing; 'code' is there more than once"),
    ("feed.csv", HEADER.replace(",", ";") + "\n", f": {ALL_BUT}; 'code;amount;number;small;share;day;at;zo…' is not in the "
     "contract; separate its fields by ',', or declare another delimiter in the contract"),
    ("feed.csv", HEADER.replace(",", "\t") + "\n", f": {ALL_BUT}; 'code\\tamount\\tnumber\\tsmall\\tshare\\tday\\tat\\tzo…' is "
     "not in the contract; separate its fields by ',', or declare another delimiter in the contract"),
    ("feed.csv", f"{HEADER},{WIDE}\n", ": 'c0', 'c1', 'c2' and 9,997 more are not in the contract"),
    ("feed.csv", "x" * 200_000, f": {ALL_BUT}; '{'x' * 40}…' is not in the contract; separate its fields by ',', or declare "
     "another delimiter in the contract"),
    ("feed.csv", f"{FILE}{'x' * 2_000_001}\n", ", line 3: the record has more than 2,000,000 bytes, the most that can be read"),
    ("feed.csv", FILE.rstrip(), ": the last line has no end, as in a file that was cut; deliver it whole, or, if its files end "
     "so, declare openEnd: true in the property csv of its contract"),
    ("feed.csv.gz", gzip.compress(FILE.rstrip().encode()), ": the last line has no end, as in a file that was cut; deliver it "
     "whole, or, if its files end so, declare openEnd: true in the property csv of its contract"),
    ("feed.csv", f"{HEADER}\n{PLAIN}\n\"{PLAIN}\n{PLAIN}\n", ", line 3: a quote opens a value and is never closed; close "
     "it, or write the quotes within a quoted value twice"),
    ("feed.csv", FILE.replace("007", ' "007"'), ", line 2: a space is before a quote; remove it, or write the value in quotes "
     "and each quote in it twice"),
    ("feed.csv", f"Report\n\n{FILE}{ROW}\n", f": {ALL_BUT}; 'Report' is not in the contract; if its header is on line 3, "
     "declare headerLine: 3 in the property csv of its contract"),
    ("feed.csv", f"sep=,\n{FILE}", f": {ALL_BUT}; 'sep=', '' are not in the contract; if its header is on line 2, "
     "declare headerLine: 2 in the property csv of its contract"),
    ("feed.csv", FILE.encode() + b"caf\xe9,1\n", " is not UTF-8: line 3 holds the byte 0xe9; if it is latin-1, declare "
     "encoding: latin-1 in the property csv of its contract"),
    ("feed.csv", FILE.encode() + b"\x80,1\n", " is not UTF-8: line 3 holds the byte 0x80; if it is windows-1252, declare "
     "encoding: windows-1252 in the property csv of its contract"),
    ("feed.csv", FILE.encode() + b"caf\xc3", " is not UTF-8: it ends inside a character, on line 3"),
    ("feed.csv", FILE.encode("utf-16"), " is UTF-16; save it as UTF-8, or declare encoding: utf-16 in the property csv of its "
     "contract"),
    ("feed.csv", FILE.encode("utf-16-le"), " seems to be UTF-16; save it as UTF-8, or declare encoding: utf-16-le in the "
     "property csv of its contract"),
    ("feed.csv", FILE.encode("utf-16-be"), " seems to be UTF-16; save it as UTF-8, or declare encoding: utf-16-be in the "
     "property csv of its contract"),
    ("feed.csv", FILE.encode("utf-32"), " is UTF-32; save it as UTF-8"),
    ("feed.csv", gzip.compress(FILE.encode()), " is packed by gzip; give its name the ending .csv.gz"),
    ("feed.csv", b"PK\3\4rest", " is a ZIP archive, as workbooks of Excel are; export it as CSV"),
    ("feed.csv", b"PAR1rest", " is a Parquet file; give its name the ending .parquet"),
    ("feed.csv", f"{FILE}\0\n", " is no text: line 3 holds a NUL byte"),
    ("feed.csv", f"{HEADER}\n{PLAIN}\r\n{PLAIN}\n", MIXED),
    ("feed.csv", f'{HEADER}\n"a"b{ROW[3:]}\n', ", line 2: a quote opens a value, and text follows the one that closes it, "
     "on line 2; write the quotes within a quoted value twice"),
    ("feed.csv.gz", b"nope", " is not packed by gzip; give its name the ending .csv"),
    ("feed.csv.gz", gzip.compress(FILE.encode())[:-8], NOT_WHOLE),
    ("feed.csv.gz", gzip.compress(FILE.encode(), mtime=0)[:-8] + bytes(8), NOT_WHOLE),
    ("feed.csv.gz", gzip.compress(bytes(50_000_000)), " is no text: line 1 holds a NUL byte"),
    ("feed.xlsx", FILE, " is none of .parquet, .csv, .csv.gz; return the path of such a file, or a polars frame"),
    ("feed.json.gz", FILE, " is none of .parquet, .csv, .csv.gz; return the path of such a file, or a polars frame"),
    ("feed.parquet", b"", f" cannot be read: {CUT}"),
    ("feed.parquet", FILE, f" cannot be read: {CUT}"),
    ("feed.parquet", b"PAR1" + b"x" * 100 + b"PAR1", f" cannot be read: {CUT}"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "problem"), FILES)
def test_a_file_that_is_not_as_it_should_be_is_refused(tmp_path: Path, name: str, content: str | bytes, problem: str) -> None:
    assert refused(tmp_path, name, content) == f"{name}{problem}"


TABLES = [
    ({"number": "1.5::double"}, ", row 1: number is '1.5', the contract says bigint"),
    ({"number": "'1.5'"}, ", row 1: number is '1.5', the contract says bigint"),
    ({"number": "'nan'::double"}, ", row 1: number is 'nan', the contract says bigint"),
    ({"small": "300"}, ", row 1: small is '300', the contract says tinyint"),
    ({"flag": "5"}, ", row 1: flag is '5', the contract says boolean"),
    ({"amount": "1.505::decimal(10,3)"}, ", row 1: amount is '1.505', the contract says decimal(10,2)"),
    ({"amount": "1e12::double"}, ", row 1: amount is '1000000000000.0', the contract says decimal(10,2)"),
    ({"amount": "1e300::double"}, ", row 1: amount is '1e+300', the contract says decimal(10,2)"),
    ({"day": "timestamp '2024-01-31 12:00:00'"}, ", row 1: day is '2024-01-31 12:00:00', the contract says date"),
    (
        {"day": "date '10000-01-01'"},
        ", row 1: day is '10000-01-01', a date column holds the years 1 to 9999; make it null, or text",
    ),
    ({"day": "'infinity'::date"}, ", row 1: day is 'infinity', a date column holds the years 1 to 9999; make it null, or text"),
    (
        {"at": "timestamp_ns '2024-01-31 12:30:00.123456789'"},
        ", row 1: at is '2024-01-31 12:30:00.123456789', the contract says timestamp",
    ),
    (
        {"clock": "time '24:00:00'"},
        ", row 1: clock is '24:00:00', a time column holds times before 24:00:00; make it null, or text",
    ),
    ({"list": "[1.5]"}, ", row 1: list is '[1.5]', the contract says bigint[]"),
    ({"day": "19000"}, ": 'day' is integer, the contract says date"),
    ({"zoned": "timestamp '2024-01-31 12:30:00'"}, ": 'zoned' is timestamp, the contract says timestamp with time zone"),
    ({"code": "{'a': 1}"}, ": 'code' is struct(a integer), the contract says varchar"),
    ({"code": "'x'::blob"}, ": 'code' is blob, the contract says varchar"),
    ({"code": "['x']"}, ": 'code' is varchar[], the contract says varchar"),
    ({"code": ""}, ": 'code' is missing"),
    ({"other": "1"}, ": 'other' is not in the contract"),
    ({"code": "", "Code": "'a'"}, ": 'code' is missing; 'Code' is not in the contract"),
]


@pytest.mark.parametrize(("changed", "problem"), TABLES)
def test_a_parquet_file_that_does_not_fit_is_refused(tmp_path: Path, changed: dict[str, str], problem: str) -> None:
    assert refused(tmp_path, "feed.parquet", parquet(tmp_path, **changed)) == f"feed.parquet{problem}"


def damaged(folder: Path) -> Iterator[tuple[bytes, str]]:
    others = ", ".join(f"null::{kind} as {name}" for name, kind in TYPES.items() if name != "code")
    whole = query(folder, f"select i::varchar || hash(i) as code, {others} from range(20000) t(i)")
    yield whole[:-10], CUT
    yield b"PARE" + whole[4:-4] + b"PARE", "it is encrypted; deliver it without encryption"
    for place in (0.25, 0.5):
        start = int(len(whole) * place)
        broken = whole[:start] + b"\xff" * 64 + whole[start + 64 :]
        yield broken, "it is damaged; deliver it again"


class LocalKeys(encryption.KmsClient):
    def __init__(self, _: object) -> None:
        super().__init__()

    def wrap_key(self, key: bytes, _: str) -> bytes:
        return base64.b64encode(key)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_an_encrypted_parquet_file_is_refused(tmp_path: Path, plaintext_footer: bool) -> None:
    how = encryption.EncryptionConfiguration("master", column_keys={"own": ["number"]}, plaintext_footer=plaintext_footer)
    keys = encryption.CryptoFactory(LocalKeys).file_encryption_properties(encryption.KmsConnectionConfig(), how)
    table = pq.read_table(io.BytesIO(parquet(tmp_path)))
    path = tmp_path / "encrypted.parquet"
    with pq.ParquetWriter(path, table.schema, encryption_properties=keys) as writer:
        writer.write_table(table)
    says = refused(tmp_path, "feed.parquet", path.read_bytes())
    assert says == "feed.parquet cannot be read: it is encrypted; deliver it without encryption"


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    for content, problem in damaged(tmp_path):
        assert refused(tmp_path, "feed.parquet", content) == f"feed.parquet cannot be read: {problem}"


def test_columns_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    made = tmp_path / "made.parquet"
    pl.DataFrame({"code": ["a"], "Code": ["b"]}).write_parquet(made)
    assert refused(tmp_path, "feed.parquet", made.read_bytes()) == (
        "feed.parquet: 'code', 'Code' name the same column; keep one"
    )


ODD: list[tuple[str, dict[str, str], dict[str, str | None]]] = [
    ("nothing known", dict.fromkeys(GOOD, ""), dict.fromkeys(GOOD)),
    ("empty quotes are null", {"code": '""'}, {"code": None}),
    ("NULL is a text", {"code": "NULL"}, {"code": "NULL"}),
    ("nan is a text", {"code": "nan"}, {"code": "nan"}),
    ("a text keeps its spaces", {"code": " a "}, {"code": " a "}),
    ("quotes, commas, lines", {"code": '"a, ""b""\nc"'}, {"code": 'a, "b"\nc'}),
    ("a long text", {"code": "x" * 500_000}, {"code": "x" * 500_000}),
    ("padded numbers", {"number": " 12 ", "amount": " 1.5"}, {"number": "12", "amount": "1.50"}),
    ("whole numbers from floats", {"number": "12.0"}, {"number": "12"}),
    ("scientific", {"number": "1e3", "share": "1e3"}, {"number": "1000", "share": "1000.0"}),
    ("leading zeros", {"number": "007"}, {"number": "7"}),
    ("largest", {"number": "9223372036854775807"}, {"number": "9223372036854775807"}),
    ("not a number is a double", {"share": "nan"}, {"share": "nan"}),
    ("infinity is a double", {"share": "-Infinity"}, {"share": "-inf"}),
    ("a long whole number that a double holds", {"share": "+9007199254740992"}, {"share": "9007199254740992.0"}),
    ("zero", {"share": "-0e7"}, {"share": "-0.0"}),
    ("zeros beyond the scale", {"amount": "1.5000"}, {"amount": "1.50"}),
    ("open ends", {"day": "9999-12-31"}, {"day": "9999-12-31"}),
    ("first day", {"day": "0001-01-01"}, {"day": "0001-01-01"}),
    ("midnight is a day", {"day": "2024-01-31 00:00:00"}, {"day": "2024-01-31"}),
    ("a leap day", {"day": "2024-02-29"}, {"day": "2024-02-29"}),
    ("year first", {"day": "2024/1/31"}, {"day": "2024-01-31"}),
    ("ISO in UTC", {"at": "2024-01-31T12:30:00Z"}, {"at": "2024-01-31 12:30:00"}),
    ("where summer time begins", {"at": "2024-03-31 02:30:00"}, {"at": "2024-03-31 02:30:00"}),
    ("another zone", {"zoned": "2024-01-31T12:30:00+05:30"}, {"zoned": "2024-01-31 07:00:00+00"}),
    ("yes and no", {"flag": "yes"}, {"flag": "true"}),
    ("one and zero", {"flag": "0"}, {"flag": "false"}),
]


@pytest.mark.parametrize(("given", "seen"), [case[1:] for case in ODD], ids=[case[0] for case in ODD])
def test_an_odd_value_is_read_as_what_it_says(tmp_path: Path, given: dict[str, str], seen: dict[str, str | None]) -> None:
    assert take(tmp_path, "feed.csv", f"{HEADER}\n{line(**given)}\n") == [tuple((SEEN | seen).values())]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("feed.csv", f"\ufeff{FILE}"),
        ("feed.csv", FILE.replace("\n", "\r\n")),
        ("feed.csv", FILE.replace("\n", "\r")),
        ("feed.csv", f"{HEADER}\n\n{ROW}\n\n"),
        ("FEED.CSV", FILE),
        ("feed[1]*?.csv", FILE),
        ("feed.csv", ",".join(reversed(GOOD)) + "\n" + ",".join(reversed(GOOD.values())) + "\n"),
        ("feed.csv.gz", gzip.compress(FILE.encode())),
        ("feed.csv.gz", gzip.compress(f"{HEADER}\n".encode()) + gzip.compress(f"{ROW}\n".encode())),
    ],
    ids=["mark", "CRLF", "CR", "empty lines", "capitals", "pattern", "reordered", "packed", "packed twice"],
)
def test_an_odd_file_is_read_whole(tmp_path: Path, name: str, content: str | bytes) -> None:
    (tmp_path / "feed1xx.csv").write_text(FILE)  # what the name with a pattern would also mean
    assert take(tmp_path, name, content) == [tuple(SEEN.values())]


RENAMED = {"my_id": "My Id", "b": "b"}


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("my_id,b", FileSchema({"my_id": "bigint", "b": "varchar"}, {"my_id": "my_id", "b": "b"})),
        ("My Id,b", FileSchema({"my_id": "bigint", "b": "varchar"}, RENAMED)),
        ("b,My Id", FileSchema({"b": "varchar", "my_id": "bigint"}, RENAMED)),
        ("My Id;b", FileSchema({"my_id": "bigint", "b": "varchar"}, RENAMED, CsvFormat(";"))),
        ("My Id\tb", FileSchema({"my_id": "bigint", "b": "varchar"}, RENAMED, CsvFormat("\t"))),
    ],
)
def test_the_same_rows_land_whatever_the_header_and_the_delimiter_are(tmp_path: Path, header: str, wanted: FileSchema) -> None:
    sign = wanted.csv.delimiter
    rows = [["1", "x"], [], ["2", f'"y{sign}"'], ["", "z"], ["4", '""']]
    is_turned = header.startswith("b")
    content = "\n".join(sign.join(reversed(row) if is_turned else row) for row in rows)
    landed = take(tmp_path, "feed.csv", f"{header}\n{content}\n", wanted)
    assert [tuple(reversed(row)) if is_turned else row for row in landed] == [
        ("1", "x"), ("2", f"y{sign}"), (None, "z"), ("4", None),
    ]  # fmt: skip


ZOE = {"id": "bigint", "name": "varchar", "paid": "decimal(10,2)"}
ZOE_ROWS = [("1", "Zoë", "1.50"), ("2", None, None)]


@pytest.mark.parametrize(
    ("csv", "content"),
    [
        (CsvFormat(";"), "id;name;paid\n1;Zoë;1.50\n2;;\n"),
        (CsvFormat(encoding="latin-1"), "id,name,paid\n1,Zoë,1.50\n2,,\n".encode("latin-1")),
        (CsvFormat(encoding="utf-16"), "id,name,paid\n1,Zoë,1.50\n2,,\n".encode("utf-16")),
        (CsvFormat(encoding="utf-16-le"), "\ufeffid,name,paid\n1,Zoë,1.50\n2,,\n".encode("utf-16-le")),
        (CsvFormat(";", decimal_comma=True), "id;name;paid\n1;Zoë;1,50\n2;;\n"),
        (CsvFormat(decimal_comma=True), 'id,name,paid\n1,Zoë,"1,50"\n2,,\n'),
        (CsvFormat(null_markers=("NA", "-")), 'id,name,paid\n1,Zoë,1.50\n2,"NA",-\n'),
        (CsvFormat(";", header_line=2), "sep=;\r\nid;name;paid\r\n1;Zoë;1.50\r\n2;;\r\n"),
        (CsvFormat(header_line=3), 'A "report, of\n\nid,name,paid\n1,Zoë,1.50\n2,,\n'),
        (CsvFormat(header_line=2), "Title\rid,name,paid\r1,Zoë,1.50\r2,,\r"),
        (CsvFormat(open_end=True), "id,name,paid\n1,Zoë,1.50\n2,,"),
        (CsvFormat(open_end=True), 'id,name,paid\r\n1,Zoë,1.50\r\n2,,""'),
        (CsvFormat(open_end=True), "id,name,paid\n1,Zoë,1.50\n2,,\n"),
    ],
)
def test_the_declared_format_is_obeyed(tmp_path: Path, csv: CsvFormat, content: str | bytes) -> None:
    wanted = FileSchema(ZOE, {name: name for name in ZOE}, csv)
    assert take(tmp_path, "feed.csv", content, wanted) == ZOE_ROWS
    packed = gzip.compress(content.encode() if isinstance(content, str) else content)
    assert take(tmp_path, "feed.csv.gz", packed, wanted) == ZOE_ROWS


@pytest.mark.parametrize(
    ("csv", "content", "says"),
    [
        (CsvFormat(decimal_comma=True), 'id,name,paid\n1,x,"1.234,50"\n', ", line 2: paid is '1.234,50', the contract says "
         "decimal(10,2), written 1234,50"),
        (CsvFormat(decimal_comma=True), "id,name,paid\n1,x,1.50\n", ", line 2: paid is '1.50', the contract says "
         "decimal(10,2), written 1234,50"),
        (CsvFormat(null_markers=("NA",)), "id,name,paid\n1,x,na\n", ", line 2: paid is 'na', the contract says decimal(10,2)"
         f'{NULL} ["NA", "na"] {CSV}'),
        (CsvFormat(header_line=2), "T\nid,name,paid\n1,x,y\n", ", line 3: paid is 'y', the contract says decimal(10,2)"),
        (CsvFormat(header_line=9), "id,name,paid\n1,x,1\n", ": has no line 9, on which its header is declared"),
        (CsvFormat(encoding="latin-1"), "id,name,paid\n1,Zoë,1\n".encode(), " is UTF-8, not latin-1; declare encoding: utf-8 "
         "in the property csv of its contract"),
        (CsvFormat(encoding="latin-1"), b"id,name,paid\n1,\x80,1\n", " is not latin-1: line 2 holds the byte 0x80; if it is "
         "windows-1252, declare encoding: windows-1252 in the property csv of its contract"),
        (CsvFormat(encoding="windows-1252"), b"id,name,paid\n1,\x81,1\n", " is not windows-1252: line 2 holds the byte 0x81; "
         "declare another encoding"),
        (CsvFormat(encoding="utf-16"), b"id,name,paid\n1,x,1\n", " is not utf-16: it does not start with a byte order mark; "
         "declare utf-16-le or utf-16-be"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_declared_format_is_refused(tmp_path: Path, csv: CsvFormat, content: str | bytes, says: str) -> None:
    assert refused(tmp_path, "feed.csv", content, FileSchema(ZOE, {name: name for name in ZOE}, csv)) == f"feed.csv{says}"


def test_an_empty_line_in_a_file_of_one_column_is_not_skipped(tmp_path: Path) -> None:
    wanted = schema({"code": "varchar"})
    for content in ("code\na\n\nb\n", "code\na\n\n"):
        assert refused(tmp_path, "feed.csv", content, wanted) == (
            'feed.csv, line 3: is empty; remove it, or write "" for a missing value'
        )
    assert take(tmp_path, "feed.csv", '\ncode\na\n""\nb\n', wanted) == [("a",), (None,), ("b",)]


def test_no_row_is_lost_when_duckdb_reads_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CsvTable, "view", lambda *_: "create view raw as select 'a' as code")
    assert refused(tmp_path, "feed.csv", "code\na\nb\n", schema({"code": "varchar"})) == (
        "feed.csv: has 2 rows, of which 1 could be read"
    )


def test_columns_of_other_names_are_refused_by_their_names_in_the_file(tmp_path: Path) -> None:
    wanted = FileSchema({"my_id": "bigint", "b": "bigint"}, RENAMED)
    assert refused(tmp_path, "feed.csv", "my_id,b\n1,2\n", wanted) == (
        "feed.csv: 'My Id' is missing; 'my_id' is not in the contract"
    )
    assert refused(tmp_path, "feed.csv", "My Id,b\n1,x\n", wanted) == "feed.csv, line 2: b is 'x', the contract says bigint"
    made = query(tmp_path, """select 1 as "my.id", 'x' as b""")
    assert refused(tmp_path, "feed.parquet", made, FileSchema(wanted.types, {"my_id": "my.id", "b": "b"})) == (
        "feed.parquet, row 1: b is 'x', the contract says bigint"
    )


def test_a_parquet_file_is_renamed(tmp_path: Path) -> None:
    made = query(tmp_path, """select 'x' as "a.b", 1::bigint as "My ""Id" """)
    wanted = FileSchema({"my_id": "bigint", "b": "varchar"}, {"my_id": 'My "Id', "b": "a.b"})
    assert take(tmp_path, "feed.parquet", made, wanted) == [("1", "x")]


def test_a_csv_file_of_texts_is_written_as_parquet(tmp_path: Path) -> None:
    texts = schema({"carrier": "varchar", "name": "varchar"})
    assert take(tmp_path, "feed.csv", "carrier,name\n9E,Endeavor\n", texts) == [("9E", "Endeavor")]


@pytest.mark.parametrize(("mark", "end"), [("", "\n"), ("", "\r\n"), ("", "\r"), ("\ufeff", "\n")])
def test_the_header_after_empty_lines_is_no_row(tmp_path: Path, mark: str, end: str) -> None:
    texts = schema({"carrier": "varchar", "name": "varchar"})
    content = f"{mark}{end}{end}carrier,name{end}9E,Endeavor{end}"
    assert take(tmp_path, "feed.csv", content, texts) == [("9E", "Endeavor")]


def test_all_that_decides_on_how_a_file_is_read_is_in_the_digest() -> None:
    names = {"a": "a", "b": "b"}
    schemas = [
        FileSchema({"a": "date", "b": "date"}, names),
        FileSchema({"a": "date", "b": "time"}, names),
        FileSchema({"b": "date", "a": "date"}, names),
        FileSchema({"a": "date", "b": "date"}, {"a": "b", "b": "a"}),
        FileSchema({"a": "date", "b": "date"}, names, CsvFormat(";")),
    ]
    assert len({item.digest() for item in schemas}) == len(schemas)
    assert schemas[0].digest() == "daac4006"  # data landed by older releases keeps its place while they read alike


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert take(tmp_path, "feed.csv", f"{HEADER}\n") == []


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({}, {}),
        ({"code": "7", "number": "'12'", "small": "1::bigint", "share": "0.25::float", "flag": "1"}, {"code": "7"}),
        ({"amount": "1.5::double", "number": "12::double", "day": "timestamp '2024-01-31'"}, {}),
        ({"at": "timestamptz '2024-01-31 12:30:00+00'"}, {}),
        ({"at": "timestamp_ns '2024-01-31 12:30:00'", "list": "[1, 2]::integer[]"}, {}),
    ],
)
def test_a_parquet_file_of_other_types_is_turned_into_the_contracts(
    tmp_path: Path, changed: dict[str, str], seen: dict[str, str]
) -> None:
    assert take(tmp_path, "feed.parquet", parquet(tmp_path, **changed)) == [tuple((SEEN | seen).values())]


def test_a_parquet_file_of_the_contracts_types_is_kept_byte_for_byte(tmp_path: Path) -> None:
    for content in (parquet(tmp_path), query(tmp_path, "select * from '" + str(tmp_path / "made.parquet") + "' where false")):
        take(tmp_path, "feed.parquet", content)
        assert (tmp_path / "landed").read_bytes() == content


def test_a_column_without_values_has_any_type(tmp_path: Path) -> None:
    made = tmp_path / "made.parquet"
    pl.DataFrame({"day": [None]}).write_parquet(made)
    assert take(tmp_path, "feed.parquet", made.read_bytes(), schema({"day": "date"})) == [(None,)]


VISITS: list[tuple[str, str, dict[str, Any]]] = [
    ("visit_id", "bigint", {"primaryKey": True, "logicalTypeOptions": {"minimum": 1}}),
    ("kind", "varchar", {"required": True, "quality": [valid("web", "shop")]}),
    ("share", "double", {"logicalTypeOptions": {"minimum": 0, "maximum": 1}}),
    ("day", "date", {"required": True}),
    ("customer", "bigint", {"relationships": [{"to": "crm.customers.id"}]}),
]
LATE = "the newest day is at most 2 days old and not in the future"
VOLUME, KINDS = "has rows, at least 50 % as many as in the last snapshot", "known values: kind is one of 2 values"
SHARE, CUSTOMER = "share is between 0 and 1", "customer is in crm.customers.id"


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> AuditTarget:
    folder = tmp_path_factory.mktemp("visits")
    latency = {"property": "latency", "value": 2, "unit": "d", "element": "visits.day"}
    data = json.loads(contract("shop.raw.visits", "visits", VISITS, [], [latency]))
    write(folder / "visits.odcs.yaml", json.dumps(data))
    return AuditTarget("raw.visits", Contract.load(folder / "visits.odcs.yaml"))


def delivered(folder: Path, visits: AuditTarget, rows: list[str], before: int) -> list[tuple[str, str]]:
    """What is said against a delivery by what comes after the gate; the last snapshot had `before` rows."""
    types = {column.name: column.type for column in visits.contract.columns}
    (folder / "visits.csv").write_text("\n".join([",".join(types), *rows]) + "\n", encoding="utf-8")
    convert("visits.csv", schema(types), folder / "visits.csv", folder / "visits.parquet")
    pl.DataFrame({"id": [1, 2]}).write_parquet(folder / "customers.parquet")
    tables = {"raw.visits": [folder / "visits.parquet"], "crm.customers": [folder / "customers.parquet"]}
    found = audit([visits], tables, datetime(2024, 1, 10))
    found += volume.checks([visits], tables, {"sources": {"visits": {"rows": before}}} if before else None)
    return [(check.rule, check.observed) for check in found if not check.passed]


SOUND = [f"{number},web,0.5,2024-01-09,1" for number in range(1, 11)]


@pytest.mark.parametrize(
    ("rows", "before", "said"),
    [
        ([], 0, [(LATE, "no value"), (VOLUME, "0 rows")]),
        (SOUND, 100, [(VOLUME, "10 of 100 rows")]),
        (["1,web,nan,2024-01-09,1"], 0, [(SHARE, "1 of 1 rows break it"), ("share is finite", "1")]),
        (["1,web,inf,2024-01-09,1"], 0, [(SHARE, "1 of 1 rows break it"), ("share is finite", "1")]),
        (["1,web,-0.1,2024-01-09,1"], 0, [(SHARE, "1 of 1 rows break it")]),
        (["1,web,0.5,2024-01-07,1"], 0, [(LATE, "2024-01-07")]),
        ([*SOUND, "11,web,0.5,9999-12-31,1"], 0, [(LATE, "9999-12-31")]),
        (["1,web,0.5,,1", "2,web,0.5,2024-01-09,1"], 0, [("day is required", "1 of 2 rows break it")]),
        (["1,Web,0.5,2024-01-09,1"], 0, [(KINDS, "1 of 1 rows break it")]),
        (["1,web ,0.5,2024-01-09,1"], 0, [(KINDS, "1 of 1 rows break it")]),
        (["1,w\N{CYRILLIC SMALL LETTER IE}b,0.5,2024-01-09,1"], 0, [(KINDS, "1 of 1 rows break it")]),
        (["1,web\N{ZERO WIDTH SPACE},0.5,2024-01-09,1"], 0, [(KINDS, "1 of 1 rows break it")]),
        (["1,NULL,0.5,2024-01-09,1"], 0, [(KINDS, "1 of 1 rows break it")]),
        (["1,,0.5,2024-01-09,1"], 0, [("kind is required", "1 of 1 rows break it")]),
        ([SOUND[0], SOUND[0]], 0, [("visit_id is unique", "2 of 2 rows break it")]),
        ([",web,0.5,2024-01-09,1"], 0, [("visit_id is required", "1 of 1 rows break it")]),
        (["-1,web,0.5,2024-01-09,1"], 0, [("visit_id is at least 1", "1 of 1 rows break it")]),
        ([*SOUND, "11,web,0.5,2024-01-09,3", "12,web,0.5,2024-01-09,4"], 0, [(CUSTOMER, "2")]),
        (SOUND, 20, []),
        (["1,web,,2024-01-09,"], 0, []),
        (["1,web,0.5,2024-01-11,1"], 0, []),
    ],
    ids=[
        "nothing", "cut short", "nan", "inf", "negative", "stale", "year 9999", "no day", "capital", "blank", "look-alike",
        "invisible", "NULL as text", "no kind", "twice", "no key", "key below 1", "orphans", "half is left", "no customer",
        "a day ahead",
    ],
)  # fmt: skip
def test_what_passes_the_gate_is_held_against_the_contract(
    tmp_path: Path, visits: AuditTarget, rows: list[str], before: int, said: list[tuple[str, str]]
) -> None:
    assert delivered(tmp_path, visits, rows, before) == said
