"""`kit dev` for real: web server, daemon and code server over a small mesh."""

import getpass
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from kit.core.processes import listens
from kit.orchestration.dev_server import place
from kit.orchestration.instance import instance
from tests.support.dev_server import DevServer, dev_server
from tests.support.limits import HANG
from tests.support.orchestration import declare
from tests.support.plan import write_plan
from tests.support.small_mesh import SmallMesh

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallMesh, DevServer]]:
    """A small mesh, built, with `kit dev` over it."""
    small = SmallMesh(tmp_path_factory.mktemp("small"))
    leave_plan_alone(small)
    small.kit("run", "shop", check=True)
    with dev_server(small.root) as server:
        yield small, server


def leave_plan_alone(small: SmallMesh) -> None:
    """Put `plan` on a schedule far away, so that nobody but the test builds it."""
    declare(small, "plan", "schedule", "0 0 29 2 1")


SLEEP = ["import time\nfrom pathlib import Path\nPath('asleep').touch()\ntime.sleep(600)"]


def test_a_click_in_the_web_ui_builds_and_is_recorded_like_a_run_of_the_command(
    small_dev: tuple[SmallMesh, DevServer],
) -> None:
    small, server = small_dev
    run_id = server.launch("plan.forecast", config={"ops": {"build_plan": {"config": {"parameters": {"factor": 3.0}}}}})
    server.wait_for(lambda: server.status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"))
    assert server.status(run_id) == "SUCCESS"
    runs = server.query("{ runsOrError { ... on Runs { results { runId status assetSelection { path } } } } }")
    assert len(runs["runsOrError"]["results"]) == 2
    nodes = server.query(
        "{ assetNodes { assetKey { path } groupName assetMaterializations(limit: 1) { metadataEntries { label } } } }"
    )["assetNodes"]
    made = {".".join(node["assetKey"]["path"]): node["assetMaterializations"] for node in nodes}
    assert set(made) == {"shop.raw.sales", "shop.sales", "shop.totals", "plan.forecast"}
    assert all(made.values())
    assert "executed notebook forecast" in {entry["label"] for entry in made["plan.forecast"][0]["metadataEntries"]}
    manifest = small.store.current("plan")
    assert manifest is not None
    assert manifest.manifest["parameters"] == {"forecast": {"factor": 3.0}}
    assert small.kit("run", "-p", "factor=3.0", check=True).stdout.count("up to date") == 2
    log = server.query(
        """query Log($id: ID!) { logsForRun(runId: $id) { ... on EventConnection {
             events { ... on MessageEvent { message } } } } }""",
        id=run_id,
    )
    messages = [event["message"] for event in log["logsForRun"]["events"]]
    assert [text for text in messages if "did not yield" in text] == []
    assert (small.config.storage / "dagster/dev/code.log").read_text() == ""  # the history has all events
    shown = server.query(
        """query Launchpad($selector: PipelineSelector!) { runConfigSchemaOrError(selector: $selector) {
             ... on RunConfigSchema { rootDefaultYaml } } }""",
        selector={
            "pipelineName": "__ASSET_JOB", "repositoryName": "__repository__", "repositoryLocationName": "mesh",
            "assetSelection": [{"path": ["plan", "forecast"]}],
        },
    )["runConfigSchemaOrError"]["rootDefaultYaml"]  # fmt: skip
    assert "force: false" in shown
    assert "factor: 2.0" in shown
    lineage = server.query(
        """{ assetNodeOrError(assetKey: {path: ["shop", "totals"]}) { ... on AssetNode { assetMaterializations(limit: 1) {
             metadataEntries { ... on TableColumnLineageMetadataEntry {
               lineage { columnName columnDeps { columnName assetKey { path } } } } } } } } }"""
    )["assetNodeOrError"]["assetMaterializations"][0]["metadataEntries"]
    (columns,) = (entry["lineage"] for entry in lineage if entry)
    assert {item["columnName"]: item["columnDeps"] for item in columns} == {
        name: [{"columnName": name, "assetKey": {"path": ["shop", "sales"]}}] for name in ("item", "amount")
    }


def test_a_run_of_a_command_is_shown_like_those_of_the_web_ui(small_dev: tuple[SmallMesh, DevServer]) -> None:
    _, server = small_dev
    run = RUN_OF_COMMAND | {"tags": {"user": getpass.getuser(), "kit/started_in": "terminal", "kit/command": "kit run shop"}}
    assert recorded(server)[0] == run
    again = server.query(
        """mutation Again($id: String!) {
             launchPipelineReexecution(reexecutionParams: {parentRunId: $id, strategy: ALL_STEPS}) {
             __typename ... on LaunchRunSuccess { run { runId } } } }""",
        id=server.query("{ runsOrError { ... on Runs { results { runId } } } }")["runsOrError"]["results"][-1]["runId"],
    )["launchPipelineReexecution"]  # fmt: skip
    assert again["__typename"] == "LaunchRunSuccess"
    run_id = again["run"]["runId"]
    server.wait_for(lambda: server.status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"))
    tags = [run["tags"] for run in recorded(server)]
    assert [(each["kit/started_in"], each["kit/command"].partition(" of ")[0]) for each in tags if "kit/command" in each] == [
        ("terminal", "kit run shop"), ("Dagster", "re-execution")
    ]  # fmt: skip


RUN_OF_COMMAND = {
    "status": "SUCCESS",
    "pipelineName": "__ASSET_JOB",
    "assetSelection": ["shop.raw.sales", "shop.sales", "shop.totals"],
    "repositoryOrigin": {"repositoryName": "__repository__", "repositoryLocationName": "mesh"},
}


def recorded(server: DevServer) -> list[dict[str, Any]]:
    """Runs, oldest first, with what the list of runs and their timeline show: both leave out runs without an origin."""
    runs = server.query(
        """{ runsOrError { ... on Runs { results { status pipelineName assetSelection { path } tags { key value }
             repositoryOrigin { repositoryName repositoryLocationName } } } } }"""
    )["runsOrError"]["results"]
    return [
        run | {
            "assetSelection": sorted(".".join(key["path"]) for key in run["assetSelection"]),
            "tags": {tag["key"]: tag["value"] for tag in run["tags"] if "dagster/" not in tag["key"]},
        }
        for run in reversed(runs)
    ]  # fmt: skip


@pytest.mark.parametrize("builds_at_once", ["1", "2"])
def test_a_run_of_a_command_that_is_terminated_in_the_web_ui_ends_with_its_command(
    small_dev: tuple[SmallMesh, DevServer], builds_at_once: str
) -> None:
    small, server = small_dev
    before, asleep = small.store.read_pointer("plan"), small.domains / "plan" / "notebooks" / "asleep"
    forecast = small.domains / "plan" / "notebooks" / "forecast.ipynb"
    original = forecast.read_bytes()
    small.notebook("plan", "forecast", SLEEP)
    command = subprocess.Popen(
        [sys.executable, "-m", "kit", "run", "--force", "--no-worker"], cwd=small.root, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "KIT_PARALLEL_BUILDS": builds_at_once},
    )  # fmt: skip
    try:
        server.wait_for(asleep.exists)
        run_id = server.query("{ runsOrError(limit: 1) { ... on Runs { results { runId } } } }")["runsOrError"]["results"][0][
            "runId"
        ]
        server.terminate(run_id, "SAFE_TERMINATE")
        _, said = command.communicate(timeout=HANG)
    finally:
        command.kill()
        forecast.write_bytes(original)
        asleep.unlink()
    assert (command.returncode, said) == (130, "ended in Dagster; readers keep the snapshots they had\n")
    server.wait_for(lambda: server.status(run_id) == "CANCELED")
    assert small.store.read_pointer("plan") == before


def test_a_run_started_before_a_broken_file_was_loaded_says_file_and_line(small_dev: tuple[SmallMesh, DevServer]) -> None:
    small, server = small_dev
    contract = small.domains / "shop/contracts/sales.odcs.yaml"
    good = contract.read_text()
    contract.write_text(good.replace('"bigint"', '"bigger"'))
    try:
        run_id = server.launch("shop.raw.sales", "shop.sales", config={"ops": {"build_shop": {"config": {"force": True}}}})
        server.wait_for(lambda: server.status(run_id) == "FAILURE")
    finally:
        contract.write_text(good)
    answer = server.query(
        """query Log($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { __typename
             ... on ExecutionStepFailureEvent { stepKey error { message } failureMetadata { description } } } } } }""",
        id=run_id,
    )
    failures = [event for event in answer["logsForRun"]["events"] if event["__typename"] == "ExecutionStepFailureEvent"]
    assert [failure["stepKey"] for failure in failures] == ["build_shop"]
    assert re.search(r"domains/shop/contracts/sales.odcs.yaml:\d+: schema\S+ 'bigger' is not a column type", str(failures))


def test_the_daemon_builds_missing_products_and_all_processes_end_together(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", SLEEP)
    with dev_server(small.root) as server:
        asleep = small.domains / "plan" / "notebooks" / "asleep"
        server.wait_for(asleep.exists, seconds=240)  # first shop, then plan, which reads it
        assert small.store.read_pointer("shop") is not None
        family = server.family()
        assert len(family) >= 7  # itself, code server and its worker, web server, daemon, run, kernel
        server.process.send_signal(signal.SIGTERM)
        out, err = server.process.communicate(timeout=HANG)
        assert (server.process.returncode, err) == (0, "")
        assert out.rstrip().endswith("stopped")
        psutil.wait_procs(family, timeout=HANG)
        assert [process for process in family if process.is_running()] == []
    assert not listens(socket.AF_INET, ("127.0.0.1", int(server.address.rpartition(":")[2])))


@pytest.mark.heavy
def test_after_everything_was_killed_no_run_and_no_slot_stays_taken(small: SmallMesh) -> None:
    leave_plan_alone(small)
    small.publish("shop")
    notebook = small.notebook("plan", "forecast", SLEEP)
    with dev_server(small.root) as server:
        run_id = server.launch("plan.forecast")
        server.wait_for((small.domains / "plan" / "notebooks" / "asleep").exists)
        for process in server.family():
            process.kill()
        server.process.communicate()
    with instance(small.config) as opened:  # opening it clears it
        run = opened.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.CANCELED
        assert opened.event_log_storage.get_concurrency_info("plan").active_run_ids == set()
    notebook.unlink()
    write_plan(small.domains / "plan")
    leave_plan_alone(small)
    with dev_server(small.root) as server:
        again = server.launch("plan.forecast")
        server.wait_for(lambda: server.status(again) == "SUCCESS", seconds=HANG)


def test_a_second_instance_is_refused(small_dev: tuple[SmallMesh, DevServer]) -> None:
    small, server = small_dev
    second = small.kit("dev")
    assert second.returncode == 1
    assert second.stderr.startswith(
        f"error: Dagster runs already for this mesh at {server.address} "
        f"(process {server.process.pid} of {getpass.getuser()} since "
    )
    assert second.stderr.endswith(f", started in {small.root}); stop it first\n")
    assert place(small.config).address == server.address


def test_a_mesh_that_cannot_be_loaded_ends_with_the_reason(small: SmallMesh) -> None:
    done = small.kit("dev", KIT_AS_OF="never")
    assert done.returncode == 1
    assert done.stderr.strip() == "error: the environment variable KIT_AS_OF is 'never'; it must be a date such as 2018-01-01"


def test_the_guard_protects_the_real_server(small_dev: tuple[SmallMesh, DevServer]) -> None:
    _, server = small_dev
    assert answer(server, "/")[0] == 200  # it leads to the web UI
    assert answer(server, "/dagster/graphql?query={version}") == (405, "GraphQL takes POST requests of JSON only\n")
    mutation = "/dagster/graphql?query=mutation{wipeAssets(assetPartitionRanges:[]){__typename}}"
    assert answer(server, mutation)[0] == 405
    assert answer(server, "/", host="mesh.example.com")[0] == 403
    assert answer(server, "/dagster/server_info", origin="http://evil.example.com")[0] == 403
    assert (
        answer(
            server, "/dagster/graphql", b'{"query": "{version}"}', origin="http://evil.example.com", kind="application/json"
        )[0]
        == 403
    )
    assert answer(server, "/dagster/graphql?query={version}", b"", kind="text/plain")[0] == 415
    query, kind = b'{"query": "{version}"}', "application/json"
    assert answer(server, "/dagster/graphql", query, origin="http://evil.example.com", kind=kind)[0] == 403
    assert answer(server, "/dagster/graphql?query={version}", b"", kind="text/plain")[0] == 415
    assert answer(server, "/dagster/graphql", query, origin=server.address, kind=kind)[0] == 200


def answer(
    server: DevServer, path: str, body: bytes | None = None, *, host: str = "", origin: str = "", kind: str = ""
) -> tuple[int, str]:
    given = {"host": host, "origin": origin, "content-type": kind}
    request = urllib.request.Request(f"{server.address}{path}", body, {name: value for name, value in given.items() if value})
    try:
        with urllib.request.urlopen(request, timeout=HANG) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.heavy
def test_ten_new_homes_are_opened_by_all_servers_at_once(tmp_path: Path) -> None:
    """Web server and daemon, started together on a home that nobody has opened yet, must find it whole."""

    def start(number: int) -> list[str]:
        root = tmp_path / str(number)
        (root / "domains").mkdir(parents=True)  # no domain at all: only the servers matter here
        (root / "pyproject.toml").write_text('[tool.kit]\nstorage = "state"\n')
        with dev_server(root) as server:
            beats = "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } } }"

            def beating() -> bool:
                found = server.query(beats)["instance"]["daemonHealth"]["allDaemonStatuses"]
                return all(daemon["healthy"] for daemon in found if daemon["required"])

            server.wait_for(beating, seconds=HANG)
        logs = root / "state" / "dagster" / "dev"
        return [line for path in sorted(logs.glob("*.log")) for line in path.read_text().splitlines()]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(start, range(10))) == [[]] * 10
