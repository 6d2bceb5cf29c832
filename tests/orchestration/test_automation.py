from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState

from kit.orchestration import automation
from kit.orchestration.definitions import definitions
from tests.support.days import publish_days, publish_sales, write_days
from tests.support.orchestration import SHOP, Clock, declare, keys
from tests.support.small_mesh import SmallMesh

DAYS = [f"2024-01-{day:02d}" for day in range(4, 10)]


def test_every_schedule_ticks(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    declare(small, "shop", "schedule", "0 6 * * *")
    defs = definitions(small.context)
    (schedule,) = defs.get_repository_def().schedule_defs
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == ("shop_schedule", "0 6 * * *", "UTC")
    context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 11, 23, 6, tzinfo=UTC))
    assert len(schedule.evaluate_tick(context).run_requests or ()) == 1
    job = defs.resolve_job_def(schedule.job_name)
    assert job.asset_layer.selected_asset_keys == set(keys("shop.raw.sales", "shop.sales", "shop.totals"))
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_automation_builds_what_is_missing_changed_or_about_to_be_late(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    clock = Clock(definitions(small.context), instance)
    assert clock.tick() == {*SHOP, "plan/forecast"}
    assert clock.tick() == set()
    for name in ("shop.raw.sales", "shop.sales", "shop.totals", "plan.forecast"):
        clock.made(name, "1")
    assert clock.tick() == set()
    clock.made("shop.totals", "1")  # confirmed, the same data
    assert clock.tick() == set()
    clock.made("shop.totals", "2")
    assert clock.tick() == {"plan/forecast"}
    clock.made("plan.forecast", "2")
    assert clock.tick() == set()
    clock.freshness("shop.sales", FreshnessState.PASS, FreshnessState.WARN)
    assert clock.tick() == {"shop/sales"}
    assert clock.tick() == set()  # asked for once, not at every tick


def outdated_runs(small: SmallMesh, name: str) -> list[tuple[Any, ...]]:
    """Runs that the sensor for outdated products asks for: run key, partition or range."""
    requests = automation.outdated_requests(small.config, small.product(name))
    return [(request.run_key, request.partition_key, *request.tags.values()) for request in requests]


def test_what_is_still_outdated_after_a_while_is_built(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    write_days(small.domains / "days", start="2024-01-04", lookback=5)
    assert outdated_runs(small, "days") == []
    publish_sales(small, "1")
    publish_days(small)
    publish_sales(small, "2")
    assert outdated_runs(small, "days") == []  # the conditions answer a change that has just come
    monkeypatch.setattr(automation, "_ANSWERED", timedelta(0))
    state = f"{small.store.versions('days')[0]} {small.store.versions('shop')[0]}"
    assert outdated_runs(small, "days") == [(f"days 2024-01-05 {state}", None, "2024-01-05", "2024-01-09")]
    publish_days(small)
    assert outdated_runs(small, "days") == []


def test_a_product_without_partitions_is_outdated_as_a_whole(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "_ANSWERED", timedelta(0))
    small.snapshot("shop", "totals", {"item": ["tea"], "amount": ["1"]})
    pin = {"version": "v", **{key: small.store.current("shop").port("totals")[key] for key in ("contract_version", "files")}}
    small.snapshot("plan", "forecast", {"amount": ["2"]}, inputs={"shop.totals": pin})
    assert outdated_runs(small, "plan") == []
    small.snapshot("shop", "totals", {"item": ["tea"], "amount": ["3"]})
    assert [key.partition(" ")[0] for key, *_ in outdated_runs(small, "plan")] == ["plan"]


def test_the_sensor_for_outdated_products_leaves_schedules_and_broken_storages_alone(
    small: SmallMesh, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automation, "_ANSWERED", timedelta(0))
    write_days(small.domains / "days", start="2024-01-04")
    publish_sales(small, "1")
    publish_days(small)
    publish_sales(small, "2")

    def asked() -> list[Any]:
        definitions_now = definitions(small.context)
        (sensor,) = (item for item in definitions_now.get_repository_def().sensor_defs if item.name == "outdated")
        context = dg.build_sensor_context(instance, repository_def=definitions_now.get_repository_def())
        return list(sensor.evaluate_tick(context).run_requests or ())

    (small.store.folder("plan")).mkdir(parents=True)
    (small.store.folder("plan") / "current.json").write_text("{")
    (request,) = asked()
    assert request.asset_selection == keys("days.takings")
    declare(small, "days", "schedule", "0 6 * * *")
    assert asked() == []


def test_a_scheduled_product_is_left_to_its_schedule(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    declare(small, "plan", "schedule", "0 6 * * *")
    assert Clock(definitions(small.context), instance).tick() == SHOP


def scheduled(small: SmallMesh, instance: dg.DagsterInstance) -> list[tuple[str, ...]]:
    """The partitions of each run that a schedule asks for: one, or the first and the last."""
    repository = definitions(small.context).get_repository_def()
    (schedule,) = repository.schedule_defs
    morning = datetime(2024, 1, 10, 5, 30, tzinfo=UTC)
    context = dg.build_schedule_context(instance, scheduled_execution_time=morning, repository_def=repository)
    tags = [request.tags for request in schedule.evaluate_tick(context).run_requests or ()]
    names = ["dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"]
    return [tuple(found[name] for name in names if name in found) for found in tags]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"column": "item", "keys": ["tea", "cake"]}, [("tea", "cake")]),
        ({"column": "item", "start": "2024-01-08"}, [("2024-01-08", "2024-01-09")]),
        ({"column": "item", "start": "2024-01-09"}, [("2024-01-09",)]),
        ({"column": "item", "start": "2024-01-10"}, []),
    ],
)
def test_a_schedule_asks_for_partitions_that_are_missing(
    small: SmallMesh, instance: dg.DagsterInstance, value: object, wanted: list[tuple[str, ...]]
) -> None:
    declare(small, "plan", "partitions", value)
    declare(small, "plan", "schedule", "30 5 * * 1-5")
    assert scheduled(small, instance) == wanted


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({}, [("2024-01-04", "2024-01-09")]),
        ({"lookback": 2}, [("2024-01-08", "2024-01-09")]),
        ({"inputs": {"shop.sales": "sold_on"}}, [("2024-01-05",), ("2024-01-09",)]),
        ({"inputs": {"shop.sales": "sold_on"}, "lookback": 4}, [("2024-01-09",)]),
    ],
)
def test_a_schedule_asks_for_outdated_partitions_within_the_lookback(
    small: SmallMesh, instance: dg.DagsterInstance, how: dict[str, Any], wanted: list[tuple[str, ...]]
) -> None:
    write_days(small.domains / "days", start="2024-01-04", **how)
    declare(small, "days", "schedule", "30 5 * * 1-5")
    publish_sales(small, "1")
    publish_days(small)
    assert scheduled(small, instance) == [("2024-01-09",)]
    publish_sales(small, "2")
    assert scheduled(small, instance) == wanted


