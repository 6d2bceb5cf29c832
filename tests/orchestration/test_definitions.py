"""What Dagster is told of the mesh, and what it does by itself: schedules, automation, a product's step."""

import hashlib
import json
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from kit.build.build import Outcome
from kit.build.plan import BuildRequest
from kit.contracts.check import Check
from kit.core.config import Config
from kit.lineage.graph import lineage
from kit.mesh.mesh import Mesh
from kit.mesh.product import DataProduct
from kit.orchestration.assets import asset_key
from kit.orchestration.definitions import definitions
from kit.storage.runs import BuildStatus
from kit.storage.snapshot import Snapshot
from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh, descriptor


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture(scope="module")
def demo_defs() -> dg.Definitions:
    config = Config.load(ROOT, {})
    return definitions(config, Mesh.load(config.domains))


def keys(*names: str) -> list[dg.AssetKey]:
    return [asset_key(name) for name in names]


# The demo as Dagster sees it


def test_every_table_of_the_demo_is_an_asset_with_its_edges(demo_defs: dg.Definitions) -> None:
    graph = demo_defs.resolve_asset_graph()
    wanted = {asset_key(node.id): set(keys(*node.reads)) for node in lineage(Mesh.load(ROOT / "domains")).values()}
    assert {key: graph.get(key).parent_keys for key in graph.get_all_asset_keys()} == wanted
    assert len(wanted) == 26
    assert {node.group_name for node in graph.asset_nodes} == {"customers", "products", "orders", "marketing", "demand"}


def test_lineage_runs_from_the_raw_file_to_the_prediction(demo_defs: dg.Definitions) -> None:
    graph = demo_defs.resolve_asset_graph()
    found, todo = set(), keys("demand.predicted_sales")
    while todo:
        key = todo.pop()
        found.add(key.to_user_string())
        todo += graph.get(key).parent_keys
    assert found == {
        "demand/predicted_sales", "demand/forecast_model", "orders/daily_sales", "orders/order_lines",
        "orders/stg_transactions", "orders/raw/transactions", "products/products", "products/stg_products",
        "products/raw/products",
    }  # fmt: skip


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
        fail_window=_hours(24), warn_window=_hours(18)
    )  # fmt: skip


def _hours(number: int) -> Any:
    from datetime import timedelta

    return timedelta(hours=number)


def test_every_rule_and_test_is_a_check_of_its_asset(demo_defs: dg.Definitions) -> None:
    checks = demo_defs.resolve_asset_graph().asset_check_keys
    assert len(checks) == 561
    named = {(key.asset_key.to_user_string(), key.name) for key in checks}
    assert ("orders/raw/transactions", "basket_id_product_id_together_are_unique") in named
    assert ("orders/daily_sales", "department_is_required") in named
    assert ("orders/stg_transactions", "unit_test_money_becomes_cents") in named
    assert ("marketing/stg_coupons", "campaign_id_relationships_field_campaign_id_to_ref_stg_campaign_descriptions") in named


