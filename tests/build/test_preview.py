import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kit.build.preview import preview_model
from kit.cli.contract import app
from kit.contracts.contract import Contract
from kit.core.errors import KitError
from tests.support.small_mesh import SmallMesh, write

MODEL = "select item, count(*)::bigint as lines from {{ ref('sales') }} group by item order by item"


@pytest.fixture
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("apart")


def state(small: SmallMesh) -> set[Path]:
    """Every file of the domains and every snapshot."""
    tops = (small.domains, small.config.storage / "products", small.config.storage / "runs")
    return {path for top in tops for path in top.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_a_contract_is_drafted_from_a_model_before_there_is_a_port(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("KIT_STORAGE", str(small.config.storage))
    write(small.domains / "shop/models/marts/lines.sql", MODEL)
    before = state(small)
    done = CliRunner().invoke(app, ["draft", "shop.lines", "--write"])
    path = small.domains / "shop/contracts/lines.odcs.yaml"
    assert done.exception is None, done.exception
    drafted = Contract.load(path)
    assert [(column.name, column.type, column.required) for column in drafted.columns] == [
        ("item", "varchar", True), ("lines", "bigint", True),
    ]  # fmt: skip
    assert drafted.key == ("item",)
    assert {str(file.relative_to(small.root)) for file in state(small) - before} == {"domains/shop/contracts/lines.odcs.yaml"}


def test_a_model_that_is_a_table_sees_raw_data_as_every_model_does(small: SmallMesh, apart: Path) -> None:
    small.mask("shop/sources/sales.odcs.yaml", item={"generalise": 1})
    aside = [{"property": "onFailure", "value": "quarantine"}]
    file = small.domains / "shop/sources/sales.odcs.yaml"
    data = json.loads(file.read_text())
    data["schema"][0]["properties"][2] |= {"customProperties": aside, "logicalTypeOptions": {"maximum": 29}}
    write(
        file,
        json.dumps(
            {**data, "customProperties": [*data.get("customProperties", ()), {"property": "quarantineLimit", "value": 0.5}]}
        ),
    )
    write(
        small.domains / "shop/models/kinds.sql",
        "{{ config(materialized='table') }} select distinct item, max(amount) as most from {{ source('raw', 'sales') }} "
        "group by item order by item",
    )
    made = preview_model(small.config, small.product("shop"), "kinds", apart)
    assert pl.read_parquet(made).rows() == [("c", 27.50), ("t", 28.50)]


def test_what_cannot_be_run_is_said(small: SmallMesh, apart: Path) -> None:
    small.dbt_reader("copier", "amount", "1.0.0")
    write(small.domains / "copier/models/more.sql", "select nothing from {{ source('shop', 'totals') }}")
    with pytest.raises(KitError, match="'shop' has no published snapshot"):
        preview_model(small.config, small.product("copier"), "more", apart)
    small.publish("shop")
    with pytest.raises(KitError, match=r"'copier': dbt failed at 1 of 1 nodes: models/more.sql: .*nothing"):
        preview_model(small.config, small.product("copier"), "more", apart)


def test_one_partition_is_not_enough(small: SmallMesh, apart: Path) -> None:
    small.partitioned_shop()
    with pytest.raises(KitError, match="'shop' is cut into partitions, and one of them is not representative of 'totals'"):
        preview_model(small.config, small.product("shop"), "totals", apart)
