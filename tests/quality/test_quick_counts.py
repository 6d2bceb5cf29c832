from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.quality import quick_counts
from tests.quality.test_counting import counts_only, validated_frame

ASCENDING = {"id": [1, 2, 3, 4, 5], "kind": ["a", "a", "b", "b", "c"], "other": [2, 1, 3, 4, None], "share": [0.5] * 5}
FRAMES = {
    "ascending": ASCENDING,
    "in another order": {name: values[2:] + values[:2] for name, values in ASCENDING.items()},
    "twice": {name: values + values[:2] for name, values in ASCENDING.items()},
    "twice in a row": {name: [value for value in values for _ in range(2)] for name, values in ASCENDING.items()},
    "with nulls": {**ASCENDING, "id": [1, None, 2, None, 3]},
    "with NaN": {**ASCENDING, "share": [0.5, float("nan"), None, 7.0, 0.1]},
    "empty": {name: values[:0] for name, values in ASCENDING.items()},
}
RULES: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "kind"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["kind", "id"]}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["id", "other"]}),
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_not_be_null", {"column": "other", "mostly": 0.9}),
    ("expect_column_values_to_be_between", {"column": "other", "min_value": 2, "max_value": 3}),
    ("expect_column_values_to_be_between", {"column": "share", "max_value": 1}),
    ("expect_column_values_to_be_in_set", {"column": "kind", "value_set": ["a", "b"]}),
    ("expect_column_value_lengths_to_be_between", {"column": "kind", "max_value": 1}),
]
SCHEMA = {"id": pl.Int64, "kind": pl.String, "other": pl.Int64, "share": pl.Float64}


@pytest.fixture(scope="module", autouse=True)
def every_table_is_large() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick_counts, "LARGE", 1)
        yield


@pytest.mark.parametrize("name", FRAMES)
def test_counts_and_verdicts_are_those_of_great_expectations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    frame = pl.DataFrame(FRAMES[name], schema=SCHEMA)
    quick, _ = validated_frame(tmp_path, monkeypatch, frame, RULES, counts_only())
    monkeypatch.setattr(quick_counts, "LARGE", 10**9)
    monkeypatch.setattr(quick_counts, "_ascends", lambda *_: False)
    monkeypatch.setattr(quick_counts, "_has_no_group_of_two", lambda *_: False)
    assert quick == validated_frame(tmp_path, monkeypatch, frame, RULES, counts_only())[0]


def test_a_key_that_ascends_is_neither_grouped_nor_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule in (RULES[0], RULES[2]):
        _, statements = validated_frame(tmp_path, monkeypatch, pl.DataFrame(ASCENDING), [rule], counts_only())
        assert not [text for text in statements if "GROUP BY" in text]


def test_a_condition_that_statistics_answer_is_no_sum_over_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule for rule in RULES if rule[1].get("column") != "share" and "length" not in rule[0] and "unique" not in rule[0]]
    _, statements = validated_frame(tmp_path, monkeypatch, pl.DataFrame(ASCENDING), rules, counts_only())
    assert not [text for text in statements if "CASE WHEN" in text]
    _, statements = validated_frame(tmp_path, monkeypatch, pl.DataFrame(ASCENDING), RULES[7:8], counts_only())
    assert [text for text in statements if "CASE WHEN" in text]  # statistics leave NaN out
