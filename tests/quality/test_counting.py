from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.quality.counting import counts_only
from kit.quality.dialect import PlainDialect
from kit.quality.evaluation import batch_of, run, source_of

ROWS = {"id": [1, 1, 2, None], "kind": ["a", "b", "c", None], "other": [2, 1, 3, 4]}
EXPECTATIONS: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_null", {"column": "kind"}),
    ("expect_column_values_to_be_between", {"column": "other", "min_value": 2}),
    ("expect_column_values_to_be_between", {"column": "other", "min_value": 2, "mostly": 0.5}),
    ("expect_column_values_to_be_in_set", {"column": "kind", "value_set": ["a", "b", "c"]}),
    ("expect_column_value_lengths_to_be_between", {"column": "kind", "max_value": 1}),
    ("expect_column_values_to_be_of_type", {"column": "other", "type_": "BIGINT"}),
    ("expect_column_values_to_be_in_type_list", {"column": "other", "type_list": ["VARCHAR"]}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "id", "column_B": "other"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "other", "column_B": "id", "or_equal": True}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["id", "other"]}),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["id", "other"]}),
    ("expect_column_max_to_be_between", {"column": "other", "max_value": 3}),
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
    ("unexpected_rows_expectation", {"unexpected_rows_query": "select * from t_things where other > 2"}),
    ("unexpected_rows_expectation", {"unexpected_rows_query": "select * from t_things where other > 9"}),
    ("expect_column_values_to_be_unique", {"column": "missing"}),
    ("unexpected_rows_expectation", {"unexpected_rows_query": "select missing from t_things"}),
]
VALUES = ("partial_unexpected_list", "unexpected_index_query", "partial_unexpected_counts")


def validated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: list[tuple[str, dict[str, Any]]], result_format: object
) -> tuple[list[dict[str, Any]], list[str]]:
    """As `validated_frame`, of the rows above."""
    return validated_frame(tmp_path, monkeypatch, pl.DataFrame(ROWS), items, result_format)


def validated_frame(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    frame: pl.DataFrame,
    items: list[tuple[str, dict[str, Any]]],
    result_format: object,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The results, without the values that violate a rule, and the statements that were run for them."""
    path, statements = tmp_path / "things.parquet", list[str]()
    frame.write_parquet(path)
    with source_of({"things": [path]}) as source:
        batch = batch_of(source, "things")

        def do_execute(self: PlainDialect, cursor: Any, statement: str, *arguments: Any) -> None:
            statements.append(" ".join(statement.split()))
            return original(self, cursor, statement, *arguments)

        original = PlainDialect.do_execute
        with monkeypatch.context() as patch:
            patch.setattr(PlainDialect, "do_execute", do_execute)
            results = run(batch, "things", [{"type": kind, "kwargs": dict(kwargs)} for kind, kwargs in items], result_format)
    kept = [
        {
            "success": item["success"],
            "failed": "exception" in str(item.get("exception_info")) and "True" in str(item.get("exception_info")),
            "result": {name: value for name, value in item["result"].items() if name not in VALUES},
        }
        for item in results
    ]
    return kept, statements


@pytest.mark.parametrize("item", EXPECTATIONS, ids=lambda item: f"{item[0]} {[*item[1].values()][-1]}")
def test_counts_and_verdicts_are_those_of_a_validation_with_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: tuple[str, dict[str, Any]]
) -> None:
    assert validated(tmp_path, monkeypatch, [item], counts_only())[0] == validated(tmp_path, monkeypatch, [item], "BASIC")[0]


def test_no_query_asks_for_values_or_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = EXPECTATIONS[:-2]
    _, with_values = validated(tmp_path, monkeypatch, sound, "BASIC")
    results, statements = validated(tmp_path, monkeypatch, sound, counts_only())
    assert not [text for text in statements if "unexpected_values" in text or text.startswith("select * from t_things")]
    assert len([text for text in with_values if "unexpected_values" in text]) >= 8
    assert len(statements) == len(with_values) - 12
    assert [result["success"] for result in results].count(True) == 8


def test_other_validations_have_values_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "things.parquet"
    pl.DataFrame(ROWS).write_parquet(path)
    unique, _, _, _, _, _, _, _, _, _, _, _, _, _, _, rows, *_ = EXPECTATIONS
    with source_of({"things": [path]}) as source:
        batch = batch_of(source, "things")
        (summary,) = run(batch, "things", [{"type": unique[0], "kwargs": unique[1]}], "SUMMARY")
        (complete,) = run(batch, "things", [{"type": rows[0], "kwargs": rows[1]}], {"result_format": "COMPLETE"})
    assert summary["result"]["partial_unexpected_list"] == [1, 1]
    assert [row["other"] for row in complete["result"]["details"]["unexpected_rows"]] == [3, 4]
