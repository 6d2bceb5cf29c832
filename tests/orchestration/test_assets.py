import hashlib
import json
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from kit.build.build import Outcome
from kit.build.plan import BuildRequest
from kit.contracts.check import Check
from kit.core.config import Config
from kit.mesh.mesh import Mesh
from kit.mesh.product import DataProduct
from kit.orchestration.assets import asset_key
from kit.orchestration.definitions import definitions
from kit.storage.runs import BuildStatus
from tests.conftest import ROOT
from tests.support.orchestration import CHECKS, SHOP, declare, keys, published, run
from tests.support.small_mesh import SmallMesh, descriptor


def test_an_asset_says_what_the_contract_says(demo_defs: dg.Definitions) -> None:
    spec = next(spec for spec in demo_defs.resolve_all_asset_specs() if spec.key == asset_key("orders.daily_sales"))
    assert spec.owners == ["ruth.calder@example.com"]
    assert spec.kinds == {"dbt", "duckdb", "port"}
    assert spec.description == "The series to plot and forecast: one row per business date and department."
    assert spec.tags["kit/domain"] == "sales"
    assert "source-aligned" in spec.tags
    assert spec.code_version == Mesh.load(ROOT / "domains").product("orders").code_digest()[:12]
    assert spec.metadata["contract"] == "orders.daily_sales 1.0.0"
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    first = schema.columns[0]
    assert (first.name, first.type, first.constraints.nullable) == ("business_date", "date", False)
    assert first.description
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=24), warn_window=timedelta(hours=18)
    )  # fmt: skip


def test_every_rule_and_test_is_a_check_of_its_asset(demo_defs: dg.Definitions) -> None:
    checks = demo_defs.resolve_asset_graph().asset_check_keys
    assert len(checks) == 569
    named = {(key.asset_key.to_user_string(), key.name) for key in checks}
    assert ("orders/raw/transactions", "basket_id_product_id_together_are_unique") in named
    assert ("orders/daily_sales", "department_is_required") in named
    assert ("orders/stg_transactions", "unit_test_money_becomes_cents") in named
    assert ("marketing/stg_coupons", "campaign_id_relationships_field_campaign_id_to_ref_stg_campaign_descriptions") in named


