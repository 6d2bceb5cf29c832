import json
from typing import Any

import pytest

from kit.core.cache import ContentCache
from kit.core.text import short
from kit.governance.check import check_mesh
from kit.governance.expectations import check_expectations
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, write

SUITE = "shop/expectations/sales.extra.json"


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def found(small: SmallMesh, *expectations: dict[str, Any]) -> list[str]:
    write(small.domains / SUITE, json.dumps({"name": "sales.extra", "expectations": list(expectations)}))
    return tried(small)


def tried(small: SmallMesh) -> list[str]:
    return [
        message
        for product in small.mesh.products
        for _, message in pairs(check_expectations(small.context, product, ContentCache(None)))
    ]


def test_each_expectation_that_a_build_could_not_run_is_named_with_its_place(small: SmallMesh) -> None:
    assert found(
        small,
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "item", "regex": "^[a-z]+$"}},
        {"type": "expect_column_values_to_be_valid_email", "kwargs": {"column": "item"}},
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": {"$PARAMETER": "n"}}},
        {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "select * from {batch} where pieces > 1"}},
    ) == [
        f"domains/{SUITE}: expectations.1: expect_column_values_to_be_valid_email is no expectation that is installed",
        f"domains/{SUITE}: expectations.2: expect_table_row_count_to_equal cannot be run: No value found for $PARAMETER n",
        f"domains/{SUITE}: expectations.3: unexpected_rows_query cannot be run on the columns of its tables: Referenced column "
        '"pieces" not found in FROM clause!',
    ]


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        (
            {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "item", "value_set": [1, 2]}},
            "0: expect_column_values_to_be_in_set cannot be run on DuckDB: Could not convert string 'a1' to INT32",
        ),
        (
            {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "sale_id", "column_B": "item"}},
            "0: expect_column_pair_values_to_be_equal cannot be run on DuckDB: Could not convert string 'a1' to INT64",
        ),
        (
            {
                "type": "expect_column_values_to_be_of_type",
                "kwargs": {
                    "column": "item", "type_": "VARCHAR", "row_condition": 'col("item") == "tea"',
                    "condition_parser": "great_expectations",
                },
            },
            "0.kwargs.condition_parser: cannot be checked here; write an unexpected_rows_expectation, which has a where",
        ),
        (
            {"type": "expect_column_values_to_be_in_type_list", "kwargs": {"column": "item", "type_list": []}},
            "0.kwargs.type_list: lists no types",
        ),
    ],
)  # fmt: skip
def test_what_fails_on_any_rows_is_found_before_there_are_any(small: SmallMesh, expectation: dict[str, Any], says: str) -> None:
    (message,) = found(small, expectation)
    assert message.startswith(f"domains/{SUITE}: expectations.{says}")


def test_a_suite_may_read_what_its_product_reads(small: SmallMesh) -> None:
    query = (
        "select sale_id from raw.sales except select sale_id from {batch} union all select sale_id from shop.sales where false"
    )
    assert found(small, {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}}) == []


def test_queries_and_custom_rules_of_contracts_are_tried_too(small: SmallMesh) -> None:
    file = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(file.read_text())
    mean = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "item", "min_value": 1}}
    data["schema"][0]["quality"] = [
        {"type": "sql", "query": "select max(colour) from ${table}", "mustBe": 1},
        {"type": "custom", "engine": "greatExpectations", "implementation": mean},
    ]
    file.write_text(json.dumps(data, indent=1))
    messages = tried(small)
    place = "domains/shop/contracts/sales.odcs.yaml"
    assert [message.partition(": schema.0.quality.")[2].partition(";")[0] for message in messages] == [
        '0.query: it cannot be run on the columns of its tables: Referenced column "colour" not found in FROM clause!',
        "1.implementation: expect_column_mean_to_be_between cannot be run on DuckDB: No function matches the given name and "
        "argument types '*(DOUBLE, VARCHAR)'.",
    ]
    assert all(message.startswith(place) for message in messages)


def test_rules_of_a_consumers_contract_are_tried_on_the_table_that_it_reads(small: SmallMesh) -> None:
    small.need([("item", "varchar", {})], [{"type": "sql", "query": "select max(colour) from ${table}", "mustBe": 1}])
    ((product, message),) = findings_of(small)
    assert (product, message.partition(": schema.0.quality.")[2]) == (
        "plan",
        '0.query: it cannot be run on the columns of its tables: Referenced column "colour" not found in FROM clause!',
    )


def findings_of(small: SmallMesh) -> list[tuple[str, str]]:
    """Product and message of each finding, without the line."""
    found = [f for product in small.mesh.products for f in check_expectations(small.context, product, ContentCache(None))]
    return [(finding.product, f"{short(finding.path)}: {finding.message}") for finding in found if finding.path]


def test_a_suite_that_is_no_json_is_named_once(small: SmallMesh) -> None:
    write(small.domains / SUITE, "{")
    messages = [message for _, message in pairs(check_mesh(small.context))]
    assert [message for message in messages if "sales.extra.json" in message] == [
        f"domains/{SUITE}: not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    ]
