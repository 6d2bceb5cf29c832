from contextlib import ExitStack

import polars as pl

from kit.build.manifest import manifest
from kit.build.plan import BuildRequest, gather_inputs, plan
from kit.build.progress import Progress
from kit.contracts.check import Check
from kit.core import database, sha256
from tests.build.test_workspace import quarantine_sales, workspace
from tests.support.small_mesh import SmallMesh


def test_the_manifest_describes_the_staged_ports(small: SmallMesh) -> None:
    version = small.snapshot("shop", "totals", {"item": ["cake"], "amount": ["170"]})
    space, product = workspace(small, "plan"), small.product("plan")
    path = space.staging / "forecast/data.parquet"
    path.parent.mkdir(parents=True)
    pl.DataFrame({"item": ["cake"], "amount": [340.0]}).write_parquet(path)
    with ExitStack() as held:
        inputs = gather_inputs(small.config, product, BuildRequest({"factor": "3"}), held, Progress())
        planned = plan(small.config, product, BuildRequest({"factor": "3"}), inputs)
    space.add_inputs(inputs.pins)
    assert space.add_port(product.ports[0])
    space.record_checks([Check("forecast", "a rule", "suite", True)])
    found = manifest(space, product, planned)
    assert {name: found[name] for name in ("run_id", "fingerprint", "mask_key", "partitions", "sources", "parameters")} == {
        "run_id": "r1", "fingerprint": planned.fingerprint, "mask_key": None, "partitions": {}, "sources": {},
        "parameters": {"forecast": {"factor": 3}},
    }  # fmt: skip
    assert found["inputs"]["shop.totals"]["version"] == version
    entry = found["ports"]["forecast"]
    assert {name: entry[name] for name in ("rows", "newest", "masked", "checks", "contract_version")} == {
        "rows": 1, "newest": None, "masked": {}, "checks": {"passed": 1, "failed": 0, "warned": 0}, "contract_version": "1.0.0",
    }  # fmt: skip


def test_rows_set_aside_are_counted_and_have_an_entry_of_their_own(small: SmallMesh) -> None:
    quarantine_sales(small, maximum=28, limit=0.5)
    space, product = workspace(small, "shop"), small.product("shop")
    with ExitStack() as held:
        inputs = gather_inputs(small.config, product, BuildRequest(), held, Progress())
        planned = plan(small.config, product, BuildRequest(), inputs)
    space.add_sources(product, inputs.sources)
    (landed,) = space.tables["raw.sales"]
    for port, columns in (("sales", "*"), ("totals", "item, amount")):
        path = space.staging / port / "data.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        database.relation([landed]).select(columns).write_parquet(str(path))
        space.tables[port] = [path]
    found = manifest(space, product, planned)
    source = inputs.sources["sales"]
    about, (origin,) = (found["sources"]["sales"].pop(name) for name in ("about", "origins"))
    assert [column for column, *_ in about["columns"]] == ["sale_id", "item", "amount", "sold_on"]
    assert (origin["namespace"], origin["name"]) == ("file", str(small.feed))
    assert found["sources"]["sales"].pop("sound") == sha256(landed)
    assert found["sources"] == {
        "sales": {"digest": source.digest, "rows": 30, "delivered": source.delivered.isoformat(), "quarantined": 3}
    }
    assert list(found["ports"]) == ["sales", "totals", "raw.sales__quarantine"]
    assert (found["ports"]["sales"]["rows"], found["ports"]["sales"]["newest"]) == (27, "2024-01-09")
    aside = found["ports"]["raw.sales__quarantine"]
    assert (aside["quarantine_of"], aside["rows"], aside["contract_version"]) == ("raw.sales", 3, "1.0.0")
    assert [check["rule"] for check in found["checks"]][:1] == ["at most 50 % of the rows are set aside"]


def test_masked_columns_are_named_with_their_mask(small: SmallMesh) -> None:
    small.mask("plan/contracts/forecast.odcs.yaml", amount={"generalise": 100})
    small.snapshot("shop", "totals", {"item": ["cake"], "amount": ["170"]})
    space, product = workspace(small, "plan"), small.product("plan")
    path = space.staging / "forecast/data.parquet"
    path.parent.mkdir(parents=True)
    pl.DataFrame({"item": ["cake"], "amount": [300.0]}).write_parquet(path)
    space.tables["forecast"] = [path]
    with ExitStack() as held:
        inputs = gather_inputs(small.config, product, BuildRequest(), held, Progress())
        planned = plan(small.config, product, BuildRequest(), inputs)
    entry = manifest(space, product, planned)["ports"]["forecast"]
    assert (entry["rows"], entry["masked"]) == (1, {"amount": "generalise"})
