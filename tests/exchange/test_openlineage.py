import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.build.plan import BuildRequest
from kit.contracts.check import Check
from kit.dbt.renderer import RenderedProject, _renderings
from kit.exchange.openlineage import SECONDS, OpenLineage
from kit.exchange.openlineage_spool import EventFile
from kit.mesh.mesh import Mesh
from kit.storage.runs import BuildStatus, RunRecord, Runs
from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.lineage_events import all_facets, faults
from tests.support.receiver import Receiver, receiving
from tests.support.small_mesh import SALES, SmallMesh

DAGSTER = "0b7fa3a4-6a3e-4b3c-9f0a-3b1d2c4e5f60"
Events = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as server:
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        yield server


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SmallMesh:
    """A mesh whose items are personal, built once: every event of it, and a model with values and a comment in its SQL."""
    small = SmallMesh(tmp_path_factory.mktemp("built"))
    small.personal_items()
    small.replace(
        "domains/shop/models/marts/totals.sql",
        "group by",
        "where item not in ('Jane Roe', 'pie') /* not tea */ and amount < 4711 group by",
    )
    small.replace("domains/shop/product.odps.yaml", '"status"', '"tags": ["retail"], "status"')
    for name in ("shop", "plan"):
        outcome = small.build(name, dagster_run=DAGSTER)
        assert outcome.status == "published", outcome.message
        assert outcome.message == ""
    return small


def events(small: SmallMesh, product: str, run_id: str = "") -> Events:
    """The events of a run, by default of the last one."""
    run_id = run_id or Runs(small.config.storage).ids(product)[0]
    return EventFile(small.config, product, run_id).read()


def kinds(found: Events) -> list[tuple[str, str]]:
    return [(event["eventType"], event["job"]["name"]) for event in found]


def facet(found: Events, kind: str, job: str) -> dict[str, Any]:
    """All facets of one event by place and name."""
    (event,) = [event for event in found if (event["eventType"], event["job"]["name"]) == (kind, job)]
    return {f"{place} {name}": value for place, name, value in all_facets(event)}


def test_every_event_is_valid_by_the_specification(built: SmallMesh) -> None:
    every = events(built, "shop") + events(built, "plan")
    assert len(every) == 16
    assert [(event["job"]["name"], found) for event in every if (found := faults(event))] == []


def test_the_judge_sees_a_wrong_event(built: SmallMesh) -> None:
    (event, *_) = events(built, "shop")
    assert faults({**event, "eventTime": "2024-01-01 10:00:00"})
    assert faults({**event, "eventType": "DONE"})
    assert faults({**event, "run": {**event["run"], "runId": "7"}})
    wrong = {name: value for name, value in event["job"]["facets"]["jobType"].items() if name != "integration"}
    assert faults({**event, "job": {**event["job"], "facets": {"jobType": wrong}}})


def test_a_build_begins_with_its_product_and_ends_with_it(built: SmallMesh) -> None:
    assert kinds(events(built, "shop")) == [
        ("START", "shop"), ("START", "shop.raw.sales"), ("START", "shop.sales"), ("START", "shop.totals"),
        ("START", "shop-audit"),
        ("COMPLETE", "shop.raw.sales"), ("COMPLETE", "shop.sales"), ("COMPLETE", "shop.totals"), ("COMPLETE", "shop-audit"),
        ("COMPLETE", "shop"),
    ]  # fmt: skip
    assert kinds(events(built, "plan"))[3:] == [
        ("COMPLETE", "plan.forecast"), ("COMPLETE", "plan-audit"), ("COMPLETE", "plan"),
    ]  # fmt: skip


def test_the_tables_of_all_products_are_one_graph(built: SmallMesh) -> None:
    edges = {
        (source["name"], event["job"]["name"], target["name"])
        for event in events(built, "shop") + events(built, "plan")
        if event["eventType"] == "COMPLETE"
        for source in event["inputs"]
        for target in event["outputs"]
    }
    assert edges == {
        (str(built.feed), "shop.raw.sales", "shop.raw.sales"),
        ("shop.raw.sales", "shop.sales", "shop.sales"),
        ("shop.sales", "shop.totals", "shop.totals"),
        ("shop.totals", "plan.forecast", "plan.forecast"),
    }
    spaces = {item["namespace"] for event in events(built, "plan") for item in [*event["inputs"], *event["outputs"]]}
    assert spaces == {"default"}


