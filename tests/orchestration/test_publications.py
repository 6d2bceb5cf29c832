"""What the sensor reports to Dagster: publications and confirmations that no run of Dagster reported."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from kit.orchestration import publications
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from kit.orchestration.instance import instance as kit_instance
from tests.support.orchestration import SHOP, Clock, declare, keys
from tests.support.small_mesh import SmallMesh


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publications, "_SETTLED", timedelta())


class Sensor:
    """Ticks of the sensor over one instance, as the daemon makes them."""

    def __init__(self, small: SmallMesh, instance: dg.DagsterInstance) -> None:
        self.small, self.instance = small, instance

    def tick(self) -> tuple[set[str], dict[str, bool]]:
        """Report; returns assets (with the partition, if any) and checks with their results."""
        sensor = definitions(self.small.context).get_repository_def().get_sensor_def("publications")
        with dg.build_sensor_context(self.instance) as context:
            events = sensor.evaluate_tick(context).asset_events
        for event in events:
            self.instance.report_runless_asset_event(event)
        made = [event for event in events if isinstance(event, dg.AssetMaterialization)]
        checks = [event for event in events if isinstance(event, dg.AssetCheckEvaluation)]
        return (
            {event.asset_key.to_user_string() + (f" {event.partition}" if event.partition else "") for event in made},
            {f"{check.asset_key.to_user_string()}: {check.check_name}": check.passed for check in checks},
        )

    def shown(self, name: str) -> Any:
        """The snapshot that Dagster shows as the newest of an asset."""
        event = self.instance.get_latest_materialization_event(asset_key(name))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata["snapshot"].value


def build(small: SmallMesh, instance: dg.DagsterInstance, *names: str) -> Any:
    """Build in a run of Dagster, as a click in the web UI does."""
    job = definitions(small.context).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=keys(*names), instance=instance, raise_on_error=False)


def test_a_publication_without_dagster_is_reported_once_with_its_checks(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    sensor = Sensor(small, instance)
    assert sensor.tick() == (set(), {})
    version = small.publish("shop")
    made, checks = sensor.tick()
    assert made == SHOP
    snapshot = small.store.snapshot("shop", version)
    assert len(checks) == len(snapshot.manifest["checks"])
    assert all(checks.values())
    assert sensor.shown("shop.totals") == version
    assert sensor.tick() == (set(), {})


def test_a_build_in_dagster_reports_itself(
    small: SmallMesh, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = Sensor(small, instance)
    assert build(small, instance, "shop.totals").success
    assert sensor.tick() == (set(), {})
    monkeypatch.setattr(publications, "_SETTLED", timedelta(minutes=1))
    small.build("shop", force=True)
    assert sensor.tick() == (set(), {})  # the run that made it may be about to report it


def test_a_rollback_is_shown_and_sets_off_the_consumers(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    sensor, clock = Sensor(small, instance), Clock(definitions(small.context), instance)
    first = small.publish("shop")
    small.replace("domains/shop/models/marts/totals.sql", "sum(amount)", "(sum(amount) + 0.01 - 0.01)")
    small.replace("feed/sales.csv", "1,tea,1.50", "1,tea,2.50")
    second = small.publish("shop")
    small.publish("plan")
    sensor.tick()
    clock.tick()
    for name in ("shop.raw.sales", "shop.sales", "shop.totals", "plan.forecast"):
        assert sensor.shown(name)
    clock.tick()
    assert clock.tick() == set()
    small.store.rollback("shop", first)
    made, _ = sensor.tick()
    assert made == SHOP
    assert (sensor.shown("shop.totals"), first < second) == (first, True)
    assert clock.tick() == {"plan/forecast"}
    assert sensor.tick() == (set(), {})


def test_a_failure_is_shown_as_over_once_a_build_confirms_the_snapshot(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    """A model is broken, built in the web UI, put right, and `kit run` finds nothing to do."""
    sensor = Sensor(small, instance)
    assert build(small, instance, "shop.totals").success
    small.replace("domains/shop/models/marts/sales.sql", "select *", "select * replace (-amount as amount)")
    assert not build(small, instance, "shop.totals").success
    assert sensor.tick() == (set(), {})  # it is red, and rightly so
    small.replace("domains/shop/models/marts/sales.sql", "select * replace (-amount as amount)", "select *")
    assert small.build("shop").status == "up to date"
    made, checks = sensor.tick()
    assert made == SHOP
    assert checks["shop/sales: amount_is_between_0_and_1000"]
    assert sensor.tick() == (set(), {})


def test_only_partitions_that_changed_are_reported(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.partitioned_shop()
    sensor = Sensor(small, instance)
    first = small.publish("shop")
    made, _ = sensor.tick()
    assert made == {f"{name} {key}" for name in SHOP for key in ("tea", "cake")}
    small.build("shop", partitions=("tea",), force=True)
    small.store.rollback("shop", first)
    assert sensor.tick() == (set(), {})  # back at what Dagster shows
    small.replace("domains/shop/models/marts/totals.sql", "sum(amount)", "(sum(amount) + 0)")
    outcome = small.build("shop", partitions=("tea",))
    assert outcome.status == "published", outcome.message
    made, _ = sensor.tick()
    assert made == {f"{name} tea" for name in SHOP}


def test_partitions_of_a_rejected_snapshot_only_are_not_shown_as_materialized(small: SmallMesh) -> None:
    small.partitioned_shop()
    with kit_instance(small.config) as instance:
        sensor, key = Sensor(small, instance), asset_key("shop.totals")
        first = small.build("shop", partitions=("tea",)).version
        sensor.tick()
        second = small.build("shop", partitions=("cake",)).version
        assert sensor.tick()[0] == {f"{name} cake" for name in SHOP}
        assert instance.get_materialized_partitions(key) == materialized(small, instance) == {"tea", "cake"}
        small.store.rollback("shop", str(first))
        assert sensor.tick()[0] == {f"{name} tea" for name in SHOP}
        assert instance.get_materialized_partitions(key) == materialized(small, instance) == {"tea"}
        assert sensor.shown("shop.totals") == first
        assert sensor.tick() == (set(), {})
        small.store.rollback("shop", str(second))
        assert sensor.tick()[0] == {f"{name} cake" for name in SHOP}
        assert materialized(small, instance) == {"tea", "cake"}


def materialized(small: SmallMesh, instance: dg.DagsterInstance) -> set[str]:
    """The partitions of `shop.totals` that the web UI shows as materialized."""
    from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

    partitions = definitions(small.context).resolve_asset_graph().get(asset_key("shop.totals")).partitions_def
    assert partitions is not None
    value = get_and_update_asset_status_cache_value(instance, asset_key("shop.totals"), partitions)
    assert value is not None
    return set(value.deserialize_materialized_partition_subsets(partitions).get_partition_keys())


def test_a_table_newer_than_the_snapshot_is_not_shown_as_made(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    sensor = Sensor(small, instance)
    first = small.publish("shop")
    sensor.tick()
    small.build("shop", force=True)
    (small.domains / "shop/models/stg_new.sql").write_text("select 1 as one\n")
    assert asset_key("shop.stg_new") in definitions(small.context).resolve_all_asset_keys()
    assert sensor.tick()[0] == SHOP
    small.store.rollback("shop", first)
    assert sensor.tick()[0] == SHOP


def test_a_product_whose_storage_is_damaged_leaves_the_others_alone(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.publish("shop")
    small.publish("plan")
    version = small.store.versions("shop")[0]
    (small.store.folder("shop") / version / "manifest.json").unlink()
    assert Sensor(small, instance).tick()[0] == {"plan/forecast"}


def test_a_scheduled_product_is_reported_as_well(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    declare(small, "shop", "schedule", "0 6 * * *")
    small.publish("shop")
    assert Sensor(small, instance).tick()[0] == SHOP
