"""Incremental models begin with the rows that readers see."""

import json
from typing import Any

import pytest

from kit.build.incremental import growth_findings
from kit.sync.sync import sync
from tests.build.test_reuse import built, current, manifest
from tests.support.small_mesh import SALES, SmallMesh, write

MODEL = "domains/shop/models/marts/sales.sql"
NEW = "{% if is_incremental() %}where sale_id > (select max(sale_id) from {{ this }}){% endif %}"


def grow(small: SmallMesh, where: str = NEW, **config: Any) -> None:
    """Make `sales` an incremental model, so that its sum may differ from that of the raw rows."""
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"name": "totals add up"', '"severity": "warning", "name": "sum"')
    settings = ", ".join(f"{name}={value!r}" for name, value in {"on_schema_change": "fail", **config}.items())
    write(
        small.root / MODEL,
        f"{{{{ config(materialized='incremental', {settings}) }}}}\n"
        f"select sale_id, item, amount, sold_on from {{{{ source('raw', 'sales') }}}} {where}\n",
    )


def amounts(small: SmallMesh) -> dict[int, str]:
    import polars as pl

    rows = pl.read_parquet(current(small).paths("sales")).select("sale_id", pl.col("amount").cast(str)).rows()
    return dict(rows)


@pytest.mark.slow
def test_new_rows_are_added_to_the_published_ones(small: SmallMesh) -> None:
    grow(small, incremental_strategy="append")
    small.publish("shop")
    first = amounts(small)
    # The correction of an old row is not read: the model reads new rows only.
    small.feed_rows([*SALES[:1], "1,tea,99.00,2024-01-02", *SALES[2:], "31,tea,3.00,2024-01-09"])
    built(small)
    assert amounts(small) == {**first, 31: "3.00"}
    before = current(small).version
    # What failed moves nothing.
    small.feed_rows([*SALES, "32,tea,-3.00,2024-01-09"])
    assert small.build("shop").status == "failed"
    assert current(small).version == before
    # All rows are read again when that is asked for.
    small.feed_rows([*SALES[:1], "1,tea,99.00,2024-01-02", *SALES[2:], "31,tea,3.00,2024-01-09"])
    built(small, full_refresh=True)
    assert amounts(small) == {**first, 1: "99.00", 31: "3.00"}
    # After a rollback the increment begins where readers are.
    small.store.rollback("shop", before)
    small.feed_rows([*SALES, "31,tea,3.00,2024-01-09", "40,tea,4.00,2024-01-09"])
    built(small)
    assert amounts(small) == {**first, 31: "3.00", 40: "4.00"}
    assert "taken_over" not in manifest(small)["ports"]["sales"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["merge", "delete+insert"])
def test_rows_with_a_known_key_are_replaced(small: SmallMesh, strategy: str) -> None:
    grow(small, "", incremental_strategy=strategy, unique_key="sale_id")
    small.publish("shop")
    first = amounts(small)
    small.feed_rows([SALES[0], "1,tea,99.00,2024-01-02", *SALES[10:]])
    built(small)
    assert amounts(small) == {**first, 1: "99.00"}


@pytest.mark.slow
def test_a_new_column(small: SmallMesh) -> None:
    grow(small, incremental_strategy="append")
    small.publish("shop")
    small.feed_rows([*SALES, "31,tea,3.00,2024-01-09"])
    file = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(file.read_text())
    data["schema"][0]["properties"].append(
        {**data["schema"][0]["properties"][1], "name": "taxed", "required": False, "quality": []}
    )
    file.write_text(json.dumps(data))
    small.replace(MODEL, "sold_on from", "sold_on, 'yes'::varchar as taxed from")
    sync(small.context)
    before = current(small).version
    failed = small.build("shop")
    assert failed.status == "failed"
    assert "source and target schemas on this incremental model are out of sync" in failed.message
    assert current(small).version == before
    small.replace(MODEL, "on_schema_change='fail'", "on_schema_change='append_new_columns'")
    built(small)
    # Rows from before have no value in it.
    assert taxed(small) == {None: 30, "yes": 1}
    built(small, full_refresh=True)
    assert taxed(small) == {"yes": 31}


def taxed(small: SmallMesh) -> dict[str | None, int]:
    import polars as pl

    return dict(pl.read_parquet(current(small).paths("sales"))["taxed"].value_counts().rows())


def problems(small: SmallMesh) -> list[str]:
    return [finding.message for finding in growth_findings(small.product("shop"))]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, ""),
        ({"incremental_strategy": "merge", "unique_key": ["sale_id"]}, ""),
        ({"incremental_strategy": "merge"}, "the incremental strategy 'merge' needs a unique_key"),
        (
            {"incremental_strategy": "microbatch"},
            "the incremental strategy 'microbatch' is not supported; write one of append,",
        ),
        ({"on_schema_change": "append_new_columns"}, ""),
        ({"on_schema_change": "ignore"}, "on_schema_change is 'ignore', by which the columns could differ"),
        ({"on_schema_change": "sync_all_columns"}, "on_schema_change is 'sync_all_columns', by which the columns could"),
    ],
)
def test_strategies(small: SmallMesh, config: dict[str, Any], problem: str) -> None:
    grow(small, **config)
    assert [message.startswith(problem) for message in problems(small)] == [True] * bool(problem)


def test_a_model_that_has_no_published_rows_to_begin_with(small: SmallMesh) -> None:
    write(small.domains / "shop/models/other.sql", "{{ config(materialized='incremental') }} select 1 as one\n")
    assert problems(small) == [
        "an incremental model begins with published rows, so it must be a port; declare it, or write view or table"
    ]


def test_contracts_that_change_published_rows(small: SmallMesh) -> None:
    grow(small)
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    assert problems(small)[0].startswith("the published rows that an incremental model begins with are masked")
    small.mask("shop/contracts/sales.odcs.yaml", item="inherited")
    small.partition("shop", "item", keys=["tea", "cake"])
    assert problems(small)[0].startswith("an incremental model has no place in a product with partitions")
