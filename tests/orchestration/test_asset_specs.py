import json
from datetime import timedelta

import dagster as dg

from kit.build.data_code import data_code
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from tests.support.small_mesh import SmallMesh, descriptor, write


def test_an_asset_says_what_the_contract_says(small: SmallMesh) -> None:
    path = small.domains / "shop/product.odps.yaml"
    data = json.loads(path.read_text()) | {"domain": "sales", "tags": ["source-aligned"]}
    data["outputPorts"][0]["description"] = "One row per sale."
    path.write_text(json.dumps(data))
    specs = definitions(small.context).resolve_all_asset_specs()
    spec = next(spec for spec in specs if spec.key == asset_key("shop.sales"))
    assert spec.owners == ["o@example.com"]
    assert spec.kinds == {"dbt", "duckdb", "port"}
    assert spec.description == "One row per sale."
    assert spec.tags["kit/domain"] == "sales"
    assert "source-aligned" in spec.tags
    assert spec.code_version == data_code(small.config, small.product("shop"))[:12]
    assert spec.metadata["contract"] == "shop.sales 1.0.0"
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    first = schema.columns[0]
    assert (first.name, first.type, first.constraints.nullable) == ("sale_id", "bigint", False)
    assert first.description == "the sale_id"
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=24), warn_window=timedelta(hours=18)
    )  # fmt: skip


def test_awkward_names_are_made_to_fit(small: SmallMesh) -> None:
    path = small.domains / "plan" / "product.odps.yaml"
    text = descriptor("plan", inputs=["shop.totals"], outputs={"forecast": "notebook"})
    data = json.loads(text) | {"tags": ["a tag: with, everything!", "ünïcode", "-"], "domain": "R & D"}
    data["team"] = [{"username": "not an address", "role": "owner"}]
    path.write_text(json.dumps(data))
    defs = definitions(small.context)
    defs.get_repository_def()
    spec = next(spec for spec in defs.resolve_all_asset_specs() if spec.key == asset_key("plan.forecast"))
    assert spec.owners == ["team:not an address"]
    assert spec.tags["kit/domain"] == "R-D"


def test_an_address_that_dagster_does_not_accept_is_a_team(small: SmallMesh) -> None:
    path = small.domains / "plan" / "product.odps.yaml"
    data = json.loads(path.read_text())
    data["team"] = [{"username": "pat@example.engineering", "role": "owner"}]
    path.write_text(json.dumps(data))
    specs = definitions(small.context).resolve_all_asset_specs()
    spec = next(spec for spec in specs if spec.key == asset_key("plan.forecast"))
    assert spec.owners == ["team:pat@example.engineering"]


def test_raw_data_has_the_kind_of_its_connector(small: SmallMesh) -> None:
    def kinds() -> set[str]:
        specs = definitions(small.context).resolve_all_asset_specs()
        return next(spec.kinds for spec in specs if spec.key == asset_key("shop.raw.sales"))

    assert kinds() == {"source", "parquet"}
    write(
        small.domains / "shop/ingest.py",
        "from kit.ingest.connectors import postgres\n\n\ndef sales():\n    return postgres(dsn_env='DSN', table='sales')\n",
    )
    assert kinds() == {"source", "postgres"}