def test_the_facets_of_a_model(built: SmallMesh) -> None:
    found = facet(events(built, "shop"), "COMPLETE", "shop.totals")
    assert sorted(found) == sorted([
        "run nominalTime", "run processing_engine", "run parent",
        "job jobType", "job documentation", "job ownership", "job sourceCodeLocation", "job sql",
        "inputs shop.sales facets schema", "inputs shop.sales facets version",
        *(f"outputs shop.totals facets {name}" for name in (
            "schema", "documentation", "ownership", "version", "storage", "columnLineage", "dataQualityMetrics", "tags",
        )),
        "outputs shop.totals outputFacets outputStatistics",
    ])  # fmt: skip
    version = built.store.read_pointer("shop")
    assert version is not None
    own = {name: value for name, value in found.items() if name.startswith("outputs")}
    plain = {
        name.removeprefix("outputs shop.totals facets "): {key: item for key, item in value.items() if key[0] != "_"}
        for name, value in own.items()
    }
    assert plain["schema"]["fields"][0] == {"name": "item", "type": "varchar", "description": "the item"}
    assert plain["version"] == {"datasetVersion": version.version}
    assert plain["storage"] == {"storageLayer": "file", "fileFormat": "parquet"}
    assert plain["ownership"] == {"owners": [{"name": "o@example.com", "type": "OWNER"}]}
    origin = {"namespace": "default", "name": "shop.sales", "field": "amount"}
    assert plain["columnLineage"]["fields"]["amount"] == {
        "inputFields": [{**origin, "transformations": [{"type": "DIRECT", "masking": False}]}]
    }
    assert plain["dataQualityMetrics"]["rowCount"] == 2
    assert plain["dataQualityMetrics"]["columnMetrics"] == {
        "item": {"nullCount": 0}, "amount": {"nullCount": 0, "min": 170.0, "max": 310.0},
    }  # fmt: skip
    assert {"key": "classification", "value": "personal", "source": "contract", "field": "item"} in plain["tags"]["tags"]
    assert found["job jobType"]["integration"] == "DBT"
    assert found["job sourceCodeLocation"]["path"] == "domains/shop/models/marts/totals.sql"


def test_the_facets_of_the_other_jobs(built: SmallMesh) -> None:
    shop, plan = events(built, "shop"), events(built, "plan")
    types = {
        event["job"]["name"]: tuple(event["job"]["facets"]["jobType"][key] for key in ("integration", "jobType"))
        for event in shop + plan
    }
    assert types == {
        "shop": ("KIT", "BUILD"), "shop.raw.sales": ("KIT", "INGEST"), "shop.sales": ("DBT", "MODEL"),
        "shop.totals": ("DBT", "MODEL"), "shop-audit": ("GREAT_EXPECTATIONS", "TEST"),
        "plan": ("KIT", "BUILD"), "plan.forecast": ("PAPERMILL", "NOTEBOOK"), "plan-audit": ("GREAT_EXPECTATIONS", "TEST"),
    }  # fmt: skip
    landed = facet(shop, "COMPLETE", "shop.raw.sales")
    manifest = built.store.snapshot("shop", str(built.store.current("shop").version)).manifest  # type: ignore[union-attr]
    assert landed["outputs shop.raw.sales facets version"]["datasetVersion"] == manifest["sources"]["sales"]["digest"]
    assert landed["outputs shop.raw.sales outputFacets outputStatistics"]["rowCount"] == 30
    assert landed["job sourceCodeLocation"]["path"] == "domains/shop/ingest.py"
    audit = facet(shop, "COMPLETE", "shop-audit")
    assertions = audit["inputs shop.totals inputFacets dataQualityAssertions"]["assertions"]
    assert all(item["success"] for item in assertions)
    assert {"amount is required", "unit test adds"} <= {item["name"] for item in assertions}
    assert facet(shop, "START", "shop")["job tags"]["tags"] == [{"key": "retail", "value": "true", "source": "contract"}]
    pinned = facet(plan, "COMPLETE", "plan.forecast")["inputs shop.totals facets version"]["datasetVersion"]
    assert pinned == manifest["version"]


def test_the_parents_are_the_product_and_the_run_of_dagster(built: SmallMesh) -> None:
    found = events(built, "shop")
    product = facet(found, "COMPLETE", "shop")["run parent"]
    part = facet(found, "COMPLETE", "shop.sales")["run parent"]
    dagster = {"run": {"runId": DAGSTER}, "job": {"namespace": "default", "name": "dagster"}}
    assert (product["run"], product["job"], product["root"]) == (dagster["run"], dagster["job"], dagster)
    assert part["run"]["runId"] == found[0]["run"]["runId"]
    assert part["root"] == dagster