@pytest.mark.parametrize(("how", "wanted"), [({}, 6), ({"lookback": 2}, 2)])
def test_automation_builds_every_day_within_the_lookback(
    small: SmallMesh, instance: dg.DagsterInstance, how: dict[str, Any], wanted: int
) -> None:
    write_days(small.domains / "days", start="2024-01-04", **how)
    clock = Clock(definitions(small.context), instance)
    clock.tick()
    for name in SHOP:
        clock.made(name.replace("/", "."), "1")
    assert clock.requested("days.takings") == DAYS[-wanted:]  # missing ones
    for day in DAYS:
        clock.made("days.takings", "1", day)
    assert clock.requested("days.takings") == []
    clock.made("shop.sales", "2")  # a correction
    assert clock.requested("days.takings") == DAYS[-wanted:]


def test_automation_builds_again_in_the_last_quarter_of_the_frequency() -> None:
    day = timedelta(hours=24)
    assert automation.freshness(day) == dg.FreshnessPolicy.time_window(fail_window=day, warn_window=timedelta(hours=18))
    assert automation.freshness(None) is None


def test_without_a_data_clock_the_days_of_a_product_go_on(small: SmallMesh) -> None:
    assert automation.partitions(small.config, small.product("plan")) is None
    declare(small, "plan", "partitions", {"column": "item", "start": "2024-01-08"})
    plan = small.product("plan")
    assert automation.partitions(small.config, plan) == dg.DailyPartitionsDefinition("2024-01-08", end_date="2024-01-10")
    live = replace(small.config, as_of=None)
    assert automation.partitions(live, plan) == dg.DailyPartitionsDefinition("2024-01-08")
