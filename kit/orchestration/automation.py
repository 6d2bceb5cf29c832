"""When Dagster builds a product by itself: by its schedule, or by the freshness in its contracts."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import dagster as dg

from kit.core import Config, KitError
from kit.mesh import DataProduct, in_lookback
from kit.storage import Store, outdated_inputs, outdated_partitions, read_partitions

_ANSWERED = timedelta(seconds=90)
"""Time in which the conditions answer a change."""


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
            yield dg.RunRequest(run_key=f"{context.scheduled_execution_time:%FT%R} {first}", **_partition_range(first, last))

    return dg.ScheduleDefinition(
        name=f"{product.name}_schedule", job=job, cron_schedule=product.schedule, execution_fn=requests,
        execution_timezone="UTC", default_status=dg.DefaultScheduleStatus.RUNNING,
    )  # fmt: skip


def outdated_sensor(config: Config, products: Iterable[DataProduct]) -> dg.SensorDefinition:
    """Return the sensor that builds products whose snapshots were made from older inputs than there are now.

    Conditions follow events: they miss a change that comes while its reader is built from the inputs before. The storage
    shows it afterwards. A product with a schedule is left to it.
    """
    unscheduled = [product for product in products if not product.schedule]

    @dg.sensor(
        name="outdated",
        description="Builds what was made from older inputs than there are now, and was not built by the conditions.",
        asset_selection=dg.AssetSelection.all(),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def outdated() -> Iterator[dg.RunRequest]:
        for product in unscheduled:
            try:
                yield from outdated_requests(config, product)
            except (KitError, OSError) as error:  # one product without readable storage leaves the others alone
                dg.get_dagster_logger().warning(f"{product.name}: {error}")

    return outdated


def outdated_requests(config: Config, product: DataProduct) -> Iterator[dg.RunRequest]:
    """Yield the runs that build what is outdated in a product, once for each state of its inputs.

    None while its inputs have just changed, which the conditions answer. Raises `KitError`.
    """
    store, clock = Store(config.storage), config.clock()
    pointers = [store.read_pointer(name) for name in (product.name, *sorted({item.product for item in product.inputs}))]
    known = [pointer for pointer in pointers if pointer]
    snapshot = store.current(product.name)
    if snapshot is None or datetime.now(UTC) - max(pointer.moved_at for pointer in known) < _ANSWERED:
        return
    state = " ".join(pointer.version for pointer in known)
    keys = [dg.AssetKey(port.id.split(".")) for port in product.ports]
    if product.partitions is None:
        if outdated_inputs(config, snapshot):
            yield dg.RunRequest(run_key=f"{product.name} {state}", asset_selection=keys)
        return
    recent = product.partitions.all(clock)
    due = {key for key in outdated_partitions(config, snapshot) if key in recent}
    due = {key for key in due if in_lookback(key, product.partitions.lookback, clock)}
    for first, last in product.partitions.ranges(due, clock):
        yield dg.RunRequest(run_key=f"{product.name} {first} {state}", asset_selection=keys, **_partition_range(first, last))


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


def _partition_range(first: str, last: str) -> dict[str, Any]:
    """Return the arguments of a request for consecutive partitions."""
    return {"partition_key": first} if first == last else {"tags": partition_tags(first, last)}


def partition_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of one run for consecutive partitions, or for one."""
    if first == last:
        return {"dagster/partition": first}
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
