import errno
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from kit.build.build import build, check_due
from kit.build.plan import BuildRequest
from kit.build.progress import Progress
from kit.storage.runs import Runs
from kit.storage.summary import ProductSummary
from kit.sync.sync import sync
from tests.support.products import write_dbt_project
from tests.support.small_mesh import FORECAST, SALES, SmallMesh, contract, descriptor


def totals(small: SmallMesh) -> dict[str, float]:
    snapshot = small.store.current("shop")
    assert snapshot is not None
    return {item: float(amount) for item, amount in pl.read_parquet(snapshot.files("totals")).iter_rows()}


def test_a_build_publishes_every_port_with_its_record(small: SmallMesh) -> None:
    version = small.publish("shop")
    assert totals(small) == {"cake": 170.0, "tea": 310.0}
    snapshot = small.store.snapshot("shop", version)
    assert snapshot.manifest["ports"]["sales"]["rows"] == 30
    assert snapshot.manifest["ports"]["sales"]["newest"] == "2024-01-09"
    assert snapshot.manifest["ports"]["sales"]["checks"] == {"passed": 13, "failed": 0, "warned": 0}
    assert snapshot.manifest["product_version"] == "1.0.0"
    assert snapshot.manifest["sources"]["sales"]["rows"] == 30
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert (record.status, record.version, record.run_id) == ("published", version, snapshot.manifest["run_id"])
    assert {"ingest", "audit raw", "dbt", "audit", "publish"} == set(record.steps)
    assert {(check.table, check.origin) for check in record.checks} == {
        ("raw.sales", "contract"), ("sales", "contract"), ("sales", "suite"), ("sales", "dbt"), ("totals", "contract"),
        ("totals", "dbt"),
    }  # fmt: skip


def test_a_consumer_pins_what_it_read(small: SmallMesh) -> None:
    shop = small.publish("shop")
    plan = small.publish("plan")
    pinned = small.store.snapshot("plan", plan).manifest["inputs"]["shop.totals"]
    entry = small.store.snapshot("shop", shop).port("totals")
    assert pinned == {"version": shop, "contract_version": "1.0.0", "files": entry["files"]}


def test_nothing_is_done_when_nothing_changed_unless_forced(small: SmallMesh) -> None:
    version = small.publish("shop")
    again = small.build("shop")
    assert (again.status, again.version) == ("up to date", version)
    assert small.publish("shop", force=True) != version


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("domains/shop/models/marts/totals.sql", "order by item", "order by item desc"),
        ("domains/shop/contracts/totals.odcs.yaml", '"mustBe": 0', '"mustBeBetween": [0, 1]'),
        ("domains/shop/expectations/sales.extra.json", "50", "51"),
        ("feed/sales.csv", "1,tea,1.50,", "1,tea,1.60,"),
    ],
)
def test_a_change_of_code_contract_suite_or_data_builds_anew(small: SmallMesh, path: str, old: str, new: str) -> None:
    version = small.publish("shop")
    small.replace(path, old, new)
    assert small.publish("shop") != version


def test_the_readme_and_descriptions_are_not_code(small: SmallMesh) -> None:
    small.publish("shop")
    (small.domains / "shop" / "README.md").write_text("# Shop\n")
    small.replace("domains/shop/contracts/totals.odcs.yaml", "One row per totals.", "One row per item.")
    assert small.build("shop").status == "up to date"


