from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState

from kit.orchestration import automation
from kit.orchestration.definitions import definitions
from tests.support.orchestration import SHOP, Clock, declare, keys
from tests.support.small_mesh import SmallMesh


def test_every_schedule_ticks(demo_defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    repository = demo_defs.get_repository_def()
    assert {(s.name, s.cron_schedule, s.execution_timezone) for s in repository.schedule_defs} == {
        ("demand_schedule", "0 6 * * *", "UTC")
    }
    for schedule in repository.schedule_defs:
        context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 11, 23, 6, tzinfo=UTC))
        tick = schedule.evaluate_tick(context)
        assert len(tick.run_requests or ()) == 1
        job = demo_defs.resolve_job_def(schedule.job_name)
        assert job.asset_layer.selected_asset_keys == set(keys("demand.forecast_model", "demand.predicted_sales"))
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_automation_builds_what_is_missing_changed_or_about_to_be_late(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    clock = Clock(definitions(small.config, small.mesh), instance)
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


def test_a_scheduled_product_is_left_to_its_schedule(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    declare(small, "plan", "schedule", "0 6 * * *")
    assert Clock(definitions(small.config, small.mesh), instance).tick() == SHOP


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"column": "item", "keys": ["tea", "cake"]}, ["tea", "cake"]),
        ({"column": "item", "start": "2024-01-08"}, ["2024-01-09"]),
    ],
)
def test_a_schedule_asks_for_every_key_or_for_the_newest_day(
    small: SmallMesh, instance: dg.DagsterInstance, value: object, wanted: list[str]
) -> None:
    declare(small, "plan", "partitions", value)
    declare(small, "plan", "schedule", "30 5 * * 1-5")
    repository = definitions(small.config, small.mesh).get_repository_def()
    (schedule,) = repository.schedule_defs
    morning = datetime(2024, 1, 10, 5, 30, tzinfo=UTC)
    context = dg.build_schedule_context(instance, scheduled_execution_time=morning, repository_def=repository)
    assert [request.partition_key for request in schedule.evaluate_tick(context).run_requests or ()] == wanted


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
