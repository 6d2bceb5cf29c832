"""Records found in bytes, compared with the reader of Python's standard library."""

import csv
import io
import random

import pytest

from kit.ingest.csv_records import LONGEST, BadRecords, RecordScan, split_fields


def scanned(content: str, size: int = 1 << 20, delimiter: str = ",", header_line: int | None = None) -> RecordScan:
    scan, data = RecordScan(delimiter, header_line), content.encode()
    scan.found = [  # type: ignore[attr-defined]
        (int(line), int(fields))
        for batch in scan.batches(data[start : start + size] for start in range(0, len(data), size))
        for line, fields in zip(batch.lines, batch.fields, strict=True)
    ]
    return scan


def found(content: str, size: int = 1 << 20) -> list[tuple[int, int]]:
    """The line and the number of fields of each record, however the bytes are cut."""
    records: list[tuple[int, int]] = scanned(content, size).found  # type: ignore[attr-defined]
    return records


@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    ("content", "records"),
    [
        ("a,b\n1,2\n", [(1, 2), (2, 2)]),
        ("a,b\r\n\r\n1,2,3\r\n", [(1, 2), (3, 3)]),
        ("a,b\r1,2\r\r3\r", [(1, 2), (2, 2), (4, 1)]),
        ('"a\n,b",c\n"",""\n""""\n', [(1, 2), (3, 2), (4, 1)]),
        ('a,b\n5" nail,6"\n"x, ""y""",2\n', [(1, 2), (2, 2), (3, 2)]),
        ('a\n"1\r\n2"\n3', [(1, 1), (2, 1), (4, 1)]),
        ("\n\n", []),
        ("", []),
    ],
)
def test_records_have_the_line_they_start_on_and_their_fields(content: str, records: list[tuple[int, int]], size: int) -> None:
    assert found(content, size) == records


@pytest.mark.parametrize("size", [1, 2, 1 << 20])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('a,b\n1,"x\n2,y\n', ", line 2: a quote opens a value and is never closed; close it, or write the quotes within a "
         "quoted value twice"),
        ('a,b\n1,"x""', ", line 2: a quote opens a value and is never closed; close it, or write the quotes within a quoted "
         "value twice"),
        ('a,b\n1,"x\n2,"y"\n', ", line 2: a quote opens a value, and text follows the one that closes it, on line 3; write "
         "the quotes within a quoted value twice"),
        ('a,b\n1,  "x"\n', ", line 2: a space is before a quote; remove it, or write the value in quotes and each quote in it "
         "twice"),
        ("a,b\n1,2\r\n3,4\n", " cannot be read: its lines must all end the same way; line 2 ends with CR LF, the first one "
         "with LF"),
        ("a,b\r\n1,2\r3,4\r\n", " cannot be read: its lines must all end the same way; line 2 ends with CR, the first one "
         "with CR LF"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_csv_are_refused_with_their_line(content: str, says: str, size: int) -> None:
    with pytest.raises(BadRecords) as caught:
        found(content, size)
    assert str(caught.value) == says


@pytest.mark.parametrize("size", [70_000, 1 << 22])
def test_a_record_that_no_reader_takes_is_refused(size: int) -> None:
    with pytest.raises(BadRecords, match=r", line 3: the record has more than 2,000,000 bytes, the most that can be read"):
        found("a\n1\n" + "x" * (LONGEST + 1) + "\n2\n", size)


def test_the_end_and_gaps_are_known_after_the_pass() -> None:
    assert [scanned(text).is_ended for text in ("a\n1\n", "a\n1", 'a\n"1\n"', "a\r1\r")] == [True, False, False, True]
    gaps = [scanned(text, size).gap for text in ("\na\n1\n", "a\n\n1\n", "a\n1\n\n\n") for size in (1, 1 << 20)]
    assert gaps == [None, None, 2, 2, 3, 3]


def test_lines_above_the_header_are_no_records() -> None:
    for size in (1, 2, 1 << 20):
        scan = scanned('Title "x\r\n\r\na,b\r\n1,2\r\n', size, header_line=3)
        assert (scan.header, scan.found) == (("a", "b"), [(3, 2), (4, 2)])  # type: ignore[attr-defined]
    with pytest.raises(BadRecords, match=": has no line 9, on which its header is declared"):
        scanned("a\n1\n", header_line=9)


def test_fields_are_those_of_the_standard_library() -> None:
    chosen = random.Random(7)
    for _ in range(300):
        row = ["".join(chosen.choices('ab",; \n', k=chosen.randrange(4))) for _ in range(chosen.randrange(1, 4))]
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(row)
        assert split_fields(text.getvalue(), ",") == tuple(row)
