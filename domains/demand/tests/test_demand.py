"""The forecast against the published sales."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sales(port: Callable[[str], str]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"create view lines as select *, business_date as day from {port('orders.order_lines')}")
        yield connection


def test_every_department_that_sells_on_most_days_has_a_model(
    port: Callable[[str], str], sales: duckdb.DuckDBPyConnection
) -> None:
    (found,) = duckdb.sql(
        "select count(*), string_agg(department, ', ' order by department), min(trained_to), max(trained_to), sum(observations) "
        f"from {port('demand.forecast_model')}"
    ).fetchall()
    (wanted,) = sales.sql("""
        select count(*), string_agg(department, ', ' order by department), max(last), max(last),
            sum(datediff('day', first, last) + 1)
        from (
            select department, min(day) filter (sales_value > 0) as first, (select max(day) from lines) as last,
                count(distinct day) filter (sales_value > 0) as days
            from lines group by department
        )
        where days >= 300
    """).fetchall()
    assert found == wanted
    assert found[0] == 16


def test_every_model_predicts_thirty_days(port: Callable[[str], str]) -> None:
    (found,) = duckdb.sql(
        "select count(*), count(distinct department), min(business_date), max(business_date), min(horizon_day), max(horizon_day) "
        f"from {port('demand.predicted_sales')}"
    ).fetchall()
    assert found == (480, 16, date(2018, 1, 1), date(2018, 1, 30), 1, 30)


def test_the_back_test_baseline_equals_last_week_repeated(port: Callable[[str], str], sales: duckdb.DuckDBPyConnection) -> None:
    """Mean absolute error of the seasonal-naive forecast over four windows of 30 days, computed in SQL."""
    sales.execute("""
        create or replace temp table history as
        with days as (select unnest(generate_series(date '2017-01-01', date '2017-12-31', interval 1 day))::date as day),
        sums as (select day, department, sum(sales_value) as value from lines group by all)
        select d.day, m.department, coalesce(s.value, 0) as value, d.day <> date '2017-12-25' as is_open
        from days d cross join (select distinct department from lines) m left join sums s using (day, department)
    """)
    sales.execute("""
        update history
        set value = (select value from history b where b.department = history.department and b.day = date '2017-12-18')
        where day = date '2017-12-25'
    """)
    wanted = sales.sql("""
        with windows as (select unnest(range(4)) as number),
        starts as (select number, date '2017-12-31' - 30 * (number::int + 1) + 1 as first from windows)
        select h.department, avg(abs(h.value - b.value)) as mae
        from starts s join history h on h.day between s.first and s.first + 29 and h.is_open
        join history b on b.department = h.department and b.day = s.first - 7 + ((h.day - s.first) % 7)::int
        group by h.department
    """).pl()
    model = port("demand.forecast_model")
    found = duckdb.sql(f"select department, baseline_mae, backtest_mae, method from {model}").pl()
    both = found.join(wanted, on="department")
    assert both.height == found.height
    assert (both["baseline_mae"] - both["mae"]).abs().max() < 1e-6  # type: ignore[operator]
    better = both["backtest_mae"] < both["baseline_mae"]
    assert both.filter(better)["method"].unique().to_list() == ["ets"]


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("demand", files) == {}
