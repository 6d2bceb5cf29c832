from typing import Any

import pytest

from kit.scaffold.contract_draft import ColumnFacts, TableFacts
from kit.scaffold.dbt_tests import Promises, promises

TYPES = {"order_id": "bigint", "drink": "varchar", "Day": "date"}


def found(*tests: Any, column: str = "drink", model: tuple[Any, ...] = ()) -> Promises:
    entry = {"name": "orders", "data_tests": list(model), "columns": [{"name": column, "data_tests": list(tests)}]}

    def relation(to: str, name: str, kind: str) -> str:
        return f"shop.menu.{name}" if (to, kind) == ("ref('menu')", "varchar") else ""

    return promises(entry, TYPES, "One row per order.", {"drink": "What was ordered."}, relation)


def of_drink(*tests: Any) -> ColumnFacts:
    made = found(*tests)
    assert made.others == ()
    return made.facts.columns["drink"]


def test_descriptions_are_kept_of_columns_that_exist() -> None:
    assert found().facts == TableFacts(
        "One row per order.",
        {"order_id": ColumnFacts(), "drink": ColumnFacts("What was ordered."), "Day": ColumnFacts()},
    )


@pytest.mark.parametrize(
    ("test", "fields", "quality"),
    [
        ("not_null", {"required": True}, ()),
        ({"not_null": {"config": {"severity": "warn"}}}, {}, ({"metric": "nullValues", "mustBe": 0, "severity": "warning"},)),
        ("unique", {"unique": True}, ()),
        ({"unique": {"severity": "WARN"}}, {}, ({"metric": "duplicateValues", "mustBe": 0, "severity": "warning"},)),
        (
            {"accepted_values": {"values": ["tea", 1]}},
            {},
            ({"metric": "invalidValues", "arguments": {"validValues": ["tea", "1"]}, "mustBe": 0},),
        ),
        (
            {"name": "known", "test_name": "accepted_values", "arguments": {"values": ["tea"], "quote": True}},
            {},
            ({"metric": "invalidValues", "arguments": {"validValues": ["tea"]}, "mustBe": 0},),
        ),
        ({"relationships": {"to": "ref('menu')", "field": "drink"}}, {"relationships": [{"to": "shop.menu.drink"}]}, ()),
    ],
)
def test_a_test_that_finds_the_same_rows_is_a_rule(test: Any, fields: dict[str, Any], quality: tuple[Any, ...]) -> None:
    assert of_drink(test) == ColumnFacts("What was ordered.", fields, quality)


@pytest.mark.parametrize(
    ("test", "kept"),
    [
        (
            {"not_null": {"where": "order_id > 5"}},
            {"not_null": {"where": "order_id > 5", "arguments": {"column_name": "drink"}}},
        ),
        (
            {"unique": {"config": {"error_if": ">5"}}},
            {"unique": {"config": {"error_if": ">5"}, "arguments": {"column_name": "drink"}}},
        ),
        (
            {"relationships": {"to": "ref('other')", "field": "a"}},
            {"relationships": {"arguments": {"column_name": "drink", "to": "ref('other')", "field": "a"}}},
        ),
        ("dbt_utils.at_least_one", {"dbt_utils.at_least_one": {"arguments": {"column_name": "drink"}}}),
    ],
)
def test_any_other_stays_a_test_of_its_column(test: Any, kept: Any) -> None:
    made = found(test)
    assert made.others == (kept,)
    assert made.facts.columns["drink"] == ColumnFacts("What was ordered.")


def test_values_of_another_type_and_of_a_missing_column_stay_tests() -> None:
    values = {"accepted_values": {"values": ["a"]}}
    assert found(values, column="order_id").others == (
        {"accepted_values": {"arguments": {"column_name": "order_id", "values": ["a"]}}},
    )
    assert found("not_null", column="gone").others == ({"not_null": {"arguments": {"column_name": "gone"}}},)
    ids = found({"accepted_values": {"values": ["1", 2], "quote": False}}, column="ORDER_ID")
    assert ids.facts.columns["order_id"].quality[0]["arguments"] == {"validValues": [1, 2]}


def test_a_disabled_test_is_left_out() -> None:
    assert found({"unique": {"enabled": False}}, model=({"x.y": {"config": {"enabled": False}}},)) == found()


def test_the_key_is_a_unique_column_without_nulls_or_such_columns_together() -> None:
    assert found("unique", "not_null").facts.key == ("drink",)
    assert found("unique").facts.key == ()
    both = {"dbt_utils.unique_combination_of_columns": {"combination_of_columns": ["DRINK", "day"]}}
    assert found("not_null", model=(both,)).others == (both,)
    entry = {"data_tests": [both], "columns": [{"name": name, "tests": ["not_null"]} for name in ("drink", "day")]}
    made = promises(entry, TYPES, "", {}, lambda to, name, kind: "")
    assert (made.facts.key, made.others) == (("drink", "Day"), ())
