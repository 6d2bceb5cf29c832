"""When Dagster builds a product by itself: its schedule, or what its contracts promise."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import dagster as dg

from kit.core import Config
from kit.mesh import DataProduct


def sensor() -> dg.AutomationConditionSensorDefinition:
    """What looks twice a minute whether any condition is met; it runs unless somebody stops it."""
    return dg.AutomationConditionSensorDefinition(
        "automation", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
    )


def schedule(config: Config, product: DataProduct) -> dg.ScheduleDefinition:
    """The schedule of a product that has one; of a partitioned one it asks for the newest day, or for every key."""
    selection = dg.AssetSelection.groups(product.name)
    # Checks are reported as they come out of a build; planning each of them beforehand would cost as much again.
    job = dg.define_asset_job(product.name, selection.without_checks(), description=f"The data product {product.name}.")

    def requests(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        if product.partitions is None:
            yield dg.RunRequest()
            return
        keys = product.partitions.all(config.clock())
        for key in keys[-1:] if product.partitions.start else keys:
            yield dg.RunRequest(run_key=f"{context.scheduled_execution_time:%FT%R} {key}", partition_key=key)

    return dg.ScheduleDefinition(
        name=f"{product.name}_schedule", job=job, cron_schedule=product.schedule, execution_fn=requests,
        execution_timezone="UTC", default_status=dg.DefaultScheduleStatus.RUNNING,
    )  # fmt: skip


def partitions(config: Config, product: DataProduct) -> dg.PartitionsDefinition[Any] | None:
    """The partitions of a product as Dagster knows them."""
    cut = product.partitions
    if cut is None:
        return None
    if cut.start is None:
        return dg.StaticPartitionsDefinition(list(cut.keys))
    return dg.DailyPartitionsDefinition(start_date=str(cut.start), end_date=str(config.as_of) if config.as_of else None)


@cache
def condition(frequency: timedelta | None, stubs: tuple[dg.AssetKey, ...], partitioned: bool) -> dg.AutomationCondition[Any]:
    """Build when something was never built, when data it reads has changed, or before its promise runs out.

    `stubs` are inputs whose domain is in error: their last snapshot serves, though Dagster knows nothing of it.
    """
    when = dg.AutomationCondition
    reasons: dg.AutomationCondition[Any] = when.newly_missing() | when.any_deps_match(when.data_version_changed())
    if frequency:
        reasons = reasons | when.freshness_warned().newly_true() | when.freshness_failed().newly_true()
    missing = when.any_deps_missing()
    if stubs:
        missing = missing.ignore(dg.AssetSelection.assets(*stubs))
    ready = ~missing & ~when.any_deps_in_progress() & ~when.in_progress()
    # Not `since_last_handled`, which would pass over what is missing when Dagster first looks.
    condition = reasons.since(when.newly_requested() | when.newly_updated()) & ready
    return condition & when.in_latest_time_window() if partitioned else condition


def once() -> dg.AutomationCondition[Any]:
    """Try once what was never made."""
    return dg.AutomationCondition.newly_missing().since(dg.AutomationCondition.newly_requested())


def freshness(frequency: timedelta | None) -> dg.FreshnessPolicy | None:
    """The contract's frequency; the last quarter of it is when automation builds anew."""
    if not frequency:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=frequency, warn_window=frequency * 0.75)
