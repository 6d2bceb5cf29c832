"""Types of columns of text: every value comes back from them as it was written, or the column stays text."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from kit.contracts.csv_format import CsvFormat
from kit.ingest.csv_table import CsvTable
from kit.ingest.text_types import questions, text_types
from kit.ingest.typed_reader import open_table


def inferred(folder: Path, texts: Sequence[str], csv: CsvFormat | None = None) -> tuple[str, str]:
    """The type of a column with these texts, and the question about it."""
    quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
    (folder / "feed.csv").write_text("\n".join(["x", *quoted]) + "\n", encoding="utf-8")
    with open_table("feed", folder / "feed.csv", {"x": "x"}, csv or CsvFormat()) as table:
        assert isinstance(table, CsvTable)
        types = text_types(table)
        table.write(types, folder / "landed.parquet")
        return types["x"], questions(table, [name for name, kind in types.items() if kind == "varchar"]).get("x", "")


COME_BACK = [
    ("boolean", ["true", "false"]),
    ("bigint", ["1234567890123456789", "-9223372036854775808", "0"]),
    ("bigint", ["20240131", ""]),
    ("decimal(18,2)", ["1.50", "-0.25", "1234567890123456.00"]),
    ("decimal(38,10)", ["52.5200065999", "123456789.0000000001"]),
    ("double", ["20.5", "21.25", "1e-05"]),
    ("date", ["2024-02-29", "0001-01-01", "9999-12-31"]),
    ("timestamp", ["2024-02-29 10:00:00", "2024-02-29 10:00:00.5"]),
    ("varchar", ["", ""]),
]


@pytest.mark.parametrize(("kind", "texts"), COME_BACK)
def test_a_type_gives_every_text_back(tmp_path: Path, kind: str, texts: list[str]) -> None:
    assert inferred(tmp_path, texts) == (kind, "")
    back = duckdb.sql(f"select x::varchar from '{tmp_path}/landed.parquet'").fetchall()
    assert [value or "" for (value,) in back] == texts


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-02-29T10:00:00Z", "2024-02-29T23:59:59Z"],
        ["2024-02-29T10:00:00.120Z", "2024-02-29T10:00:00.000Z"],
        ["2024-02-29T10:00:00.120000", "2024-02-29T10:00:00"],
        ["2024-02-29T10:00:00+00:00"],
        ["2024-02-29 10:00", "2024-02-29 11:30"],
    ],
)
def test_moments_in_one_form_are_timestamps(tmp_path: Path, texts: list[str]) -> None:
    assert inferred(tmp_path, texts) == ("timestamp", "")


@pytest.mark.parametrize(
    "texts",
    [
        ["12345678901234567890", "9223372036854775808"],
        ["1" * 40],
        ["+4930123456", "+4989654321"],
        ["007", "12"],
        ["1E5", "2E5"],
        ["1e400"],
        ["-0"],
        ["-0.00", "1.00"],
        [".5", ".7"],
        ["5.", "7."],
        [" 5", "6"],
        ["1,000,000"],
        ["1_000"],
        ["0x10"],
        ["\u0661\u0662"],
        ["inf", "-inf"],
        ["yes", "no"],
        ["t", "f"],
        ["2024-1-5"],
        ["01/02/2024"],
        ["2024-02-30"],
        ["0000-01-01"],
        ["2024-02-29T24:00:00Z"],
        ["2024-02-29T10:00:60Z"],
        ["2024-02-29T10:00:00.123456789Z"],
        ["2024-02-29T10:00:00.10Z", "2024-02-29T10:00:00.1Z"],
        ["12:30:00", "25:00:00"],
        *([texts[0], f"{texts[0]} "] for _, texts in COME_BACK[:-1]),
    ],
)
def test_what_does_not_come_back_stays_text(tmp_path: Path, texts: list[str]) -> None:
    assert inferred(tmp_path, texts)[0] == "varchar"


@pytest.mark.parametrize(
    ("texts", "question"),
    [
        (["1.10", "1.1"], "is it a decimal(18,2)? Then declare the type decimal(18,2)"),
        (["1", "2.345"], "is it a decimal(18,3)? Then declare the type decimal(18,3)"),
        (["TRUE", "false"], "is it a boolean? Then declare the type boolean"),
        (["1,50", "2"], "is it a decimal(18,2)? Then declare decimalComma: true in csv, and the type decimal(18,2)"),
        (["2024-02-29T10:00:00Z", "2024-02-29T10:00:00+01:00"],
         "is it a timestamp with time zone? Then declare the type timestamp with time zone"),
        (["2024-02-29T10:00:00Z", "2024-02-29 10:00:00"], "is it a timestamp? Then declare the type timestamp"),
        (["NA", "20.5", "NULL"], "does 'NA' or 'NULL' mean that a value is missing? Then declare nullMarkers: "
         '["NA", "NULL"] in csv, and the type decimal(18,1)'),
        (["-", "2024-02-29"], "does '-' mean that a value is missing? Then declare nullMarkers: [\"-\"] in csv, and "
         "the type date"),
        (["N/A", "1,5", "2,25"], "does 'N/A' mean that a value is missing? Then declare nullMarkers: [\"N/A\"] and "
         "decimalComma: true in csv, and the type decimal(18,2)"),
        (["NA", "DE"], "does 'NA' mean that a value is missing? Then declare nullMarkers: [\"NA\"] in csv"),
        (["nan", "0.5"], "does 'nan' mean that a value is missing? Then declare nullMarkers: [\"nan\"] in csv, and "
         "the type decimal(18,1)"),
        (["-", "a"], ""),
        (["NA", "NA"], "does 'NA' mean that a value is missing? Then declare nullMarkers: [\"NA\"] in csv"),
    ],
)  # fmt: skip
def test_a_person_is_asked_what_a_column_of_text_is(tmp_path: Path, texts: list[str], question: str) -> None:
    assert inferred(tmp_path, texts) == ("varchar", question)
    assert [value for (value,) in duckdb.sql(f"select x from '{tmp_path}/landed.parquet'").fetchall()] == texts


def test_a_declared_format_decides(tmp_path: Path) -> None:
    assert (
        inferred(tmp_path, ["1,50", "-", "2,25"], CsvFormat(";", null_markers=("-",), decimal_comma=True))[0] == "decimal(18,2)"
    )
    assert inferred(tmp_path, ["1.234,50"], CsvFormat(";", decimal_comma=True)) == ("varchar", "")


@pytest.mark.parametrize("texts", [["1.234", "-2.345"], ["1.500", "10.000"], ["999", "1.234"]])
def test_points_that_may_separate_thousands_are_asked_about(tmp_path: Path, texts: list[str]) -> None:
    assert inferred(tmp_path, texts, CsvFormat(";")) == (
        "varchar",
        "do its points separate thousands? Then leave it text, and remove them in the model. Or is it a decimal(18,3)? Then "
        "declare the type decimal(18,3)",
    )


def test_points_before_other_than_three_digits_separate_no_thousands(tmp_path: Path) -> None:
    assert inferred(tmp_path, ["1.23", "4.56"], CsvFormat(";"))[0] == "decimal(18,2)"
    assert inferred(tmp_path, ["0.123", "4.567"], CsvFormat(";"))[0] == "decimal(18,3)"


def test_the_last_of_many_rows_decides(tmp_path: Path) -> None:
    assert inferred(tmp_path, [*map(str, range(3000)), "007"])[0] == "varchar"
    assert inferred(tmp_path, [*[""] * 3000, "7"])[0] == "bigint"
    assert inferred(tmp_path, [*["1.5"] * 3000, "1.25"])[0] == "double"
