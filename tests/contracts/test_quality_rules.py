from pathlib import Path
from typing import Any

import pytest

from kit.contracts.rule_kinds import accepted_values, not_null
from kit.contracts.rules import Rule
from kit.core.errors import InvalidFile
from tests.support.least_contract import ITEM, TABLE, load, rules


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_no_nulls_in_the_words_of_the_standard_is_required() -> None:
    assert rules((f"{ITEM} quality", [{"metric": "nullValues", "mustBe": 0}])) == [Rule("item is required", not_null("item"))]


def test_null_is_no_valid_value() -> None:
    valid = [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a", None]}}]
    assert rules((f"{ITEM} quality", valid)) == [Rule("item is one of 1 values", accepted_values("item", ["a"]))]


CUSTOM = {"type": "custom", "engine": "greatExpectations", "implementation": {"type": "expect_x"}}


@pytest.mark.parametrize(
    ("where", "item", "problem"),
    [
        (TABLE, {"metric": "rowCount", "mustBe": 1, "arguments": {"filter": "a = 1"}},
         "0.arguments: rowCount has no argument 'filter' that can be checked; there is: none"),
        (ITEM, {"metric": "duplicateValues", "mustBe": 0, "unit": "days"},
         "0.unit: duplicateValues cannot be counted in 'days'; use rows or percent"),
        (ITEM, {"metric": "duplicateValues", "mustBe": False}, "0: duplicateValues can only be promised with 'mustBe: 0'"),
        (TABLE, {"type": "sql", "query": "select 1", "metric": "rowCount", "mustBe": 1},
         "0.metric: metric is not checked in a rule of type sql, which has: query"),
        (TABLE, {**CUSTOM, "query": "select 1"},
         "0.query: 'query' only belongs to type: sql"),
    ],
)  # fmt: skip
def test_a_field_that_the_rule_would_ignore_is_refused(where: str, item: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load((f"{where} quality", [item]))
    assert str(caught.value).partition("quality.")[2] == problem