def test_no_value_of_a_hidden_column_and_no_literal_leaves(built: SmallMesh) -> None:
    text = "\n".join(path.read_text() for path in built.config.storage.glob("runs/*/*/openlineage.jsonl"))
    assert [word for word in ("tea", "cake", "Jane", "Roe", "pie", "4711") if word in text.replace("1\u202f", "")] == []
    query = facet(events(built, "shop"), "COMPLETE", "shop.totals")["job sql"]["query"]
    assert query == (
        'select item, sum(amount)::decimal(18,2) as amount from "sales" where item not in (?, ?) and amount < ? '
        "group by item order by item"
    )


def test_a_build_with_nothing_to_do_has_no_events(built: SmallMesh) -> None:
    before = len(EventFile.all(built.config))
    assert built.build("plan").status == "up to date"
    assert len(EventFile.all(built.config)) == before


def test_a_source_that_cannot_be_read_fails_with_its_product(small: SmallMesh) -> None:
    small.feed.write_text("id\n")
    assert small.build("shop").failed
    found = events(small, "shop")
    assert kinds(found) == [("START", "shop"), ("START", "shop.raw.sales"), ("FAIL", "shop.raw.sales"), ("FAIL", "shop")]
    assert [fault for event in found for fault in faults(event)] == []
    error = facet(found, "FAIL", "shop")["run errorMessage"]
    assert error["message"].startswith("shop.raw.sales: sales.csv: 'sale_id'")


def test_a_failed_check_fails_the_audit_and_ends_the_rest(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "sum(amount)", "sum(amount) + 1")
    assert small.build("shop").failed
    found = events(small, "shop")
    assert kinds(found)[5:] == [
        ("ABORT", "shop.raw.sales"), ("ABORT", "shop.sales"), ("FAIL", "shop.totals"), ("FAIL", "shop-audit"), ("FAIL", "shop"),
    ]  # fmt: skip
    assert [fault for event in found for fault in faults(event)] == []
    assertions = facet(found, "FAIL", "shop-audit")["inputs shop.totals inputFacets dataQualityAssertions"]["assertions"]
    assert [item["name"] for item in assertions if not item["success"]] == ["unit test adds"]