def test_the_demo_loads_without_dbt_or_great_expectations() -> None:
    import subprocess
    import sys

    code = (
        "import sys, kit.orchestration.definitions as d; from kit.core.config import Config; from kit.mesh import Mesh\n"
        "config = Config.load(); d.definitions(config, Mesh.load(config.domains)).get_repository_def()\n"
        "print([name for name in ('dbt', 'great_expectations', 'pandas', 'polars', 'papermill') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Schedules and automation


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


class Clock:
    """Ticks of the automation sensor over one instance."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs, self.instance, self.cursor = defs, instance, None

    def tick(self) -> set[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # of a parameter that Dagster itself gives
            done = dg.evaluate_automation_conditions(self.defs, instance=self.instance, cursor=self.cursor)
        self.cursor = done.cursor
        return {key.to_user_string() for key in self.defs.resolve_all_asset_keys() if done.get_num_requested(key)}

    def made(self, name: str, content: str) -> None:
        tags = {"dagster/data_version": content}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(name), tags=tags))

    def freshness(self, name: str, before: FreshnessState, now: FreshnessState) -> None:
        change = FreshnessStateChange(
            key=asset_key(name), previous_state=before, new_state=now, state_change_timestamp=datetime.now(UTC).timestamp()
        )
        self.instance._report_runless_asset_event(asset_event=change)


SHOP = {"shop/raw/sales", "shop/sales", "shop/totals"}


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


def declare(small: SmallMesh, product: str, name: str, value: object) -> None:
    path = small.domains / product / "product.odps.yaml"
    data = json.loads(path.read_text())
    data.setdefault("customProperties", []).append({"property": name, "value": value})
    path.write_text(json.dumps(data))


# A domain in error


def test_a_domain_in_error_is_an_asset_in_error_and_the_rest_works(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"bigint"', '"bigger"')
    defs = definitions(small.config, small.mesh, builder=lambda product, request: published(product))
    names = {key.to_user_string() for key in defs.resolve_all_asset_keys()}
    assert {"shop", "plan/forecast"} <= names
    spec = next(spec for spec in defs.resolve_all_asset_specs() if spec.key == dg.AssetKey("shop"))
    assert "'bigger' is not a column type" in (spec.description or "")
    assert spec.group_name == "shop"
    job = defs.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        asset_selection=[dg.AssetKey("shop")], instance=instance, raise_on_error=False
    )  # fmt: skip
    assert not done.success
    data = done.failure_data_for_node("shop")
    assert data is not None
    assert "'bigger' is not a column type" in str(data.user_failure_data.description)
    assert job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance).success
    assert "plan/forecast" in Clock(defs, dg.DagsterInstance.ephemeral()).tick()  # though its input is unknown to Dagster


def test_a_suite_in_error_breaks_its_domain_only(small: SmallMesh) -> None:
    (small.domains / "shop/expectations/sales.extra.json").write_text("{")
    names = {key.to_user_string() for key in definitions(small.config, small.mesh).resolve_all_asset_keys()}
    assert "shop" in names
    assert "shop/sales" not in names
    assert "plan/forecast" in names


# The step of one product


def published(product: DataProduct, *checks: Check, status: BuildStatus = BuildStatus.PUBLISHED) -> Outcome:
    """The outcome of a build that did not happen."""
    ports = {
        port.name: {"rows": 7, "newest": None, "contract_version": "1.0.0", "files": {"data.parquet": "ab" * 32}, "checks": {}}
        for port in product.ports
    }
    sources = {source.name: {"digest": "cd" * 20, "rows": 30} for source in product.sources}
    manifest = {"fingerprint": "ef" * 32, "ports": ports, "sources": sources, "checks": [c.to_json() for c in CHECKS]}
    snapshot = Snapshot(product.name, "v1", Path("there"), manifest)
    return Outcome(product.name, status, 1.0, snapshot, checks=checks, notebooks={"forecast": "elsewhere/forecast.ipynb"})


CHECKS = (
    Check("sales", "item is required", "contract", True),
    Check("totals", "totals add up: its query gives = 0", "contract", False, "warning", "1", 2, ({"item": "a|b"},)),
)


def run(small: SmallMesh, instance: dg.DagsterInstance, outcome: Any, *selected: str, **options: Any) -> Any:
    def builder(product: DataProduct, request: BuildRequest) -> Outcome:
        return outcome(product, request) if callable(outcome) else outcome

    job = definitions(small.config, small.mesh, builder).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=keys(*selected), instance=instance, raise_on_error=False, **options)


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

    monkeypatch.setattr("kit.orchestration.assets._RETRY", dg.RetryPolicy(max_retries=2, delay=0))
    for passing, attempts in ((True, 3), (False, 1)):
        built: list[str] = []

        def fail(
            config: Config, product: DataProduct, request: BuildRequest, passing: bool = passing, built: Any = built
        ) -> Outcome:
            built.append(product.name)
            return Outcome(product.name, BuildStatus.FAILED, 1.0, message="gone wrong", passing=passing)

        monkeypatch.setattr(module, "build", fail)
        job = definitions(small.config, small.mesh).resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(asset_selection=keys("plan.forecast"), instance=instance, raise_on_error=False)
        assert not done.success
        assert len(built) == attempts


def test_products_of_the_code_location_wait_for_their_pool_and_those_of_a_person_do_not(small: SmallMesh) -> None:
    def pools(defs: dg.Definitions) -> set[str | None]:
        return {assets.op.pool for assets in defs.assets if isinstance(assets, dg.AssetsDefinition)}  # type: ignore[union-attr]

    assert pools(definitions(small.config, small.mesh)) == {"shop", "plan"}
    assert pools(definitions(small.config, small.mesh, lambda product, request: published(product))) == {None}


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


# Partitions


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


# Names that Dagster would not take


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