def test_a_consumer_stays_when_its_input_is_rebuilt_with_the_same_content(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("plan")
    small.publish("shop", force=True)
    assert small.build("plan").status == "up to date"
    small.replace("feed/sales.csv", "1,tea,1.50,", "1,tea,1.60,")
    small.publish("shop")
    small.publish("plan")


def test_a_failed_audit_publishes_nothing_and_readers_keep_the_last_good_snapshot(small: SmallMesh) -> None:
    good = small.publish("shop")
    before = totals(small)
    small.replace("domains/shop/models/marts/sales.sql", "select *", "select * replace (-amount as amount)")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    lines = outcome.message.splitlines()
    assert lines[0] == "'shop': 3 checks failed, nothing was published"
    assert "failed  sales: amount is between 0 and 1000  (contract)" in lines
    assert "        observed: 30 of 30 rows break it" in lines
    assert "        row:      sale_id=1, amount=-1.5" in lines
    assert "failed  totals: totals add up: its query gives = 0  (contract)" in lines
    assert totals(small) == before
    current = small.store.current("shop")
    assert current is not None
    assert current.version == good
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert record.status == "failed"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (SALES[:4], "raw.sales: rows: rows are between 20 and 100  (contract)"),
        ([*SALES, SALES[1]], "raw.sales: sale_id is unique  (contract)"),
        ([*SALES, ",tea,1.00,2024-01-09"], "raw.sales: sale_id is required  (contract)"),
        (
            [row.replace("2024-01", "2023-01") for row in SALES],
            "raw.sales: the newest sold_on is at most 2 days old and not in the future  (contract)",
        ),
        ([row.replace("cake", "pie") for row in SALES], "raw.sales: known values: item is one of 2 values  (contract)"),
    ],
)
def test_a_broken_feed_stops_before_it_is_transformed(small: SmallMesh, rows: list[str], says: str) -> None:
    good = small.publish("shop")
    small.feed_rows(rows)
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert f"failed  {says}" in outcome.message.splitlines()
    current = small.store.current("shop")
    assert current is not None
    assert current.version == good


def test_what_a_consumer_needs_is_tested_and_blocks(small: SmallMesh) -> None:
    first = small.publish("shop")
    need = small.need([("amount", "decimal(18,2)", {"logicalTypeOptions": {"maximum": 9}})])
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert outcome.message.startswith("'shop': 1 check failed, nothing was published\n")
    assert "failed  totals: needed by plan: amount is at most 9  (need)\n" in outcome.message
    assert "means:    plan owner (o@example.com) states it in plan/consumes/shop.totals.odcs.yaml\n" in outcome.message
    assert small.store.current("shop").version == first
    need.unlink()
    assert small.build("shop").status == "up to date"


def test_a_failing_dbt_test_shows_the_rows(small: SmallMesh) -> None:
    small.replace(
        "domains/shop/models/marts/sales.sql", "order by", "union all select 1, 'tea', 1.00, date '2024-01-09' order by"
    )
    outcome = small.build("shop")
    assert outcome.message.splitlines() == [
        "'shop': 1 check failed, nothing was published",
        "failed  sales: sale_id: unique  (dbt)",
        "        observed: 1 row",
        "        row:      unique_field=1, n_records=2",
    ]


def test_a_failing_dbt_unit_test_blocks(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "sum(amount)", "max(amount)")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert "failed  totals: unit test adds  (dbt)" in outcome.message