def test_a_model_that_fails_is_the_one_at_fault(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/sales.sql", "order by", "where sold_on > error('late')::date order by")
    assert small.build("shop").failed
    found = events(small, "shop")
    assert [pair for pair in kinds(found) if pair[0] == "FAIL"] == [("FAIL", "shop.sales"), ("FAIL", "shop")]
    assert facet(found, "FAIL", "shop.sales")["run errorMessage"]["programmingLanguage"] == "SQL"


# Without a build: a listener hears what builds say.

RUNS = ["20240110T060000Z-000001", "20240110T060000Z-000002", "20240110T060000Z-000003"]


def begin(small: SmallMesh, run_id: str = RUNS[0], product: str = "shop") -> None:
    OpenLineage().started(small.config, small.product(product), run_id, BuildRequest())


def end(small: SmallMesh, run_id: str = RUNS[0], status: str = "failed", **more: Any) -> RunRecord:
    at = datetime(2024, 1, 10, 6, 0, 5, tzinfo=UTC)
    record = RunRecord(run_id, "shop", BuildStatus(status), at, at, message="the disk is full")
    record = replace(record, **more)
    OpenLineage().finished(small.config, small.product("shop"), record, None)
    return record


def test_a_build_that_was_stopped_is_aborted(small: SmallMesh) -> None:
    begin(small)
    end(small, status="canceled")
    assert {kind for kind, _ in kinds(events(small, "shop", RUNS[0]))} == {"START", "ABORT"}
    assert EventFile.waiting(small.config) == []


def test_the_run_of_a_killed_build_is_aborted_by_the_next_process(small: SmallMesh) -> None:
    runs = Runs(small.config.storage)
    with runs.running("shop", RUNS[0]):
        begin(small)
        begin(small, RUNS[1], "plan")
        assert ("ABORT", "shop") not in kinds(events(small, "shop", RUNS[0]))  # it is alive
    begin(small, RUNS[2], "plan")
    found = events(small, "shop", RUNS[0])
    assert kinds(found)[5:] == [
        ("ABORT", "shop.raw.sales"), ("ABORT", "shop.sales"), ("ABORT", "shop.totals"), ("ABORT", "shop-audit"),
        ("ABORT", "shop"),
    ]  # fmt: skip
    assert [fault for event in found for fault in faults(event)] == []
    assert [event["run"]["runId"] for event in found[:5]] == [found[9]["run"]["runId"]] + [
        event["run"]["runId"] for event in found[5:9]
    ]
    begin(small, RUNS[2], "plan")
    assert len(events(small, "shop", RUNS[0])) == 10


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_builds(small: SmallMesh) -> None:
    code = (
        "import os, signal, sys\nfrom kit.build import build, Progress\nfrom kit.mesh import Context\n"
        "def die(name):\n    if name == 'staging ready': os.kill(os.getpid(), 9)\n"
        "context = Context.load()\nbuild(context.config, context.mesh.product('shop'), progress=Progress(step=die))\n"
    )
    small.write_suites("shop")
    done = subprocess.run([sys.executable, "-c", code], cwd=small.root, timeout=HANG, preexec_fn=end_with_parent, check=False)
    assert done.returncode == -signal.SIGKILL
    (killed,) = Runs(small.config.storage).ids("shop")
    assert {kind for kind, _ in kinds(events(small, "shop", killed))} == {"START"}
    assert small.build("shop").status == "published"
    assert [kind for kind, _ in kinds(events(small, "shop", killed))] == ["START"] * 5 + ["ABORT"] * 5
    assert EventFile.waiting(small.config) == []


def test_a_build_that_was_killed_after_it_published_is_complete(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    assert snapshot is not None
    file = EventFile(small.config, "shop", str(snapshot.manifest["run_id"]))
    lines = file.path.read_text().splitlines(keepends=True)
    file.path.write_text("".join(lines[:5]))
    file.marker.parent.mkdir(exist_ok=True)
    file.marker.write_text("0")
    begin(small, RUNS[1], "plan")
    again = file.read()
    assert kinds(again)[5:] == [("COMPLETE", json.loads(line)["job"]["name"]) for line in lines[5:]]
    assert [event["run"]["runId"] for event in again] == [json.loads(line)["run"]["runId"] for line in lines]


def test_a_disabled_client_writes_nothing(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "True")
    begin(small)
    end(small)
    assert EventFile.all(small.config) == []


def test_a_secret_is_in_no_event(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "open-sesame-17")
    begin(small)
    end(small, message="the source refused open-sesame-17")
    text = EventFile(small.config, "shop", RUNS[0]).path.read_text()
    assert "open-sesame-17" not in text
    assert "the source refused [SHOP_PASSWORD]" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "condition",
    [
        "item::integer = 1",  # DuckDB repeats the value
        "length(item) > 4 and error(item || ' of ' || '{{ env_var(\"SHOP_PASSWORD\") }}') is null",
        "item = 'Jane Roe' and amount < '4711x'::integer",
    ],
)
def test_a_build_that_fails_by_a_value_has_it_in_no_event(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "open-sesame-17")
    small.personal_items()
    small.feed_rows([*SALES, "99,John Doe,9.50,2024-01-09"])
    for path in ("sources", "contracts"):  # whatever the item
        file = small.domains / f"shop/{path}/sales.odcs.yaml"
        data = json.loads(file.read_text())
        data["schema"][0]["properties"][1].pop("quality", None)
        file.write_text(json.dumps(data))
    small.replace("domains/shop/models/marts/totals.sql", "group by", f"where {condition} group by")
    file = small.domains / "shop/models/marts/sales.yml"
    file.write_text(file.read_text().partition("unit_tests:")[0])  # their values are invented
    assert small.build("shop").failed
    found = events(small, "shop")
    assert ("FAIL", "shop") in kinds(found)
    assert [fault for event in found for fault in faults(event)] == []
    text = "\n".join(path.read_text() for path in small.config.storage.rglob("*.jsonl"))
    assert [word for word in ("John", "Jane", "tea", "cake", "open-sesame", "4711") if re.search(rf"\b{word}", text)] == []


def test_a_rule_that_lists_values_of_a_hidden_column_is_named_by_its_kind(small: SmallMesh) -> None:
    file = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(file.read_text())
    data["schema"][0]["properties"][1] |= {"classification": "personal"}
    file.write_text(json.dumps(data))
    begin(small)
    rule = "known values: item is one of 2 values"
    checks = (
        Check("sales", rule, "contract", False, observed="masked"),
        Check("sales", 'item: accepted_values {"values": ["Jane"]}', "dbt", True),
    )
    end(small, checks=checks)
    found = facet(events(small, "shop", RUNS[0]), "FAIL", "shop-audit")
    names = [item["name"] for item in found["inputs shop.sales inputFacets dataQualityAssertions"]["assertions"]]
    assert names == ["item: expect_column_values_to_be_in_set", "item: accepted_values"]


# With a server


def test_events_are_sent_once_and_in_order(small: SmallMesh, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "key-of-the-server")
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "our-mesh")
    begin(small)
    assert len(receiver.requests) == 5
    end(small)
    assert receiver.values == events(small, "shop", RUNS[0])
    assert {(item.method, item.path, item.token) for item in receiver.requests} == {
        ("POST", "/api/v1/lineage", "key-of-the-server")
    }
    assert {value["job"]["namespace"] for value in receiver.values} == {"our-mesh"}
    assert EventFile.waiting(small.config) == []


