"""The mesh as one Dagster code location, and domains in error."""

import re
import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.definitions.reconstruct import (
    initialize_repository_def_from_pointer,
    reconstruct_repository_def_from_pointer,
)

from kit.orchestration.definitions import definitions
from tests.support.orchestration import Clock, keys, published
from tests.support.small_mesh import SmallMesh


def test_every_table_is_an_asset_with_its_edges(small: SmallMesh) -> None:
    graph = definitions(small.context).resolve_asset_graph()
    edges = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert edges == {
        "shop/raw/sales": set(),
        "shop/sales": {"shop/raw/sales"},
        "shop/totals": {"shop/sales"},
        "plan/forecast": {"shop/totals"},
    }
    assert {node.group_name for node in graph.asset_nodes} == {"shop", "plan"}


def test_a_mesh_loads_without_dbt_or_great_expectations(small: SmallMesh) -> None:
    code = (
        "import sys, kit.orchestration.definitions as d; from kit.mesh import Context\n"
        "d.definitions(Context.load()).get_repository_def()\n"
        "print([name for name in ('dbt', 'great_expectations', 'pandas', 'polars', 'papermill') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=small.root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_domain_in_error_is_an_asset_in_error_and_the_rest_works(small: SmallMesh, instance: dg.DagsterInstance) -> None:
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"bigint"', '"bigger"')
    defs = definitions(small.context, builder=lambda product, request: published(product))
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
    names = {key.to_user_string() for key in definitions(small.context).resolve_all_asset_keys()}
    assert "shop" in names
    assert "shop/sales" not in names
    assert "plan/forecast" in names


def test_products_of_the_code_location_wait_for_their_pool_and_those_of_a_person_do_not(small: SmallMesh) -> None:
    def pools(defs: dg.Definitions) -> set[str | None]:
        return {assets.op.pool for assets in defs.assets if isinstance(assets, dg.AssetsDefinition)}  # type: ignore[union-attr]

    assert pools(definitions(small.context)) == {"shop", "plan"}
    assert pools(definitions(small.context, lambda product, request: published(product))) == {None}


def test_the_process_of_a_run_knows_the_assets_of_a_domain_that_broke_since_its_start(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("KIT_ROOT", str(small.root))
    monkeypatch.setattr(DefinitionsLoadContext, "_instance", None)
    pointer = ModuleCodePointer("kit.orchestration.definitions", "defs")
    started = initialize_repository_def_from_pointer(pointer)
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"bigint"', '"bigger"')
    found = reconstruct_repository_def_from_pointer(pointer, started.repository_load_data)
    done = found.get_job("__ASSET_JOB").execute_in_process(
        run_config={"ops": {"build_shop": {"config": {"force": True}}}}, asset_selection=keys("shop.sales"),
        instance=instance, raise_on_error=False,
    )  # fmt: skip
    (failure,) = done.get_step_failure_events()
    reason = failure.step_failure_data.user_failure_data.description
    assert re.search(r"domains/shop/contracts/sales.odcs.yaml:16: \S+ 'bigger' is not a column type", reason)
    reloaded = initialize_repository_def_from_pointer(pointer).asset_graph.get_all_asset_keys()
    assert {key.to_user_string() for key in reloaded} >= {"shop", "plan/forecast"}
