from typing import Any

import dagster as dg
import pytest

from kit.build.expected_checks import ExpectedCheck
from kit.orchestration.asset_checks import _name
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from tests.support.small_mesh import SmallMesh


def test_every_rule_and_test_is_a_check_of_its_asset(small: SmallMesh) -> None:
    """Rules of contracts and suites, tests and unit tests of dbt, and the checks that every table has."""
    checks = definitions(small.context).resolve_asset_graph().asset_check_keys
    found = {asset: {key.name for key in checks if key.asset_key == asset} for asset in {key.asset_key for key in checks}}
    assert {asset.to_user_string(): len(names) for asset, names in found.items()} == {
        "shop/raw/sales": 11, "shop/sales": 13, "shop/totals": 6, "plan/forecast": 6,
    }  # fmt: skip
    assert found[asset_key("plan.forecast")] == {
        "amount_is_at_least_0", "amount_is_finite", "amount_is_required", "has_the_contract_s_2_columns_and_types",
        "item_is_required", "item_is_unique",
    }  # fmt: skip
    assert "has_rows_at_least_50_as_many_as_in_the_last_snapshot" in found[asset_key("shop.raw.sales")]
    assert "sale_id_unique" in found[asset_key("shop.sales")]
    assert "column_mean_to_be_between_amount" in found[asset_key("shop.sales")]
    assert "unit_test_adds" in found[asset_key("shop.totals")]


@pytest.mark.parametrize(
    ("rule", "origin", "description", "name"),
    [
        ("unexpected rows expectation: select * from {batch} where a > 1", "suite", "Baskets a day left 250 to 800. Look.",
         "baskets_a_day_left_250_to_800"),
        ("unexpected rows expectation: select 1", "suite", "", "unexpected_rows_expectation"),
        ("column mean to be between: column=amount, min_value=5", "suite", "", "column_mean_to_be_between_amount"),
        ("compound columns to be unique: column_list=['a', 'b']", "suite", "", "compound_columns_to_be_unique_a_b"),
        ("no_gaps: its query gives = 0", "contract", "", "no_gaps"),
        ("item: relationships {\"to\": \"ref('stg')\"}", "dbt", "", "item_relationships"),
        ("item is required", "contract", "", "item_is_required"),
        ("household_id, coupon_upc, campaign_id, redemption_date together are unique", "contract", "",
         "household_id_coupon_upc_campaign_id_redemption_date_together_are"),
        ("…", "contract", "", "check"),
    ],
)  # fmt: skip
def test_a_check_has_a_short_name_without_sql_and_limits(rule: str, origin: str, description: str, name: str) -> None:
    assert _name(ExpectedCheck("sales", rule, origin, "error", description)) == name


def check_alone(small: SmallMesh, instance: dg.DagsterInstance, asset: str, *names: str) -> Any:
    """Execute checks without their asset, as the button of a check in the web UI does."""
    selected = frozenset(dg.AssetCheckKey(asset_key(asset), name) for name in names)
    job = definitions(small.context).resolve_implicit_global_asset_job_def()
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
