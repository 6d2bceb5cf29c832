"""Products built one partition at a time. `shop` is cut by item (tea, cake), `plan` likewise with a notebook."""

import shutil
import signal
from typing import Any

import polars as pl
import pytest

from kit.build.progress import Progress
from kit.governance.check import check_mesh
from kit.sync.sync import sync
from tests.support.findings import pairs
from tests.support.forked import build_until, forked
from tests.support.small_mesh import FORECAST, SmallMesh


def digests(small: SmallMesh, version: str, port: str = "sales") -> dict[str, str]:
    files: dict[str, str] = small.store.snapshot("shop", version).port(port)["files"]
    return files


def current(small: SmallMesh) -> Any:
    snapshot = small.store.current("shop")
    return snapshot.version if snapshot else None


@pytest.fixture
def cut(small: SmallMesh) -> SmallMesh:
    small.partitioned_shop()
    return small


@pytest.mark.slow
def test_the_life_of_a_partitioned_product(cut: SmallMesh) -> None:
    # All at once.
    outcome = cut.build("shop")
    assert (outcome.status, outcome.partitions, outcome.message) == ("published", ("tea", "cake"), "")
    first = outcome.version
    assert first is not None
    assert list(digests(cut, first)) == list(digests(cut, first, "totals")) == ["cake.parquet", "tea.parquet"]
    snapshot = cut.store.snapshot("shop", first)
    assert {name: entry["rows"] for name, entry in snapshot.manifest["ports"].items()} == {"sales": 30, "totals": 2}
    assert {path.stem: set(pl.read_parquet(path)["item"]) for path in snapshot.files("sales")} == {
        "tea": {"tea"},
        "cake": {"cake"},
    }
    assert cut.build("shop").status == "up to date"
    assert cut.build("shop", partitions=("tea",)).status == "up to date"

    # One that has changed; the other is carried over as it is, and is due from then on.
    cut.replace("domains/shop/models/marts/sales.sql", "order by sale_id", "order by sale_id desc")
    outcome = cut.build("shop", partitions=("tea",))
    assert (outcome.status, outcome.partitions) == ("published", ("tea",))
    second = outcome.version
    assert second is not None
    assert digests(cut, second)["cake.parquet"] == digests(cut, first)["cake.parquet"]
    assert digests(cut, second)["tea.parquet"] != digests(cut, first)["tea.parquet"]
    assert cut.build("shop", partitions=("tea",)).status == "up to date"
    outcome = cut.build("shop")
    assert (outcome.status, outcome.partitions) == ("published", ("cake",))

    # A need is tested against what there is, without a partition built anew.
    cut.need([("item", "varchar", {"required": True})])
    outcome = cut.build("shop")
    assert (outcome.status, outcome.partitions) == ("published", ())
    assert [check.rule for check in outcome.checks if check.origin == "need"] == [
        "needed by plan: has the columns and types it reads (1)", "needed by plan: item is required",
    ]  # fmt: skip

    # Back, and held there.
    cut.store.rollback("shop", second)
    assert cut.build("shop").status == "held"
    assert cut.build("shop", partitions=("cake",)).status == "held"

    # A new key is due like any other.
    cut.partition("shop", "item", keys=["tea", "cake", "pie"])
    cut.publish("shop", partitions=("pie",))
    assert list(digests(cut, current(cut))) == ["cake.parquet", "pie.parquet", "tea.parquet"]


@pytest.mark.slow
def test_a_consumer_reads_all_partitions(cut: SmallMesh) -> None:
    cut.publish("shop")
    cut.publish("plan")
    plan = cut.store.current("plan")
    assert plan is not None
    assert dict(pl.read_parquet(plan.files("forecast")).iter_rows()) == {"cake": 340.0, "tea": 620.0}
    assert list(plan.manifest["inputs"]["shop.totals"]["files"]) == ["cake.parquet", "tea.parquet"]


@pytest.mark.slow
def test_days_that_are_over_are_built(small: SmallMesh) -> None:
    small.partitioned_shop("sold_on", start="2024-01-06")
    small.replace("domains/shop/contracts/sales.odcs.yaml", "20,", "10,")
    outcome = small.build("shop")
    assert outcome.message == ""
    assert outcome.partitions == ("2024-01-06", "2024-01-07", "2024-01-08", "2024-01-09")


@pytest.mark.slow
def test_rows_of_another_partition_are_refused_and_readers_keep_the_last_snapshot(cut: SmallMesh) -> None:
    version = cut.publish("shop")
    cut.replace(
        "domains/shop/models/marts/sales.sql", "where item::varchar = '{{ var('partition') }}'", "where item is not null"
    )
    outcome = cut.build("shop", partitions=("tea",))
    assert outcome.message.splitlines()[1:] == [
        "failed  sales: every row lies in the partition of its item  (contract)",
        "        observed: 10 rows in partition tea of others",
        "failed  totals: every row lies in the partition of its item  (contract)",
        "        observed: 1 row in partition tea of others",
    ]
    assert current(cut) == version


