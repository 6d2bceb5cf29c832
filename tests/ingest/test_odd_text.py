from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.contracts.csv_format import CsvFormat
from kit.ingest.csv_table import CsvTable
from kit.ingest.odd_text import odd_texts
from kit.ingest.typed_reader import open_table


def asked(folder: Path, texts: Sequence[str], csv: CsvFormat | None = None) -> str:
    (folder / "feed.csv").write_text("\n".join(["x", *(f'"{text}"' for text in texts)]) + "\n")
    with open_table("feed", folder / "feed.csv", {"x": "x"}, csv or CsvFormat()) as table:
        assert isinstance(table, CsvTable)
        return odd_texts(table, ["x"]).get("x", "")


@pytest.mark.parametrize(
    ("texts", "value", "line", "kind"),
    [
        (["1", "2", "3", "Total"], "Total", 5, "3 other values are whole numbers"),
        (["Σ", "1", "2", "", "3"], "Σ", 2, "3 other values are whole numbers"),
        (["1", "2", "007", "4"], "007", 4, "3 other values are whole numbers"),
        (["1.5", "2", "3.25", "sum"], "sum", 5, "3 other values are numbers"),
        (["2024-01-01", "2024-01-02", "2024-02-30x", "2024-01-03"], "2024-02-30x", 4, "3 other values are days"),
        (["2024-01-01 10:00:00", "2024-01-01T10:00Z", "x", "2024-01-01 10:00"], "x", 4, "3 other values are moments"),
        ([*map(str, range(3000)), "all"], "all", 3002, "3,000 other values are whole numbers"),
    ],
)
def test_the_one_text_among_other_values_is_named(tmp_path: Path, texts: list[str], value: str, line: int, kind: str) -> None:
    question = asked(tmp_path, texts)
    assert question.startswith(f"is '{value}' on line {line:,} a row of the table? All {kind}")


@pytest.mark.parametrize("texts", [["1", "2", "a"], ["1", "2", "3", "a", "b"], ["a", "b", "c", "d"], ["", "", "", "a"]])
def test_nothing_is_asked_about_other_texts(tmp_path: Path, texts: list[str]) -> None:
    assert asked(tmp_path, texts) == ""


def test_numbers_are_read_as_declared(tmp_path: Path) -> None:
    assert "'Summe' on line 5" in asked(tmp_path, ["1,5", "2,25", "3,0", "Summe"], CsvFormat(";", decimal_comma=True))
