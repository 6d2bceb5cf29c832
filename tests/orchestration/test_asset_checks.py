from typing import Any

import dagster as dg

from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from tests.support.small_mesh import SmallMesh


def test_every_rule_and_test_is_a_check_of_its_asset(demo_defs: dg.Definitions) -> None:
    checks = demo_defs.resolve_asset_graph().asset_check_keys
    assert len(checks) == 569
    named = {(key.asset_key.to_user_string(), key.name) for key in checks}
    assert ("orders/raw/transactions", "basket_id_product_id_together_are_unique") in named
    assert ("orders/daily_sales", "department_is_required") in named
    assert ("orders/stg_transactions", "unit_test_money_becomes_cents") in named
    assert ("marketing/stg_coupons", "campaign_id_relationships_field_campaign_id_to_ref_stg_campaign_descriptions") in named


def check_alone(small: SmallMesh, instance: dg.DagsterInstance, asset: str, *names: str) -> Any:
    """Execute checks without their asset, as the button of a check in the web UI does."""
    selected = frozenset(dg.AssetCheckKey(asset_key(asset), name) for name in names)
    job = definitions(small.config, small.mesh).resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection=frozenset(), asset_check_selection=selected)
    return subset.execute_in_process(instance=instance, raise_on_error=False)


def test_a_check_alone_judges_the_published_snapshot(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    names = ["item_is_required", "amount_is_between_0_and_1000"]
    refused = check_alone(small, instance, "shop.sales", *names)
    assert "has no published snapshot yet" in refused.failure_data_for_node("build_shop").user_failure_data.description
    version = small.publish("shop")
    small.replace("domains/shop/models/marts/sales.sql", "select *", "select * replace (-amount as amount)")
    done = check_alone(small, instance, "shop.sales", *names)
    assert done.success
    assert {event.check_name: event.passed for event in done.get_asset_check_evaluations()} == dict.fromkeys(names, True)
    assert done.get_asset_materialization_events() == []
    assert small.store.versions("shop") == [version]


def test_a_check_alone_measures_the_age_of_the_data_now(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.publish("shop")
    name = "the_newest_sold_on_is_at_most_2_days_old_and_not_in_the_future"
    for clock, passed in (("2024-01-10", True), ("2024-01-12", False)):
        small.replace("pyproject.toml", str(small.config.as_of), clock)
        (event,) = check_alone(small, instance, "shop.sales", name).get_asset_check_evaluations()
        assert (event.passed, event.metadata.get("observed")) == (passed, dg.TextMetadataValue("2024-01-09"))


def test_a_check_newer_than_the_snapshot_says_so(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.publish("shop")
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"maximum": 1000', '"maximum": 900')
    small.write_suites("shop")
    (event,) = check_alone(small, instance, "shop.sales", "amount_is_between_0_and_900").get_asset_check_evaluations()
    assert (event.passed, event.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert event.description == "The published snapshot was built before this check existed; build the product to make it."