@pytest.mark.slow
def test_the_contract_is_held_against_all_partitions_together(cut: SmallMesh) -> None:
    version = cut.publish("shop")
    # Unique within tea, as the dbt test of the partition sees it, but not beside cake.
    cut.replace("domains/shop/models/marts/sales.sql", "select *", "select * replace (sale_id + 1 as sale_id)")
    outcome = cut.build("shop", partitions=("tea",))
    assert outcome.message.splitlines()[:3] == [
        "'shop': 1 check failed, nothing was published",
        "failed  sales: sale_id is unique  (contract)",
        "        observed: 20 of 30 rows break it",
    ]
    assert current(cut) == version


@pytest.mark.slow
def test_a_partition_kept_with_other_columns_is_said(cut: SmallMesh) -> None:
    shutil.rmtree(cut.domains / "plan")  # a consumer that the change breaks
    version = cut.publish("shop")
    cut.replace("domains/shop/contracts/totals.odcs.yaml", '"decimal(18,2)"', '"decimal(20,2)"')
    cut.replace("domains/shop/models/marts/totals.sql", "decimal(18,2)", "decimal(20,2)")
    sync(cut.context)
    assert cut.build("shop", partitions=("tea",)).message == (
        "'shop': partition cake of the port 'totals' was built with other columns than the contract's now; "
        "build all partitions with `kit run shop`"
    )
    assert current(cut) == version


@pytest.mark.slow
def test_a_build_killed_between_partitions_leaves_readers_where_they_were(cut: SmallMesh) -> None:
    version = cut.publish("shop")
    assert forked(build_until, cut.root, "shop", "dbt done") == -signal.SIGKILL
    assert current(cut) == version
    assert cut.build("shop").status == "up to date"
    cut.publish("shop", force=True)


@pytest.mark.slow
def test_a_partition_that_is_gone_takes_its_file_along(cut: SmallMesh) -> None:
    first = cut.publish("shop")
    cut.partition("shop", "item", keys=["tea"])
    second = cut.publish("shop")
    assert digests(cut, second) == {"tea.parquet": digests(cut, first)["tea.parquet"]}


def test_a_partition_that_is_not_there_is_refused(cut: SmallMesh) -> None:
    says = "'shop' has no partition 'pie'; there are: tea, cake"
    assert cut.build("shop", partitions=("pie",)).message == says
    assert cut.build("plan", partitions=("tea",)).message == (
        "'plan' has no partitions; leave --partition out, or declare them in its descriptor"
    )
    done = cut.kit("run", "shop", "--partition", "pie")
    assert (done.returncode, done.stderr) == (1, f"error: {says}\n")
    done = cut.kit("run", "plan", "--partition", "tea")
    assert (done.returncode, done.stderr) == (1, "error: none of plan has partitions; leave the partition out\n")


def test_days_before_the_first_is_over(small: SmallMesh) -> None:
    small.partitioned_shop("sold_on", start="2024-01-10")
    assert small.build("shop").message == "'shop' has no partitions yet; its first day, 2024-01-10, must be over"


@pytest.mark.slow
def test_a_notebook_gets_its_partition(small: SmallMesh) -> None:
    small.publish("shop")
    small.partitioned_plan()
    outcome = small.build("plan", parameters={"factor": "3"})
    assert (outcome.status, outcome.partitions, list(outcome.notebooks)) == (
        "published",
        ("tea", "cake"),
        ["forecast.tea", "forecast.cake"],
    )
    plan = small.store.current("plan")
    assert plan is not None
    assert {path.name: pl.read_parquet(path).rows() for path in plan.files("forecast")} == {
        "cake.parquet": [("cake", 510.0)], "tea.parquet": [("tea", 930.0)],
    }  # fmt: skip
    assert pairs(check_mesh(small.context)) == []


@pytest.mark.parametrize("parameters", ["", "factor: float = 2.0\n", "partition: int = 1\n"])
def test_a_notebook_that_cannot_be_told_its_partition(small: SmallMesh, parameters: str) -> None:
    path = small.notebook("plan", "forecast", FORECAST, parameters)
    small.partition("plan", "item", keys=["tea"])
    says = f"{path}: 'plan' is partitioned, so it needs a parameter `partition: str = …` in its cell tagged `parameters`"
    assert pairs(check_mesh(small.context)) == [("plan", says)]


def test_a_build_with_a_notebook_that_cannot_be_told_its_partition_fails(small: SmallMesh) -> None:
    small.publish("shop")
    small.partition("plan", "item", keys=["tea"])
    heard: list[str] = []
    outcome = small.build("plan", progress=Progress(step=heard.append))
    assert outcome.message.endswith("it needs a parameter `partition: str = …` in its cell tagged `parameters`")
    assert heard == ["recorded"]
