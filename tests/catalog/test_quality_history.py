from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from kit.catalog.quality_history import CheckedBuild, CheckHistory, CheckResult, checked_builds, port_quality, tables_of_ports
from kit.contracts.check import Check
from kit.core.errors import UnknownName
from kit.core.files import time_id
from kit.storage.runs import RunRecord, Runs
from kit.storage.snapshot import Snapshot
from tests.support.files import write
from tests.support.small_mesh import SmallMesh


def record(small: SmallMesh, minute: int, *checks: Check, status: str = "failed", version: str | None = None) -> RunRecord:
    """A build of `shop` in the year 2100."""
    at = datetime(2100, 1, 1, 0, minute, tzinfo=UTC)
    given = RunRecord(time_id(at), "shop", status, at, at, version=version, message="why", checks=checks)
    Runs(small.config.storage).save(given)
    return given


def test_the_checks_of_a_port_build_by_build(small: SmallMesh) -> None:
    raw = Check("raw.sales", "amount >= 0", "contract", False, "error", "1 of 31 rows break it", 1, ({"amount": "-5.00"},))
    port = Check("totals", "they add up", "contract", True)
    need = Check("totals", "item is required", "need", False, "warning")
    other = Check("sales", "sale_id is unique", "contract", True)
    record(small, 1, replace(raw, passed=True), port, need, other, status="published", version="v1")
    record(small, 2, raw)
    record(small, 3, status="up to date", version="v1")
    quality = port_quality(small.config, "shop.totals")
    failed, published = quality.builds
    assert [(build.status, build.version, build.message) for build in quality.builds] == [
        ("failed", None, "why"), ("published", "v1", "why"),
    ]  # fmt: skip
    assert quality.checks == (
        CheckHistory(
            "raw.sales",
            "amount >= 0",
            "contract",
            (CheckResult(failed, raw), CheckResult(published, replace(raw, passed=True))),
        ),
        # The build that failed on raw data never came to the port.
        CheckHistory("totals", "they add up", "contract", (CheckResult(published, port),)),
        CheckHistory("totals", "item is required", "need", (CheckResult(published, need),)),
    )
    assert [history.last.verdict for history in quality.checks] == ["failed", "passed", "warned"]


def test_each_port_has_its_own_tables_and_those_below_it(small: SmallMesh) -> None:
    write(small.domains / "shop/models/staging/stg.sql", "select * from {{ source('raw', 'sales') }}\n")
    write(small.domains / "shop/models/marts/sales.sql", "select * from {{ ref('stg') }} order by sale_id\n")
    assert tables_of_ports(small.config, "shop") == {
        "sales": frozenset({"raw.sales", "stg", "sales"}), "totals": frozenset({"raw.sales", "stg", "totals"}),
    }  # fmt: skip
    # Tests of dbt may speak of an input.
    assert tables_of_ports(small.config, "plan") == {"forecast": frozenset({"forecast", "shop.totals"})}


def snapshot(small: SmallMesh, run_id: str, *checks: Check) -> Snapshot:
    """A snapshot of `shop.totals` of now, of which nothing but the checks matters."""
    staging = small.store.stage("shop", "r", ["totals"])
    pl.DataFrame({"item": ["tea"]}).write_parquet(staging / "totals/data.parquet")
    manifest = {
        "run_id": run_id, "fingerprint": "", "inputs": {}, "ports": {"totals": {"rows": 0, "contract_version": "1.0.0"}},
        "checks": [check.to_json() for check in checks],
    }  # fmt: skip
    return small.store.publish("shop", staging, manifest, parent=None)


def test_a_snapshot_stands_for_a_build_whose_record_is_gone(small: SmallMesh) -> None:
    known = record(small, 1)
    check = Check("totals", "they add up", "contract", True, samples=({"item": "tea"},))
    made = snapshot(small, "pruned", check)
    assert checked_builds(small.config, "shop") == (
        CheckedBuild(known.run_id, known.finished_at, "failed", None, "why", ()),
        CheckedBuild("pruned", made.created_at, "published", made.version, "", (check,)),
    )


def test_only_the_newest_builds_are_looked_at(small: SmallMesh) -> None:
    newest = [record(small, minute).run_id for minute in (3, 2, 1)]
    snapshot(small, newest[0])
    assert [build.run_id for build in checked_builds(small.config, "shop")] == newest
    assert [build.run_id for build in checked_builds(small.config, "shop", 2)] == newest[:2]


def test_a_port_that_was_never_built_and_one_of_a_broken_product(small: SmallMesh) -> None:
    quality = port_quality(small.config, "shop.totals")
    assert (quality.builds, quality.checks) == ((), ())
    snapshot(small, "run", Check("raw.sales", "rows", "contract", True), Check("totals", "they add up", "contract", True))
    write(small.domains / "shop/product.odps.yaml", "name: shop\n")
    assert {history.table for history in port_quality(small.config, "shop.totals").checks} == {"totals"}


@pytest.mark.parametrize("port", ["shop.nothing", "nobody.totals", "shop", ""])
def test_a_port_nobody_offers(small: SmallMesh, port: str) -> None:
    with pytest.raises(UnknownName, match=f"there is no port '{port}'; `kit status` lists all ports"):
        port_quality(small.config, port)
