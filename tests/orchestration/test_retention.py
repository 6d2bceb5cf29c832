"""Old runs of Dagster go, with all that is theirs; what Dagster shows of an asset stays."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from kit.orchestration.instance import executing, hold_run_lock, home, instance, prune_runs
from kit.orchestration.retention import forget, forget_before, retain
from tests.support.small_mesh import SmallMesh

PARTS = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset(key=["shop", "sales"], check_specs=[dg.AssetCheckSpec("sound", asset=dg.AssetKey(["shop", "sales"]))])
def sales() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(passed=True)


@dg.asset(key=["days", "takings"], partitions_def=PARTS)
def takings() -> None:
    """One partition."""


@dg.asset(key=["shop", "broken"])
def broken() -> None:
    raise ValueError("no sales")


ASSETS = {"shop": [sales], "days": [takings], "broken": [broken]}


def run(opened: dg.DagsterInstance, product: str, partition: str | None = None) -> str:
    done = dg.materialize(ASSETS[product], instance=opened, partition_key=partition, raise_on_error=False, tags={"a": "b"})
    return done.run_id


def left(opened: dg.DagsterInstance) -> list[str]:
    return [record.dagster_run.run_id for record in reversed(opened.get_run_records())]


def rows(small: SmallMesh, query: str, database: str = "runs/index.db") -> list[tuple[object, ...]]:
    connection = sqlite3.connect(home(small.config) / "history" / database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_the_newest_runs_of_each_product_stay_and_nothing_is_left_of_the_others(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        shop = [run(opened, "shop") for _ in range(5)]
        days = run(opened, "days", "a")
        assert retain(home(small.config), opened, 2, thorough=True) == 3
        assert left(opened) == [*shop[3:], days]
        assert opened.get_latest_materialization_event(dg.AssetKey(["shop", "sales"])) is not None
    kept = {*shop[3:], days}
    assert {run_id for (run_id,) in rows(small, "select run_id from event_logs")} == kept
    assert {run_id for (run_id,) in rows(small, "select run_id from asset_check_executions")} == set(shop[3:])
    assert {run_id for (run_id,) in rows(small, "select run_id from run_tags", "runs.db")} == kept
    assert {path.name.partition(".")[0] for path in (home(small.config) / "history/runs").glob("*-*.db*")} == kept
    assert {path.name for path in (home(small.config) / "logs").glob("*-*")} == kept


def test_runs_whose_results_dagster_shows_stay_however_old_they_are(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        good = run(opened, "shop")  # the newest results of an asset that has only failed since
        first, second = run(opened, "days", "a"), run(opened, "days", "b")
        failed = [run(opened, "broken") for _ in range(3)]
        again = [run(opened, "days", "b") for _ in range(3)]
        assert retain(home(small.config), opened, 1, thorough=True) == 5
        assert left(opened) == [good, first, failed[-1], again[-1]]
        assert second not in left(opened)
        assert opened.get_materialized_partitions(dg.AssetKey(["days", "takings"])) == {"a", "b"}


def test_reports_without_a_run_are_kept_as_often_as_runs(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        for _ in range(5):
            for key in (["shop", "sales"], ["shop", "totals"]):
                opened.report_runless_asset_event(dg.AssetMaterialization(key))
            opened.report_runless_asset_event(
                dg.AssetCheckEvaluation(asset_key=dg.AssetKey(["shop", "sales"]), check_name="sound", passed=True)
            )
        retain(home(small.config), opened, 2, thorough=True)
    kinds = "select dagster_event_type, count(*) from event_logs group by 1 order by 1"
    assert rows(small, kinds) == [("ASSET_CHECK_EVALUATION", 2), ("ASSET_MATERIALIZATION", 4)]
    assert rows(small, "select count(*) from asset_check_executions") == [(2,)]


def test_a_home_is_examined_again_only_after_a_tenth_more_runs(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    with instance(small.config) as opened:
        runs = [run(opened, "shop") for _ in range(3)]
        assert retain(home(small.config), opened, 3) == 0
        runs.append(run(opened, "shop"))
        assert retain(home(small.config), opened, 3) == 1
        assert left(opened) == runs[1:]


def test_the_space_of_deleted_rows_is_given_back(small: SmallMesh) -> None:
    with instance(small.config):
        pass
    index = home(small.config) / "history/runs/index.db"
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("create table gone as with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) "
                           "select zeroblob(10000) from n")  # fmt: skip
        connection.execute("drop table gone")
        connection.commit()
    before = index.stat().st_size
    assert prune_runs(small.config, 1) == 0
    assert (before > 3_000_000, index.stat().st_size < 500_000) == (True, True)


def test_a_home_that_was_never_made_is_left_alone(small: SmallMesh) -> None:
    assert prune_runs(small.config, 1) == 0
    assert not home(small.config).exists()


def test_a_run_of_this_process_keeps_no_descriptor(small: SmallMesh) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for number in range(3):
        with executing(small.config, f"run-{number}"), hold_run_lock(small.config, f"run-{number}"):
            assert len(list(descriptors.iterdir())) == before + 1
    assert len(list(descriptors.iterdir())) == before
    assert list((home(small.config) / "alive").iterdir()) == []


def test_what_is_older_than_a_moment_goes_with_and_without_a_run(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        run(opened, "shop")
        products = {"shop__sales", "shop"}  # the step of this job is named as its asset, unlike those of the kit
        opened.report_runless_asset_event(dg.AssetMaterialization(["shop", "sales"], description="planted"))
        moment = datetime.now(UTC).replace(tzinfo=None)
        new = run(opened, "shop")
        opened.report_runless_asset_event(dg.AssetMaterialization(["shop", "sales"], description="later"))
        forget_before(home(small.config), opened, products, moment)
        assert left(opened) == [new]
    assert {run_id for (run_id,) in rows(small, "select run_id from event_logs")} == {new, ""}
    assert b"planted" not in (home(small.config) / "history/runs/index.db").read_bytes()


def test_nothing_of_a_removed_product_is_left_and_other_products_of_its_runs_stay(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        run(opened, "shop")
        both = dg.materialize([sales, takings], instance=opened, partition_key="a", raise_on_error=False).run_id
        before = rows(small, "select * from event_logs")
        forget(home(small.config), opened, "sho_")
        forget_before(home(small.config), opened, ["sho_"], datetime.max)
        assert rows(small, "select * from event_logs") == before
        assert forget(home(small.config), opened, "shop") == 1
        assert (left(opened), opened.all_asset_keys()) == ([both], [dg.AssetKey(["days", "takings"])])
        assert opened.get_materialized_partitions(dg.AssetKey(["days", "takings"])) == {"a"}
    assert rows(small, "select count(*) from asset_check_executions") == [(0,)]
    assert rows(small, """select count(*) from event_logs where asset_key like '["shop"%'""") == [(0,)]


def test_a_look_deletes_no_run(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        shop = [run(opened, "shop") for _ in range(3)]
    assert prune_runs(small.config, 1, dry_run=True) == 2
    assert prune_runs(small.config, 1, ["days"]) == 0
    with instance(small.config) as opened:
        assert left(opened) == shop
