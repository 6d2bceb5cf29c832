"""When Dagster builds a product by itself: by its schedule, or by the freshness in its contracts."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import dagster as dg

from kit.core import Config
from kit.mesh import DataProduct, in_lookback
from kit.storage import Store, outdated_partitions, read_partitions


def sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that evaluates all conditions twice a minute; it runs by default."""
    return dg.AutomationConditionSensorDefinition(
        "automation", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
    )


def schedule(config: Config, product: DataProduct) -> dg.ScheduleDefinition:
    """Return the schedule of a product; of a partitioned product it builds what is missing, outdated or newest."""
    selection = dg.AssetSelection.groups(product.name)
    # A build reports its checks itself; if Dagster planned each of them, the run would take twice as long.
    job = dg.define_asset_job(product.name, selection.without_checks(), description=f"The data product {product.name}.")

    def requests(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        if product.partitions is None:
            yield dg.RunRequest()
            return
        for first, last in product.partitions.ranges(due_partitions(config, product), config.clock()):
            yield dg.RunRequest(
                run_key=f"{context.scheduled_execution_time:%FT%R} {first}",
                partition_key=first if first == last else None,
                tags={} if first == last else range_tags(first, last),
            )

    return dg.ScheduleDefinition(
        name=f"{product.name}_schedule", job=job, cron_schedule=product.schedule, execution_fn=requests,
        execution_timezone="UTC", default_status=dg.DefaultScheduleStatus.RUNNING,
    )  # fmt: skip


def due_partitions(config: Config, product: DataProduct) -> set[str]:
    """Return the partitions that a schedule asks for: missing ones, the newest day, and outdated ones within the lookback.

    Whether a source has changed is known when it is landed: of a product with sources all partitions within the lookback
    are asked for, and its build decides.
    """
    declared, clock = product.partitions, config.clock()
    if declared is None:
        return set()
    known = declared.all(clock)
    snapshot = Store(config.storage).current(product.name)
    if snapshot is None:
        return set(known)
    made = read_partitions(snapshot.manifest)
    outdated = outdated_partitions(config, snapshot)
    recent = {key for key in known if in_lookback(key, declared.lookback, clock)}
    unknown = {key for key in recent if product.sources or (key in made and not made[key].code)}
    return set(known[-1:] if declared.start else ()) | (set(known) - made.keys()) | (recent & outdated.keys()) | unknown


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of one run for consecutive partitions."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def partitions(config: Config, product: DataProduct) -> dg.PartitionsDefinition[Any] | None:
    """Return the partitions of a product in Dagster's terms."""
    declared = product.partitions
    if declared is None:
        return None
    if declared.start is None:
        return dg.StaticPartitionsDefinition(list(declared.keys))
    return dg.DailyPartitionsDefinition(start_date=str(declared.start), end_date=str(config.as_of) if config.as_of else None)


@cache
def condition(
    frequency: timedelta | None, stubs: tuple[dg.AssetKey, ...], daily: bool, lookback: int | None
) -> dg.AutomationCondition[Any]:
    """Return the condition: build what was never built, what reads changed data, and what is about to become late.

    `stubs` are inputs of domains in error: Dagster does not know them, but their last snapshot can be read. Of a product with
    `daily` partitions these are the days within the lookback.
    """
    when = dg.AutomationCondition
    reasons: dg.AutomationCondition[Any] = when.newly_missing() | when.any_deps_match(when.data_version_changed())
    if frequency:
        late = when.freshness_warned().newly_true() | when.freshness_failed().newly_true()
        reasons = reasons | (late & when.in_latest_time_window() if daily else late)
    missing = when.any_deps_missing()
    if stubs:
        missing = missing.ignore(dg.AssetSelection.assets(*stubs))
    ready = ~missing & ~when.any_deps_in_progress() & ~when.in_progress()
    # Not `since_last_handled`: it ignores assets that are missing when Dagster evaluates for the first time.
    condition = reasons.since(when.newly_requested() | when.newly_updated()) & ready
    return condition & when.in_latest_time_window(timedelta(days=lookback)) if daily and lookback else condition


def once() -> dg.AutomationCondition[Any]:
    """Return the condition of a domain in error: try once to build it."""
    return dg.AutomationCondition.newly_missing().since(dg.AutomationCondition.newly_requested())


def freshness(frequency: timedelta | None) -> dg.FreshnessPolicy | None:
    """Return the freshness policy for the contract's frequency; automation builds again in the last quarter of it."""
    if not frequency:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=frequency, warn_window=frequency * 0.75)
