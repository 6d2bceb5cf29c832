import json
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.rule_kinds import Assertion
from kit.core.cache import ContentCache
from kit.quality.trial import Trials
from tests.support.small_mesh import contract, write

COLUMNS = [
    ("id", "bigint", {}), ("code", "varchar", {}), ("amount", "double", {}), ("price", "decimal(4,4)", {}), ("day", "date", {}),
    ("at", "timestamp with time zone", {}), ("time", "time", {}), ("key", "uuid", {}), ("open", "boolean", {}),
    ("raw", "blob", {}), ("more", "json", {}), ("many", "decimal(9,2)[]", {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contract]:
    folder = tmp_path_factory.mktemp("tables")
    write(folder / "a.yaml", contract("shop.things", "things", COLUMNS))
    write(folder / "b.yaml", contract("shop.raw.feed", "feed", [("id", "bigint", {})]))
    return {"things": Contract.load(folder / "a.yaml"), "raw.feed": Contract.load(folder / "b.yaml")}


def problem(tables: dict[str, Contract], kind: str, **kwargs: Any) -> str:
    with Trials(tables, ContentCache(None)) as trials:
        return trials.problem("things", Assertion.from_expectation(kind, kwargs))


def query(tables: dict[str, Contract], text: str) -> str:
    return problem(tables, "unexpected_rows_expectation", unexpected_rows_query=text)


RUNS: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_not_be_null", {"column": "code", "mostly": 0.9}),
    ("expect_column_values_to_be_unique", {"column": "key"}),
    ("expect_column_mean_to_be_between", {"column": "amount", "min_value": 0, "max_value": 2.5}),
    ("expect_column_values_to_match_regex", {"column": "code", "regex": "-[0-9]"}),
    ("expect_column_values_to_not_match_regex", {"column": "code", "regex": "^x", "mostly": 0.5}),
    ("expect_column_values_to_be_of_type", {"column": "code", "type_": "VARCHAR"}),
    ("expect_column_values_to_be_in_type_list", {"column": "price", "type_list": ["NUMERIC(4,4)", "text"]}),
    ("expect_column_max_to_be_between", {"column": "day", "min_value": "2020-01-01", "max_value": "2021-01-01"}),
    ("expect_column_unique_value_count_to_be_between", {"column": "code", "min_value": 1}),
    ("expect_column_quantile_values_to_be_between",
     {"column": "amount", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 9.5]]}}),
    # Evaluated by Great Expectations:
    ("expect_column_max_to_be_between", {"column": "at", "min_value": "2020-01-01", "strict_min": True}),
    ("expect_column_median_to_be_between", {"column": "price", "max_value": 1, "strict_max": True}),
    ("expect_column_kl_divergence_to_be_less_than",
     {"column": "code", "partition_object": {"values": ["1"], "weights": [1.0]}, "threshold": 9}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "amount", "column_B": "id", "or_equal": True}),
    ("expect_table_columns_to_match_set", {"column_set": ["id"], "exact_match": False}),
    ("expect_column_values_to_not_be_null",
     {"column": "code", "row_condition": 'col("id") > 0', "condition_parser": "great_expectations"}),
    ("expect_column_values_to_be_in_set", {"column": "code", "value_set": ["x"]}),
    ("expect_table_row_count_to_equal", {"value": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "kwargs"), RUNS)
def test_what_an_audit_can_run_has_no_problem_whether_it_holds_or_not(tables: Any, kind: str, kwargs: Any) -> None:
    assert problem(tables, kind, **kwargs) == ""