def test_a_build_reports_every_asset_and_check(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    done = run(
        small, instance, lambda product, request: published(product, *CHECKS), "shop.raw.sales", "shop.sales", "shop.totals"
    )
    assert done.success
    made = {
        e.asset_key.to_user_string(): e.step_materialization_data.materialization
        for e in done.get_asset_materialization_events()
    }
    assert set(made) == SHOP
    assert made["shop/sales"].metadata["dagster/row_count"].value == 7
    assert made["shop/sales"].metadata["snapshot"].value == "v1"
    assert made["shop/sales"].tags["dagster/data_version"] == hashlib.sha256(b"ab" * 32).hexdigest()[:16]
    assert made["shop/raw/sales"].metadata["dagster/row_count"].value == 30
    found = {(e.asset_key.to_user_string(), e.check_name): e for e in done.get_asset_check_evaluations()}
    passed = found["shop/sales", "item_is_required"]
    assert passed.passed
    warned = found["shop/totals", "totals_add_up_its_query_gives_0"]
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.metadata["failing rows"].value == 2
    assert warned.metadata["rows that break it"].value == "| item |\n| --- |\n| a\\|b |"


def test_asking_for_one_port_publishes_and_reports_them_all(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    done = run(small, instance, lambda product, request: published(product), "shop.totals")
    assert done.success
    assert {e.asset_key.to_user_string() for e in done.get_asset_materialization_events()} == SHOP


def test_a_product_that_is_up_to_date_is_confirmed(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    done = run(small, instance, lambda product, request: published(product, status=BuildStatus.UP_TO_DATE), "shop.totals")
    assert done.success
    assert {e.asset_key.to_user_string() for e in done.get_asset_materialization_events()} == SHOP
    # The checks that were asked for along with it are answered from the snapshot.
    assert {e.check_name for e in done.get_asset_check_evaluations()} == {"item_is_required", "totals_add_up_its_query_gives_0"}


def test_a_failed_build_fails_its_step_with_the_message_and_leaves_consumers_out(
    small: SmallMesh, instance: dg.DagsterInstance
) -> None:
    failing = Check("sales", "item is required", "contract", False, observed="3 of 30 rows break it", failing_rows=3)
    built = []

    def fail(product: DataProduct, request: BuildRequest) -> Outcome:
        built.append(product.name)
        return Outcome(product.name, BuildStatus.FAILED, 1.0, message="'shop': 1 check failed", checks=(failing,))

    done = run(small, instance, fail, "shop.raw.sales", "shop.sales", "shop.totals", "plan.forecast")
    assert not done.success
    assert built == ["shop"]
    assert done.get_asset_materialization_events() == []
    (evaluation,) = done.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed, evaluation.severity) == (
        "item_is_required", False, dg.AssetCheckSeverity.ERROR
    )  # fmt: skip
    assert "'shop': 1 check failed" in done.failure_data_for_node("build_shop").user_failure_data.description


def test_only_what_may_pass_is_tried_again(
    small: SmallMesh, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kit.orchestration.definitions as module

    monkeypatch.setattr("kit.orchestration.assets._RETRY_SECONDS", (0, 0))
    for may_pass, attempts in (("the network failed", 3), ("", 1)):
        built: list[str] = []

        def fail(
            config: Config, product: DataProduct, request: BuildRequest, may_pass: str = may_pass, built: Any = built
        ) -> Outcome:
            built.append(product.name)
            return Outcome(product.name, BuildStatus.FAILED, 1.0, message="gone wrong", may_pass=may_pass)

        monkeypatch.setattr(module, "build", fail)
        job = definitions(small.config, small.mesh).resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, raise_on_error=False)
        assert not done.success
        assert len(built) == attempts
        assert done.failure_data_for_node("build_plan").user_failure_data.description == "gone wrong"  # type: ignore[union-attr]
        log = [entry.user_message for entry in instance.all_logs(done.run_id)]
        assert [text for text in log if "retried" in text] == ["plan: retried in 0 s because the network failed"] * (
            attempts - 1
        )


def test_an_interrupt_is_not_retried_and_cancels_the_run(
    small: SmallMesh, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def interrupted(config: Config, product: DataProduct, request: BuildRequest) -> Outcome:
        built.append(product.name)
        raise KeyboardInterrupt

    monkeypatch.setattr("kit.orchestration.definitions.build", interrupted)
    job = definitions(small.config, small.mesh).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, raise_on_error=False)
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    assert (run.status, built) == (dg.DagsterRunStatus.CANCELED, ["plan"])


def test_the_launchpad_passes_force_and_parameters(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    asked = []

    def builder(product: DataProduct, request: BuildRequest) -> Outcome:
        asked.append(request)
        return published(product)

    config = {"ops": {"build_plan": {"config": {"force": True, "parameters": {"factor": 3.0}}}}}
    assert run(small, instance, builder, "plan.forecast", run_config=config).success
    assert asked == [BuildRequest({"factor": 3.0}, (), force=True)]


def test_an_executed_notebook_is_a_link(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    def builder(product: DataProduct, request: BuildRequest) -> Outcome:
        inside = str(small.root / "state" / "runs" / "forecast.ipynb")
        return Outcome(product.name, BuildStatus.PUBLISHED, 1.0, published(product).snapshot, notebooks={"forecast": inside})

    done = run(small, instance, builder, "plan.forecast")
    (event,) = done.get_asset_materialization_events()
    link = event.step_materialization_data.materialization.metadata["executed notebook forecast"]
    assert isinstance(link, dg.UrlMetadataValue)
    assert link.url is not None
    assert link.url.startswith("/dagster/notebook?path=")
    assert link.url.endswith("forecast.ipynb&repoLocName=mesh")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"column": "item", "keys": ["tea", "cake"]}, ["tea", "cake"]),
        ({"column": "item", "start": "2024-01-08"}, ["2024-01-08", "2024-01-09"]),
    ],
)
def test_a_partitioned_product_is_built_one_partition_at_a_time(
    small: SmallMesh, instance: dg.DagsterInstance, value: object, wanted: list[str]
) -> None:
    declare(small, "plan", "partitions", value)
    asked = []

    def builder(product: DataProduct, request: BuildRequest) -> Outcome:
        asked.append(request.partitions)
        return published(product)

    job = definitions(small.config, small.mesh, builder).resolve_implicit_global_asset_job_def()
    cut = job.asset_layer.get(asset_key("plan.forecast")).partitions_def
    assert cut is not None
    assert list(cut.get_partition_keys()) == wanted
    one = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, partition_key=wanted[1])
    assert [e.partition for e in one.get_asset_materialization_events()] == [wanted[1]]
    tags = {"dagster/asset_partition_range_start": wanted[0], "dagster/asset_partition_range_end": wanted[1]}
    both = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, tags=tags)
    assert sorted(str(e.partition) for e in both.get_asset_materialization_events()) == sorted(wanted)
    assert asked == [(wanted[1],), tuple(wanted)]


def test_awkward_names_are_made_to_fit(small: SmallMesh) -> None:
    path = small.domains / "plan" / "product.odps.yaml"
    text = descriptor("plan", inputs=["shop.totals"], outputs={"forecast": "notebook"})
    data = json.loads(text) | {"tags": ["a tag: with, everything!", "ünïcode", "-"], "domain": "R & D"}
    data["team"] = [{"username": "not an address", "role": "owner"}]
    path.write_text(json.dumps(data))
    defs = definitions(small.config, small.mesh)
    defs.get_repository_def()
    spec = next(spec for spec in defs.resolve_all_asset_specs() if spec.key == asset_key("plan.forecast"))
    assert spec.owners == ["team:not an address"]
    assert spec.tags["kit/domain"] == "R-D"


def test_an_address_that_dagster_does_not_accept_is_a_team(small: SmallMesh) -> None:
    path = small.domains / "plan" / "product.odps.yaml"
    data = json.loads(path.read_text())
    data["team"] = [{"username": "pat@example.engineering", "role": "owner"}]
    path.write_text(json.dumps(data))
    specs = definitions(small.config, small.mesh).resolve_all_asset_specs()
    spec = next(spec for spec in specs if spec.key == asset_key("plan.forecast"))
    assert spec.owners == ["team:pat@example.engineering"]


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


def test_a_run_of_a_partitioned_product_asks_for_partitions(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.partitioned_shop()
    job = definitions(small.config, small.mesh).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(asset_selection=keys("shop.totals"), instance=instance, raise_on_error=False)
    assert done.failure_data_for_node("build_shop").user_failure_data.description == (  # type: ignore[union-attr]
        "'shop' is partitioned; select the partitions to build, or run `kit run shop` for all that are due"
    )
    assert small.store.read_pointer("shop") is None
    one = job.execute_in_process(asset_selection=keys("shop.totals"), instance=instance, partition_key="tea")
    assert {(e.asset_key.to_user_string(), e.partition) for e in one.get_asset_materialization_events()} == {
        (name, "tea") for name in SHOP
    }
    snapshot = small.store.current("shop")
    assert snapshot is not None
    assert set(snapshot.manifest["partitions"]) == {"tea"}