def test_a_model_that_fails_names_its_file(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/sales.sql", "order by", "where nonsense > 1 order by")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    reason = "'shop': dbt failed at 1 of 4 nodes: models/marts/sales.sql: Referenced column \"nonsense\" not found"
    assert outcome.message.startswith(reason)
    assert ProductSummary.from_product(small.config, small.product("shop")).note.startswith(f"last build failed: {reason}")


def test_a_dbt_project_that_cannot_be_parsed_is_said(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "ref('sales')", "ref('sale')")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert outcome.message.startswith("'shop': dbt could not run the project: Compilation Error")
    assert "depends on a node named 'sale'" in outcome.message


def test_after_a_rollback_the_same_build_is_held_until_something_changes(small: SmallMesh) -> None:
    first = small.publish("shop")
    small.replace("feed/sales.csv", "1,tea,1.50,", "1,tea,900.00,")
    small.publish("shop")
    small.store.rollback("shop", first)
    held = small.build("shop")
    assert (held.status, held.version) == ("held", first)
    assert held.message == "rolled back from just this code and these inputs; change something, or use --force"
    small.replace("feed/sales.csv", "900.00", "9.00")
    small.publish("shop")


def test_a_rollback_during_a_build_wins(small: SmallMesh) -> None:
    first = small.publish("shop")
    second = small.publish("shop", force=True)

    def roll_back(name: str) -> None:
        if name == "audit done":
            small.store.rollback("shop", first)

    outcome = small.build("shop", force=True, progress=Progress(step=roll_back))
    assert outcome.message == (
        f"'shop' moved from snapshot {second} to {first} while this build ran; nothing was published. Run `kit run shop` again."
    )
    pointer = small.store.read_pointer("shop")
    assert pointer is not None
    assert pointer.version == first


def test_inputs_stay_pinned_while_the_provider_moves_on_and_prunes(small: SmallMesh) -> None:
    first = small.publish("shop")

    def move_on(name: str) -> None:
        if name == "staging ready":
            small.feed_rows([row.replace(",tea,", ",cake,") if row.startswith("1,") else row for row in SALES])
            small.publish("shop")
            assert [item.kept_because for item in small.store.prune("shop", 1)] == ["it is being read"]

    outcome = small.build("plan", progress=Progress(step=move_on))
    assert outcome.status == "published", outcome.message
    current = small.store.current("plan")
    assert current is not None
    assert current.manifest["inputs"]["shop.totals"]["version"] == first
    assert dict(pl.read_parquet(current.files("forecast")).iter_rows()) == {"cake": 340.0, "tea": 620.0}


def test_a_consumer_without_a_published_input_says_what_to_run(small: SmallMesh) -> None:
    assert small.build("plan").message == "'shop' has no published snapshot yet; build it with `kit run shop`"


def test_a_consumer_of_a_newer_contract_waits_for_it_to_be_published(small: SmallMesh) -> None:
    small.publish("shop")
    for path in ("domains/shop/product.odps.yaml", "domains/shop/contracts/totals.odcs.yaml"):
        text = (small.root / path).read_text()
        head, mark, tail = text.rpartition('"totals"') if "odps" in path else ("", "", text)
        (small.root / path).write_text(head + mark + tail.replace('"version": "1.0.0"', '"version": "1.1.0"', 1))
    small.replace(
        "domains/plan/product.odps.yaml",
        '"name": "shop.totals",\n   "version": "1.0.0"',
        '"name": "shop.totals",\n   "version": "1.1.0"',
    )
    assert small.build("plan").message == (
        "'plan' reads shop.totals 1.1.0, but the current snapshot of 'shop' has version 1.0.0; run `kit run shop` first"
    )
    small.publish("shop")
    small.publish("plan")


def test_a_model_that_wrote_over_a_pinned_input_publishes_nothing(small: SmallMesh) -> None:
    shop = small.publish("shop")
    small.dbt_reader("copier", "amount", "1.0.0")
    (pinned,) = small.store.snapshot("shop", shop).files("totals")

    def write_over(step: str) -> None:
        if step == "copy":  # as the model would with use_tmp_file, hidden well enough
            duckdb.connect().execute(f"copy (select 'tea' as item, 9.0 as amount) to '{pinned}' (use_tmp_file false)")

    outcome = small.build("copier", progress=Progress(step=write_over))
    assert (outcome.status, outcome.message.partition(", a published file")[0]) == (
        "failed",
        f"'copier': a model overwrote its input {pinned}",
    )
    assert small.store.read_pointer("copier") is None


def test_two_builds_of_one_product_at_once(small: SmallMesh) -> None:
    def interrupt(name: str) -> None:
        if name == "staging ready":
            second = small.build("shop")
            assert (second.status, second.may_pass) == ("failed", "another process builds the product")
            assert second.message.startswith("'shop' is being built by process ")

    assert small.build("shop", progress=Progress(step=interrupt)).status == "published"


def test_an_unexpected_error_is_recorded_with_its_traceback(small: SmallMesh) -> None:
    def full_disk(name: str) -> None:
        if name == "checks.json written" or name == "manifest.json written":
            raise OSError(28, "No space left on device")

    outcome = small.build("shop", progress=Progress(step=full_disk))
    assert outcome.status == "failed"
    first, trace = outcome.message.splitlines()
    assert first == "no space is left on the disk; free some, for instance with `kit prune --keep 1`"
    assert "No space left on device" in Path(trace.removeprefix("traceback: ")).read_text()
    assert small.store.current("shop") is None
    small.publish("shop")


def test_parameters_reach_the_notebook_and_are_part_of_the_snapshot(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("plan")
    version = small.publish("plan", parameters={"factor": "3"})
    snapshot = small.store.snapshot("plan", version)
    assert snapshot.manifest["parameters"] == {"forecast": {"factor": 3}}
    assert dict(pl.read_parquet(snapshot.files("forecast")).iter_rows()) == {"cake": 510.0, "tea": 930.0}


def test_the_executed_notebook_is_kept_per_run_also_on_failure(small: SmallMesh) -> None:
    small.publish("shop")
    small.notebook("plan", "forecast", [*FORECAST, "raise ValueError('no more')"], "factor: float = 2.0\n")
    outcome = small.build("plan")
    record = Runs(small.config.storage).last("plan")
    assert record is not None
    executed = json.loads(Path(record.notebooks["forecast"]).read_text())
    assert any(output.get("ename") == "ValueError" for cell in executed["cells"] for output in cell.get("outputs", ()))
    notebook = small.domains / "plan/notebooks/forecast.ipynb"
    assert outcome.message == f"{notebook}: cell 6 failed: ValueError: no more\nexecuted copy: {record.notebooks['forecast']}"
    assert small.store.current("plan") is None


def test_a_build_leaves_nothing_in_the_domain_folder(small: SmallMesh) -> None:
    before = sorted(small.domains.rglob("*"))
    small.publish("shop")
    small.publish("plan")
    assert sorted(small.domains.rglob("*")) == before


def test_a_mart_may_end_with_a_comment(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/sales.sql", "order by sale_id", "order by sale_id -- newest last")
    small.publish("shop")


def test_a_port_that_no_model_writes_is_said(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/sales.sql", "select *", "{{ config(materialized='table') }} select *")
    assert small.build("shop").message == (
        "'shop': no dbt model wrote the port 'sales'; is it enabled and materialized `published`? "
        "In dbt_project.yml the key below `models:` must be the project's name"
    )


def test_a_published_model_that_is_no_port_is_said(small: SmallMesh) -> None:
    (small.domains / "shop/models/marts/helper.sql").write_text("select 1 as a")
    message = small.build("shop").message
    assert "'helper' is no output port; declare it in product.odps.yaml, or materialize it as view or table" in message


def test_a_lost_snapshot_is_built_anew_when_forced(small: SmallMesh) -> None:
    import shutil

    version = small.publish("shop")
    shutil.rmtree(small.store.folder("shop") / version)
    assert small.build("shop").message.startswith(f"the current snapshot {version} of 'shop' is missing from ")
    small.publish("shop", force=True)


def test_what_was_rolled_back_twice_stays_rejected(small: SmallMesh) -> None:
    versions = [small.publish("shop")]
    for amount in ("2.50", "3.50"):
        small.feed_rows([SALES[0], f"1,tea,{amount},2024-01-02", *SALES[2:]])
        versions.append(small.publish("shop"))
    small.store.rollback("shop", versions[1])
    assert small.build("shop").status == "held"
    small.store.rollback("shop", versions[0])
    assert small.build("shop").status == "held"


def test_a_repair_by_going_back_clears_the_failure(small: SmallMesh) -> None:
    from kit.storage.status import statuses

    small.publish("shop")
    small.replace("domains/shop/models/marts/totals.sql", "group by item", "group by nonsense")
    small.build("shop")
    assert {row.note.partition(":")[0] for row in statuses(small.context) if row.product.name == "shop"} == {
        "last build failed"
    }
    small.replace("domains/shop/models/marts/totals.sql", "group by nonsense", "group by item")
    assert small.build("shop").status == "up to date"
    assert {row.note for row in statuses(small.context) if row.product.name == "shop"} == {""}


def test_a_product_confirmed_as_up_to_date_is_not_late(small: SmallMesh) -> None:
    from kit.storage.status import statuses

    version = small.publish("shop")
    manifest = small.store.folder("shop") / version / "manifest.json"
    data = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**data, "created_at": "2024-01-01T00:00:00+00:00"}))
    for path in (small.config.storage / "runs/shop").glob("*/record.json"):
        path.write_text(path.read_text().replace('"finished_at": "20', '"finished_at": "19'))
    assert {row.state for row in statuses(small.context) if row.product.name == "shop"} == {"late"}
    for _ in range(3):
        assert small.build("shop").status == "up to date"
    assert {row.state for row in statuses(small.context) if row.product.name == "shop"} == {"fresh"}
    assert len(Runs(small.config.storage).ids("shop")) == 2


def test_a_notebook_reads_only_what_it_declares(small: SmallMesh) -> None:
    small.publish("shop")
    small.notebook("plan", "forecast", ["import kit", "kit.read('shop.sales')"])
    assert "'shop.sales' is no declared input; there are: shop.totals" in small.build("plan").message


def test_a_notebook_asks_its_pinned_inputs_in_sql(small: SmallMesh) -> None:
    small.publish("shop")
    refused = (
        "try:\n    x = %sql from shop.sales\nexcept KitError as error:\n    assert 'no declared input' in str(error), error"
    )
    cells = [f"{FORECAST[0]}\nfrom kit.core import KitError\n%load_ext kit", refused]
    asked = "%%sql --out frame\nselect item, (amount * $factor)::double as amount from shop.totals order by item"
    small.notebook("plan", "forecast", [*cells, asked, FORECAST[3]], "factor: float = 2.0\n")
    version = small.publish("plan")
    (path,) = small.store.snapshot("plan", version).files("forecast")
    assert pl.read_parquet(path).rows() == [("cake", 340.0), ("tea", 620.0)]


def test_an_output_given_twice_is_refused(small: SmallMesh) -> None:
    small.publish("shop")
    small.notebook("plan", "forecast", [*FORECAST, FORECAST[-1]], "factor: float = 2.0\n")
    assert "kit.output('forecast', …) was called twice in one run; call it once, at the end" in small.build("plan").message


def test_ports_and_products_may_be_named_like_keywords(small: SmallMesh) -> None:
    text = "select 1::bigint as order"
    plan = small.domains / "plan"
    (plan / "models/marts").mkdir(parents=True)
    (plan / "models/marts/select.sql").write_text(text)
    write_dbt_project(plan)
    columns = [("order", "bigint", {"required": True, "unique": True})]
    (plan / "contracts/select.odcs.yaml").write_text(contract("plan.select", "select", columns, []))
    (plan / "product.odps.yaml").write_text(descriptor("plan", inputs=["shop.totals"], outputs={"select": "dbt"}))
    small.publish("shop")
    small.publish("plan")


def test_a_path_may_hold_quotes_brackets_and_spaces(tmp_path: Path) -> None:
    mesh = SmallMesh(tmp_path / "it's [1] mesh")
    mesh.publish("shop")
    mesh.publish("plan")


@pytest.mark.parametrize("path", ["contracts/sales.odcs.yaml", "expectations/sales.json"])
def test_a_build_refuses_a_suite_that_is_not_the_one_of_its_contract(small: SmallMesh, path: str) -> None:
    small.publish("shop")
    small.replace(f"domains/shop/{path}", "1000", "10")  # the maximum of an amount
    outcome = build(small.config, small.product("shop"))
    assert outcome.status == "failed"
    assert outcome.message.endswith(
        "expectations/sales.json: differs from " + str(small.domains / "shop/contracts/sales.odcs.yaml") + "; run `kit sync`"
    )
    assert outcome.checks == ()
    sync(small.context)
    assert build(small.config, small.product("shop")).status == ("failed" if path.startswith("contracts") else "up to date")


module = import_module("kit.build.build")


class Stop(BaseException):
    """An error that an `except Exception` lets pass, as panics of Rust libraries are."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("amount"), "KeyError: 'amount'"),
        (duckdb.IOException("IO Error: no space"), "IOException: IO Error: no space"),
        (MemoryError(), "no memory is left; end other programs, or give this one more"),
        (Stop("in Rust"), "Stop: in Rust"),
        (SystemExit(0), "SystemExit: 0"),
    ],
)
@pytest.mark.parametrize("place", ["make", "gather_inputs", "product_lock"])
def test_whatever_a_product_raises_is_its_recorded_failure(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, place: str, error: BaseException, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, place, fail)
    product = small.product("shop")
    assert check_due(small.config, product, BuildRequest()).outcome is None
    outcome = small.build("shop")
    trace = Runs(small.config.storage).folder("shop", Runs(small.config.storage).ids("shop")[0]) / "error.txt"
    assert (outcome.status, outcome.message) == ("failed", f"{message}\ntraceback: {trace}")
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert (record.status, record.message) == ("failed", outcome.message)


def test_an_interrupt_is_no_failure(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "make", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small.build("shop")


def test_a_failure_whose_record_cannot_be_written_is_returned(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("not JSON")

    monkeypatch.setattr(module.index, "update", fail)
    outcome = small.build("shop")
    assert (outcome.status, outcome.message) == ("published", "the record of this run could not be written: not JSON")


@pytest.mark.parametrize("change", ["cut", "flipped"])
def test_a_damaged_snapshot_is_neither_up_to_date_nor_read_by_consumers(small: SmallMesh, change: str) -> None:
    small.publish("shop")
    small.publish("plan")
    snapshot = small.store.current("shop")
    assert snapshot
    path = snapshot.paths("totals")[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content if change == "flipped" else content[:-1])
    for name in ("shop", "plan"):
        outcome = small.build(name)
        assert (outcome.status, outcome.version) == ("failed", None)
        assert outcome.message.startswith(f"snapshot {snapshot.version} of 'shop' is damaged: ")
    assert small.build("shop", force=True).status == "published"
    assert small.build("plan").status == "up to date"


def test_a_build_whose_record_cannot_be_written_is_published(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Runs, "save", full)
    outcome = small.build("shop")
    assert (outcome.status, outcome.message) == (
        "published",
        "the record of this run could not be written: no space is left on the disk; free some, for instance with "
        "`kit prune --keep 1`",
    )


def test_options_of_a_contract_are_audited(small: SmallMesh) -> None:
    path = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(path.read_text())
    options: list[dict[str, Any]] = [
        {"exclusiveMinimum": 0, "multipleOf": 1, "format": "i32"},
        {"format": "hostname"},
        {"minimum": 0, "multipleOf": 0.5},
        {"exclusiveMinimum": "2023-12-31", "format": "yyyy-MM-dd"},
    ]
    for column, added in zip(data["schema"][0]["properties"], options, strict=True):
        column["logicalTypeOptions"] = added
    path.write_text(json.dumps(data))
    sync(small.context)
    assert small.build("shop").status == "published"
    options[1]["format"], options[2]["multipleOf"] = "email", 0.4
    path.write_text(json.dumps(data))
    sync(small.context)
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert {check.rule for check in outcome.checks if check.blocks} == {
        "item has the format email",
        "amount is a multiple of 0.4",
    }
