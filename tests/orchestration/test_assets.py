import hashlib
from typing import Any

import dagster as dg
import pytest

from kit.build.build import Outcome
from kit.build.plan import BuildRequest
from kit.contracts.check import Check
from kit.core.config import Config
from kit.mesh.product import DataProduct
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from kit.storage.runs import BuildStatus
from tests.support.orchestration import CHECKS, SHOP, declare, keys, published, run
from tests.support.small_mesh import SmallMesh


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
    warned = found["shop/totals", "totals_add_up"]
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.metadata["failing rows"].value == 2
    assert warned.metadata["rows that break it"].value == "| item |\n| --- |\n| a\\|b |"


def test_asking_for_one_port_publishes_and_reports_them_all(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    done = run(small, instance, lambda product, request: published(product), "shop.totals")
    assert done.success
    assert {e.asset_key.to_user_string() for e in done.get_asset_materialization_events()} == SHOP


def test_a_run_that_no_history_keeps_says_so(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    done = run(small, instance, lambda product, request: published(product), "shop.totals")
    (warning,) = [entry.user_message for entry in instance.all_logs(done.run_id) if "no history" in entry.user_message]
    assert str(small.config.dagster_home) in warning
    assert warning.endswith("or run `kit run shop`")


def test_a_product_that_is_up_to_date_is_confirmed(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    done = run(small, instance, lambda product, request: published(product, status=BuildStatus.UP_TO_DATE), "shop.totals")
    assert done.success
    assert {e.asset_key.to_user_string() for e in done.get_asset_materialization_events()} == SHOP
    # The checks that were asked for along with it are answered from the snapshot.
    assert {e.check_name for e in done.get_asset_check_evaluations()} == {"item_is_required", "totals_add_up"}


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
        job = definitions(small.context).resolve_implicit_global_asset_job_def()
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
    job = definitions(small.context).resolve_implicit_global_asset_job_def()
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

    job = definitions(small.context, builder).resolve_implicit_global_asset_job_def()
    cut = job.asset_layer.get(asset_key("plan.forecast")).partitions_def
    assert cut is not None
    assert list(cut.get_partition_keys()) == wanted
    one = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, partition_key=wanted[1])
    assert [e.partition for e in one.get_asset_materialization_events()] == [wanted[1]]
    tags = {"dagster/asset_partition_range_start": wanted[0], "dagster/asset_partition_range_end": wanted[1]}
    both = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, tags=tags)
    assert sorted(str(e.partition) for e in both.get_asset_materialization_events()) == sorted(wanted)
    assert asked == [(wanted[1],), tuple(wanted)]


def test_a_run_of_a_partitioned_product_asks_for_partitions(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.partitioned_shop()
    job = definitions(small.context).resolve_implicit_global_asset_job_def()
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
