"""The parts of a workspace, without dbt and notebooks; `test_make.py` and `test_preview.py` run them together."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.build.plan import land_sources
from kit.build.progress import Progress
from kit.build.workspace import Workspace
from kit.contracts.check import Check
from kit.core.errors import AuditFailed
from kit.core.secrets import Secrets
from kit.dbt.runner import TransformResult
from kit.mesh.product import DataProduct
from kit.quality.audit_target import audit_targets
from kit.storage.pins import Pin
from tests.support.small_mesh import SALES, SmallMesh, write


def workspace(small: SmallMesh, name: str) -> Workspace:
    raw, ports = audit_targets(small.product(name))
    return Workspace(small.config, name, small.root / "run", run_id="r1", targets=raw + ports)


def quarantine_sales(small: SmallMesh, maximum: int, limit: float) -> None:
    """Set aside raw sales with larger amounts."""
    file = small.domains / "shop/sources/sales.odcs.yaml"
    data = json.loads(file.read_text())
    aside = [{"property": "onFailure", "value": "quarantine"}]
    data["schema"][0]["properties"][2] |= {"customProperties": aside, "logicalTypeOptions": {"maximum": maximum}}
    data["customProperties"].append({"property": "quarantineLimit", "value": limit})
    write(file, json.dumps(data))


def test_sources_are_readable_without_rows_set_aside_and_masked(small: SmallMesh) -> None:
    quarantine_sales(small, maximum=28, limit=0.5)
    small.mask("shop/sources/sales.odcs.yaml", item={"generalise": 1})
    space, product, steps = workspace(small, "shop"), small.product("shop"), []
    space.progress = Progress(begin=lambda product, step: steps.append(step))
    landed = land_sources(small.config, product, space.progress)
    before = landed["sales"].path.read_bytes()
    space.add_sources(product, landed)
    (path,) = space.tables["raw.sales"]
    rows = pl.read_parquet(path)
    assert (rows.height, rows["item"].unique().sort().to_list(), path.is_relative_to(space.folder)) == (27, ["c", "t"], True)
    assert landed["sales"].path.read_bytes() == before
    assert steps == ["ingest", "audit raw", "mask"]
    assert {check.verdict for check in space.checks} == {"passed", "warned"}


def test_sources_of_a_preview_are_not_audited(small: SmallMesh) -> None:
    small.feed_rows(SALES[:4])
    space, product = workspace(small, "shop"), small.product("shop")
    space.add_sources(product, land_sources(small.config, product, Progress()), audited=False)
    assert (pl.read_parquet(space.tables["raw.sales"]).height, space.checks) == (3, [])


def test_too_many_rows_set_aside_end_the_build_before_the_audit(small: SmallMesh) -> None:
    quarantine_sales(small, maximum=20, limit=0.1)
    space, product = workspace(small, "shop"), small.product("shop")
    with pytest.raises(AuditFailed) as error:
        space.add_sources(product, land_sources(small.config, product, Progress()))
    assert str(error.value).splitlines()[:2] == [
        "'shop': 1 check failed, nothing was published",
        "failed  raw.sales: at most 10 % of the rows are set aside  (contract)",
    ]
    assert [(check.verdict, check.observed) for check in space.checks] == [
        ("failed", "11 of 30 rows"), ("warned", "11 of 30 rows set aside")
    ]  # fmt: skip


def test_recorded_checks_do_not_show_masked_values(small: SmallMesh) -> None:
    small.mask("plan/contracts/forecast.odcs.yaml", amount={"generalise": 100})
    check = Check("forecast", "a rule", "suite", False, "warning", "[3.0]", 1, ({"item": "tea", "amount": 3.0},))
    space = workspace(small, "plan")
    space.record_checks([check])
    assert space.checks == [replace(check, observed="masked", samples=({"item": "masked", "amount": "masked"},))]


def test_rows_are_counted_and_tables_are_discarded(small: SmallMesh, tmp_path: Path) -> None:
    version = small.snapshot("shop", "totals", {"item": ["cake", "tea"], "amount": ["170", "310"]})
    space = workspace(small, "plan")
    space.add_inputs({"shop.totals": Pin("shop.totals", small.store.snapshot("shop", version))})
    assert (space.rows(["shop.totals", "forecast"]), space.versions) == ({"shop.totals": 2}, {"shop.totals": version})
    write(space.staging / "forecast/data.parquet", "")
    write(space.folder / "notebooks/forecast.ipynb", "")
    space.discard()
    assert [path.name for path in space.folder.iterdir()] == ["notebooks"]


def test_what_dbt_parsed_is_kept_unless_it_has_the_value_of_a_variable(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Path | None] = []

    def transform(*arguments: Any) -> TransformResult:
        kept.append(arguments[9])
        return TransformResult((), ())

    monkeypatch.setattr("kit.dbt.runner.transform", transform)
    product = small.product("shop")

    def path_kept(product: DataProduct = product, key: str | None = None, **variables: str) -> Path | None:
        space = workspace(small, "shop")
        space.secrets = Secrets(variables)
        space.folder.mkdir(exist_ok=True)
        space.transform(product, key)
        return kept[-1]

    path = path_kept(TOKEN="a secret of some length")
    assert path and path.parent == small.config.cache / "parsed" and path.name.startswith("shop-")
    assert path_kept(key="2024-01-01") is None
    assert path_kept(replace(product, folder=small.root / "copy/shop")) is None
    model = small.domains / "shop/models/marts/totals.sql"
    write(model, f"{model.read_text()} -- {{{{ env_var('TOKEN') }}}}")
    assert path_kept() == path
    assert path_kept(TOKEN="a secret of some length") is None
