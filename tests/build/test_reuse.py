"""What has not changed is taken over: ports byte for byte, results of checks as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from kit.build.build import Outcome, build
from kit.core.config import Config
from kit.storage.snapshot import Snapshot
from kit.storage.summary import ProductSummary
from kit.sync.sync import sync
from tests.support.small_mesh import SALES, SmallMesh, write

TOTALS = "domains/shop/models/marts/totals.sql"


def manifest(small: SmallMesh, name: str = "shop") -> dict[str, Any]:
    return current(small, name).manifest


def current(small: SmallMesh, name: str = "shop") -> Snapshot:
    found = small.store.current(name)
    assert found is not None
    return found


def file(small: SmallMesh, port: str, name: str = "shop") -> Path:
    (path,) = current(small, name).paths(port)
    return path


def built(small: SmallMesh, name: str = "shop", **request: Any) -> Outcome:
    outcome = small.build(name, **request)
    assert outcome.status == "published", outcome.message
    return outcome


def places(data: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    return [(check["table"], check["rule"], check["origin"], check["passed"]) for check in data["checks"]]


def judged_in(data: dict[str, Any], run_id: str) -> set[tuple[str, str]]:
    """The table and the origin of the checks of a snapshot that a run judged."""
    pairs = zip(data["checks"], data["verdicts"], strict=True)
    return {(check["table"], check["origin"]) for check, (key, run) in pairs if run == run_id and key}


@pytest.mark.slow
def test_an_edit_of_one_model_builds_it_and_takes_the_others_over(small: SmallMesh) -> None:
    small.publish("shop")
    first, sales = manifest(small), file(small, "sales").stat().st_ino
    small.replace(TOTALS, "order by item", "order by item desc")
    outcome = built(small)
    second = manifest(small)
    assert file(small, "sales").stat().st_ino == sales
    assert second["ports"]["sales"]["files"] == first["ports"]["sales"]["files"]
    assert second["ports"]["sales"]["taken_over"] == {"run_id": first["run_id"], "version": first["version"]}
    assert "taken_over" not in second["ports"]["totals"]
    summary = ProductSummary.from_product(small.config, small.product("shop"))
    assert [port.taken_over for port in summary.ports] == [first["version"], ""]
    # The unit test and the rules of the changed table were run; the rules of the others were not, and are all there.
    assert places(second) == places(first)
    assert judged_in(second, second["run_id"]) == {("totals", "contract")}
    assert [(check.table, check.rule) for check in outcome.checks] == [(check[0], check[1]) for check in places(second)]
    # A third build still names the first run, and `--force` makes everything.
    small.replace(TOTALS, "order by item desc", "order by item")
    built(small)
    assert manifest(small)["ports"]["sales"]["taken_over"] == {"run_id": first["run_id"], "version": first["version"]}
    built(small, force=True)
    forced = manifest(small)
    assert [entry.get("taken_over") for entry in forced["ports"].values()] == [None, None]
    assert {run for _, run in forced["verdicts"]} == {forced["run_id"]}
    assert places(forced) == places(first)


@pytest.mark.slow
def test_an_edit_upstream_builds_what_depends_on_it(small: SmallMesh) -> None:
    small.publish("shop")
    small.replace("domains/shop/models/marts/sales.sql", "order by sale_id", "order by sale_id desc")
    built(small)
    assert [entry.get("taken_over") for entry in manifest(small)["ports"].values()] == [None, None]
    assert judged_in(manifest(small), manifest(small)["run_id"]) == {
        ("sales", "contract"), ("sales", "suite"), ("totals", "contract")
    }  # fmt: skip


@pytest.mark.slow
def test_new_data_is_judged_and_everything_made_of_it(small: SmallMesh) -> None:
    small.publish("shop")
    small.feed_rows([*SALES, "31,tea,3.00,2024-01-09"])
    built(small)
    assert {run for key, run in manifest(small)["verdicts"] if key} == {manifest(small)["run_id"]}


@pytest.mark.slow
def test_a_suite_and_a_description_build_nothing(small: SmallMesh) -> None:
    small.publish("shop")
    first = manifest(small)
    small.replace("domains/shop/expectations/sales.extra.json", '"min_value": 5', '"min_value": 4')
    small.replace("domains/shop/contracts/totals.odcs.yaml", "One row per", "A row per")
    built(small)
    second = manifest(small)
    assert {name: entry["files"] for name, entry in second["ports"].items()} == {
        name: entry["files"] for name, entry in first["ports"].items()
    }
    assert [name for name, entry in second["ports"].items() if "taken_over" in entry] == ["sales", "totals"]
    assert judged_in(second, second["run_id"]) == {("sales", "suite")}
    assert len(second["checks"]) == len(first["checks"])


@pytest.mark.slow
def test_a_notebook_that_has_not_changed_is_not_run_and_its_executed_copy_stays(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("plan")
    first = manifest(small, "plan")
    data = json.loads((small.domains / "plan/contracts/forecast.odcs.yaml").read_text())
    data["schema"][0].setdefault("quality", []).append({"type": "library", "metric": "rowCount", "mustBeGreaterThan": 0})
    write(small.domains / "plan/contracts/forecast.odcs.yaml", json.dumps(data))
    outcome = built(small, "plan")
    second = manifest(small, "plan")
    assert second["ports"]["forecast"]["files"] == first["ports"]["forecast"]["files"]
    executed = Path(outcome.notebooks["forecast"])
    assert (executed.is_file(), second["run_id"] in str(executed)) == (True, True)
    # Other parameters make it run.
    built(small, "plan", parameters={"factor": "3"})
    assert "taken_over" not in manifest(small, "plan")["ports"]["forecast"]


@pytest.mark.slow
def test_after_a_rollback_the_current_snapshot_is_taken_over(small: SmallMesh) -> None:
    first = small.publish("shop")
    original = file(small, "totals").stat().st_ino
    small.replace(TOTALS, "sum(amount)::", "(sum(amount) + 0)::")
    built(small)
    small.store.rollback("shop", first)
    small.replace(TOTALS, "order by item", "order by item asc")
    built(small)
    assert "taken_over" not in manifest(small)["ports"]["totals"]
    small.replace(TOTALS, "order by item asc", "order by item")
    small.replace(TOTALS, "(sum(amount) + 0)::", "sum(amount)::")
    built(small)
    assert file(small, "totals").stat().st_ino != original  # of the snapshot before the current one
    assert "taken_over" in manifest(small)["ports"]["sales"]


@pytest.mark.slow
def test_a_port_that_masks_is_always_made(small: SmallMesh) -> None:
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    sync(small.context)
    config = Config.load(small.root, {"KIT_MASK_KEY": "k" * 32})
    assert build(config, small.product("shop")).status == "published"
    small.replace(TOTALS, "order by item", "order by item desc")
    assert build(config, small.product("shop")).status == "published"
    assert ["taken_over" in entry for entry in manifest(small)["ports"].values()] == [False, False]


@pytest.mark.slow
def test_of_each_partition_only_the_port_whose_code_changed_is_built(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt.parser.manifest import ManifestLoader

    parses, parse = [], ManifestLoader.get_full_manifest
    monkeypatch.setattr(ManifestLoader, "get_full_manifest", lambda *args, **more: parses.append(1) or parse(*args, **more))
    small.partitioned_shop()
    built(small)
    first, sales = manifest(small), [path.stat().st_ino for path in current(small).paths("sales")]
    small.replace("domains/shop/product.odps.yaml", "what shop is for", "what it is for")
    assert small.build("shop").status == "up to date"
    small.replace(TOTALS, "order by item", "order by item desc")
    assert built(small).partitions == ("tea", "cake")
    second = manifest(small)
    assert [path.stat().st_ino for path in current(small).paths("sales")] == sales
    assert [name for name, entry in second["ports"].items() if "taken_over" in entry] == ["sales"]
    assert judged_in(second, second["run_id"]) == {("totals", "contract")}
    assert places(second) == places(first)
    # Two builds of two partitions, each of which parsed the project once.
    assert len(parses) == 2
    # Other data makes all ports of a partition anew; where a macro reads the key, dbt parses for each of them.
    small.feed_rows([*SALES, "31,tea,3.00,2024-01-09"])
    write(small.domains / "shop/macros/key.sql", "{% macro key() %}{{ var('partition') }}{% endmacro %}")
    built(small)
    assert len(parses) == 4
    assert ["taken_over" in entry for entry in manifest(small)["ports"].values()] == [False, False]