@pytest.mark.parametrize("answer", [500, 503, 429, 401, 404, 302, 0])
def test_a_server_that_does_not_take_them_costs_a_line(small: SmallMesh, receiver: Receiver, answer: int) -> None:
    receiver.answers = [answer] * 2
    receiver.headers = {"Location": f"{receiver.url}/elsewhere"}
    begin(small)
    with pytest.raises(Exception, match=r"10 events wait for http://127\.0\.0\.1:\d+/api/v1/lineage: .*; the next build sends"):
        end(small)
    assert len(receiver.requests) == 2  # it is not asked again and again
    end(small, RUNS[1])
    assert receiver.values[2:] == events(small, "shop", RUNS[0]) + events(small, "shop", RUNS[1])
    assert EventFile.waiting(small.config) == []


def test_an_event_that_a_server_refuses_holds_up_no_other(small: SmallMesh, receiver: Receiver) -> None:
    receiver.answers = [200, 422]
    begin(small)
    end(small)
    assert len(receiver.requests) == 10
    assert EventFile.waiting(small.config) == []


def test_a_server_that_is_down_costs_a_build_one_line(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as gone:
        pass
    monkeypatch.setenv("OPENLINEAGE_URL", gone.url)
    outcome = small.build("shop")
    assert outcome.status == "published"
    assert outcome.message == (
        f"openlineage: 10 events wait for {gone.url}/api/v1/lineage: connection refused; the next build sends them"
    )
    with receiving() as back:
        monkeypatch.setenv("OPENLINEAGE_URL", back.url)
        assert small.build("shop", force=True).message == ""
        first, second = reversed(Runs(small.config.storage).ids("shop"))
        assert back.values == events(small, "shop", first) + events(small, "shop", second)


def test_a_slow_server_costs_a_build_a_few_seconds(
    small: SmallMesh, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.exchange.openlineage.SECONDS", 0.4)
    receiver.seconds = 3
    begin(small)
    clock = datetime.now(UTC)
    with pytest.raises(Exception, match=r"10 events wait for .*: no answer in 0\.4 s"):
        end(small)
    assert (datetime.now(UTC) - clock).total_seconds() < 2.5
    assert SECONDS <= 5


def test_the_start_waits_for_no_server_that_was_down_before(small: SmallMesh, receiver: Receiver) -> None:
    receiver.answers = [500, 500]
    begin(small)
    with pytest.raises(Exception, match="10 events wait"):
        end(small)
    begin(small, RUNS[1])
    assert len(receiver.requests) == 2
    end(small, RUNS[1])
    assert len(receiver.requests) == 22


def test_events_of_a_run_that_retention_removed_do_not_wait(small: SmallMesh, receiver: Receiver) -> None:
    receiver.answers = [500] * 2
    begin(small)
    with pytest.raises(Exception, match="10 events wait"):
        end(small)
    path: Path = EventFile(small.config, "shop", RUNS[0]).path
    path.unlink()
    end(small, RUNS[1])
    assert receiver.values[2:] == events(small, "shop", RUNS[1])
    assert EventFile.waiting(small.config) == []


def test_a_build_reads_its_mesh_and_its_sql_once_for_all_events(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    product, current = small.product("shop"), small.store.current("shop")
    assert current is not None
    loads, renderings = [], []
    load, render = Mesh.load, RenderedProject.statements
    monkeypatch.setattr(Mesh, "load", lambda *places: loads.append(places) or load(*places))
    monkeypatch.setattr(RenderedProject, "statements", lambda self: renderings.append(self.product.name) or render(self))
    _renderings.clear()
    listener, run_id = OpenLineage(), current.manifest["run_id"]
    listener.started(small.config, product, run_id, BuildRequest())
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    listener.finished(small.config, product, replace(record, run_id=run_id, version=current.version), None)
    assert [kind for kind, _ in kinds(events(small, "shop", run_id))].count("COMPLETE") > 1
    assert (len(loads), renderings) == (1, ["shop"])
