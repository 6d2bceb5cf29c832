import json
from datetime import timedelta

import dagster as dg

from kit.mesh.mesh import Mesh
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from tests.conftest import ROOT
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