NO_SQL = "cannot be run on DuckDB: Great Expectations has no SQL for it; write an unexpected_rows_expectation"
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("expect_column_values_to_be_valid_email", {"column": "code"}, "is no expectation that is installed"),
    ("expect_colum_values_to_not_be_null", {"column": "id"},
     "is no expectation that is installed; there is: expect_column_values_to_not_be_null"),
    ("expect_table_row_count_to_equal", {"value": {"$PARAMETER": "upstream_row_count"}},
     "cannot be run: No value found for $PARAMETER upstream_row_count"),
    ("expect_column_values_to_not_be_null", {"column": "code", "bogus": 1},
     "has no argument 'bogus'; there are: column, condition_parser, mostly, row_condition"),
    ("expect_column_values_to_not_be_null", {"column": "code", "mostly": 1.5},
     "cannot be run: mostly: ensure this value is less than or equal to 1.0"),
    ("expect_column_values_to_not_be_null", {}, "cannot be run: column: field required"),
    ("expect_column_values_to_not_be_null", {"column": "code", "batch_id": "b"}, "has no batches; leave batch_id out"),
    ("expect_column_values_to_not_be_null", {"column": "code", "row_condition": "id > 0", "condition_parser": "pandas"},
     'cannot be run on DuckDB: a row_condition of pandas or Spark is no SQL; write one such as col("id") > 0 with '
     "condition_parser great_expectations"),
    ("expect_column_values_to_match_like_pattern", {"column": "code", "like_pattern": "a%"},
NO_SQL),
    ("expect_column_values_to_be_increasing", {"column": "id"}, NO_SQL),
    ("expect_column_mean_to_be_between", {"column": "code", "min_value": 0},
     "cannot be run on DuckDB: No function matches the given name and argument types"),
    ("expect_column_values_to_be_in_set", {"column": "id", "value_set": ["x"]},
     "cannot be run on DuckDB: Could not convert string 'x' to INT64"),
    ("expect_column_values_to_be_between", {"column": "id", "min_value": 5, "max_value": 1},
     "cannot be run on DuckDB: min_value cannot be greater than max_value"),
    ("expect_column_max_to_be_between", {"column": "day", "min_value": 1, "max_value": "2020-01-01"}, "cannot be run"),
    ("expect_table_row_count_to_equal_other_table", {"other_table_name": "t"},
     "cannot be run on DuckDB: Table with name t does not exist!"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "kwargs", "expected"), REFUSED)
def test_what_an_audit_cannot_run_is_named(tables: Any, kind: str, kwargs: Any, expected: str) -> None:
    found = problem(tables, kind, **kwargs)
    assert found.startswith(expected)
    assert "\n" not in found


def test_queries_are_run_on_tables_without_rows(tables: Any) -> None:
    assert query(tables, "select * from {batch} where code::bigint > 1 and id not in (select id from raw.feed)") == ""
    unable = "cannot be run on the columns of its tables:"
    assert query(tables, "select * fro {batch}") == f'{unable} syntax error at or near ""things""'
    assert query(tables, "select * from {batch} where colour = 1").startswith(f'{unable} Referenced column "colour" not found')
    assert query(tables, "select nothing(code) from {batch}").startswith(f"{unable} Scalar Function with name nothing does not")


def test_what_the_text_of_a_query_shows_is_not_said_twice(tables: Any) -> None:
    """Undeclared tables, files, settings and further statements are found by the check of what a product reads."""
    assert query(tables, "delete from {batch}") == ""
    assert query(tables, "select 1 from {batch}; select 2") == ""
    assert query(tables, "select * from crm.people") == ""
    assert query(tables, "select * from read_csv('/etc/passwd')") == ""


def test_results_are_remembered_by_expectation_and_columns(tables: Any, tmp_path: Path) -> None:
    assertion = Assertion.from_expectation("expect_column_values_to_be_increasing", {"column": "id"})
    cache = ContentCache(tmp_path / "cache")
    with Trials(tables, cache) as trials:
        found = trials.problem("things", assertion)
    cache.save()
    again = Trials(tables, ContentCache(tmp_path / "cache"))
    again._batch = None  # type: ignore[assignment,method-assign]
    assert again.problem("things", assertion) == found != ""
    assert json.dumps(found)
