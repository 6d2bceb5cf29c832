"""The sensor that reports to Dagster what readers see, whichever process made it so: a rollback, a copy, a build elsewhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from kit.contracts import Check
from kit.core import Config, KitError
from kit.orchestration.assets import ProductAssets
from kit.storage import NOTHING_TO_DO, BuildStatus, Runs, Snapshot, Store

_SECONDS = 10
_SETTLED = timedelta(seconds=20)
"""A build reports its publication itself, within this time."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation
Records = Mapping[dg.AssetKey, Any]


def sensor(config: Config, products: Sequence[ProductAssets]) -> dg.SensorDefinition:
    """Return the sensor; it runs by default, and compares Dagster's newest records with the storage."""

    @dg.sensor(
        name="publications",
        description="Reports snapshots that became current without a run of Dagster, and builds that confirmed one.",
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def publications(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return dg.SensorResult(asset_events=list(unreported(config, products, context.instance)))

    return publications


def unreported(config: Config, products: Iterable[ProductAssets], instance: dg.DagsterInstance) -> Iterator[Event]:
    """Yield the materializations and check results by which Dagster shows what readers see.

    They are those of every product whose newest materialization is not that of its current snapshot, or whose last run
    failed before a build found that snapshot up to date.
    """
    keys = [key for product in products for key in product.nodes]
    records: Records = {record.asset_entry.asset_key: record for record in instance.get_asset_records(keys)} if keys else {}
    for product in products:
        try:
            yield from _unreported(config, product, instance, records)
        except (KitError, OSError) as error:  # one product without readable storage leaves the others alone
            dg.get_dagster_logger().warning(f"{product.product.name}: {error}")


def _unreported(
    config: Config, assets: ProductAssets, instance: dg.DagsterInstance, records: Records
) -> Iterator[Event]:  # fmt: skip
    name, store = assets.product.name, Store(config.storage)
    pointer = store.read_pointer(name)
    if pointer is None or (pointer.by == "publish" and datetime.now(UTC) - pointer.moved_at < _SETTLED):
        return
    known = {key: record.asset_entry for key, record in records.items() if key in assets.nodes}
    shown = {key: _snapshot(entry.last_materialization) for key, entry in known.items()}
    snapshot = store.snapshot(name, pointer.version).described(pointer.facts)
    metadata = assets.metadata(snapshot, pointer.by)
    # A model is no part of the manifest: one that Dagster never saw may be newer than the snapshot.
    metadata = {key: entries for key, entries in metadata.items() if shown.get(key) or not known or assets.in_manifest(key)}
    if all(shown.get(key) == pointer.version for key in metadata):
        # All assets of a product have the same last run, as a rule: each run is read once.
        runs = {run: instance.get_run_record_by_id(run) for run in {entry.last_run_id for entry in known.values()} if run}
        failed = {entry.last_run_id for entry in known.values() if _failed_since(entry, runs.get(entry.last_run_id))}
        if not failed or not _confirmed_since(config, name, [runs[run] for run in failed]):
            return
    partitions: Iterable[str | None] = (None,)
    if assets.partitions:
        partitions = _changed(store, snapshot, next(iter(filter(None, shown.values())), None))
        _forget_others(snapshot, known, instance)
    for key, entries in metadata.items():
        tags = {"dagster/data_version": str(entries["content"])}
        for partition in partitions:
            yield dg.AssetMaterialization(key, metadata=assets.shown(key, entries), tags=tags, partition=partition)
    yield from assets.checks.evaluations(map(Check.from_json, snapshot.manifest["checks"]))


def _snapshot(event: dg.EventLogEntry | None) -> str | None:
    """Return the snapshot that a materialization reported."""
    made = event.asset_materialization if event else None
    value = made.metadata.get("snapshot") if made else None
    return str(value.value) if value else None


def _failed_since(entry: Any, run: dg.RunRecord | None) -> bool:
    """Return whether `run`, the last of an asset, failed after its newest materialization: Dagster shows it as failed."""
    last = entry.last_materialization
    if last and last.run_id == entry.last_run_id:
        return False
    failed = run is not None and run.dagster_run.status == dg.DagsterRunStatus.FAILURE
    return failed and (last is None or last.timestamp < _end(run))


def _confirmed_since(config: Config, product: str, runs: Iterable[dg.RunRecord | None]) -> bool:
    """Return whether the last build of a product did not fail, and ended after all these runs."""
    last = Runs(config.storage).last(product)
    good = last is not None and last.status in NOTHING_TO_DO | {BuildStatus.PUBLISHED}
    return good and last is not None and all(_end(run) < last.finished_at.timestamp() for run in runs)


def _end(run: dg.RunRecord | None) -> float:
    return run.end_time or 0 if run else 0


def _changed(store: Store, snapshot: Snapshot, shown: str | None) -> list[str | None]:
    """Return the partitions of a snapshot that differ from the one Dagster shows; all when that one is not known.

    The last one stands for a snapshot of which no partition differs, so that Dagster shows this snapshot.
    """
    now: dict[str, str] = snapshot.manifest["partitions"]
    before: dict[str, str] = {}
    if shown in store.versions(snapshot.product) and shown != snapshot.version:
        before = store.snapshot(snapshot.product, str(shown)).manifest["partitions"]
    changed: list[str | None] = [key for key, fingerprint in now.items() if before.get(key) != fingerprint]
    changed += [] if changed else list(now)[-1:]
    return changed


def _forget_others(snapshot: Snapshot, keys: Iterable[dg.AssetKey], instance: dg.DagsterInstance) -> None:
    """Take back the materializations of partitions that the snapshot does not have, as after a rollback."""
    for key in keys:
        if gone := instance.get_materialized_partitions(key) - snapshot.manifest["partitions"].keys():
            instance.wipe_asset_partitions(key, sorted(gone))
