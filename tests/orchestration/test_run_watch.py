"""Runs of a real `kit dev`, terminated in its web UI wherever they are: they end at once and publish nothing."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from kit.orchestration.instance import instance
from kit.orchestration.run_watch import RunWatch
from kit.storage.runs import Runs
from tests.support.builds import dbt_targets
from tests.support.dev_server import DevServer, dev_server
from tests.support.files import write
from tests.support.limits import HANG
from tests.support.orchestration import declare
from tests.support.plan import FORECAST
from tests.support.small_mesh import SmallMesh

SECONDS = 15
"""The longest that a terminated run may take to end; each of them would last for minutes."""


def test_a_run_is_canceled_when_it_is_canceling_over_or_deleted(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        run = opened.create_run_for_job(dg.Definitions(assets=[dg.asset(lambda: 1, name="a")]).resolve_job_def("__ASSET_JOB"))
        watch = RunWatch(opened, run.run_id)
        assert not watch.canceled()
        opened.report_run_canceling(run)
        assert watch.canceled()
        opened.report_run_canceled(run)
        assert watch.canceled()
        opened.delete_run(run.run_id)
        assert watch.canceled()


def test_a_look_that_fails_is_repeated(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([OSError(24, "Too many open files"), True])

    def canceled(_: RunWatch) -> bool:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(RunWatch, "canceled", canceled)
    monkeypatch.setattr("kit.orchestration.run_watch._POLL_SECONDS", 0.05)
    with pytest.raises(KeyboardInterrupt), instance(small.config) as opened, RunWatch(opened, "r").interrupting(small.config):
        time.sleep(20)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallMesh, DevServer]]:
    """A small mesh, published, that nobody but the tests builds, with `kit dev` over it."""
    small = SmallMesh(tmp_path_factory.mktemp("small"))
    for name in ("shop", "plan"):
        declare(small, name, "schedule", "0 0 29 2 1")
        small.publish(name)
    with dev_server(small.root) as server:
        yield small, server


def ingest(small: SmallMesh, body: str) -> None:
    text = f"import time\nfrom pathlib import Path\ndef sales():\n    {body}\n    return '../../feed/sales.csv'\n"
    write(small.domains / "shop" / "ingest.py", text)


def launch(server: DevServer, product: str) -> str:
    config = {"ops": {f"build_{product}": {"config": {"force": True}}}}
    return server.launch({"shop": "shop.sales", "plan": "plan.forecast"}[product], config=config)


def mark(small: SmallMesh, product: str) -> Path:
    """The file that a product makes when its code has begun; hidden, since it is no code."""
    return small.domains / product / ".begun"


def in_ingestion(small: SmallMesh, server: DevServer, begun: Path) -> str:
    ingest(small, f"Path({str(begun)!r}).touch(); time.sleep(600)")
    return launch(server, "shop")


def in_dbt(small: SmallMesh, server: DevServer, begun: Path) -> str:
    """A query that lasts for hours; the compiled model is its beginning."""
    ingest(small, "pass")
    long = "(select count(*) from range(100000000) a, range(100000) b where a.range * 7 = b.range) >= 0"
    small.replace("domains/shop/models/marts/sales.sql", " order by", f" where {long} order by")
    run_id = launch(server, "shop")
    server.wait_for(lambda: bool(dbt_targets(small.config.storage, "shop")))
    begun.touch()
    small.replace("domains/shop/models/marts/sales.sql", f" where {long} order by", " order by")
    return run_id


def in_notebook(small: SmallMesh, server: DevServer, begun: Path) -> str:
    cell = f"import time\nfrom pathlib import Path\nPath({str(begun)!r}).touch()\ntime.sleep(600)"
    small.notebook("plan", "forecast", [cell, *FORECAST], "factor: float = 2.0\n")
    return launch(server, "plan")


def in_wait(small: SmallMesh, server: DevServer, begun: Path) -> str:
    """The source cannot be reached, so the build waits for its second attempt."""
    ingest(small, "raise ConnectionRefusedError('no shop there')")
    run_id = launch(server, "shop")
    server.wait_for(lambda: "STEP_UP_FOR_RETRY" in server.events(run_id))
    begun.touch()
    return run_id


@pytest.mark.heavy
@pytest.mark.parametrize("policy", ["SAFE_TERMINATE", "MARK_AS_CANCELED_IMMEDIATELY"])
@pytest.mark.parametrize("start", [in_ingestion, in_dbt, in_notebook, in_wait])
def test_a_terminated_run_ends_at_once_and_publishes_nothing(
    mesh: tuple[SmallMesh, DevServer], start: Any, policy: str
) -> None:
    small, server = mesh
    product = "plan" if start is in_notebook else "shop"
    begun = mark(small, product)
    begun.unlink(missing_ok=True)
    before = small.store.read_pointer(product)
    run_id = start(small, server, begun)
    server.wait_for(begun.exists)
    (worker,) = workers(server)
    server.terminate(run_id, policy)
    psutil.wait_procs([worker], timeout=SECONDS)
    assert not worker.is_running()
    assert server.status(run_id) == "CANCELED"
    with instance(small.config) as opened:
        assert run_id not in opened.event_log_storage.get_concurrency_info(product).active_run_ids
        assert not {"RUN_SUCCESS", "ASSET_MATERIALIZATION"} & set(server.events(run_id))
    assert small.store.read_pointer(product) == before
    record = Runs(small.config.storage).last(product)
    assert record is not None
    ended = "its process ended before it published anything" if start is in_wait else "it was stopped before it was published"
    note = f"last build canceled: {ended}; readers keep the last snapshot"
    assert (record.status, note in small.kit("status").stdout) == ("canceled", True)
    if start is in_wait:
        assert server.events(run_id).count("STEP_START") == 1  # no other attempt began


@pytest.mark.heavy
def test_a_run_that_waits_for_another_one_ends_when_it_is_terminated(mesh: tuple[SmallMesh, DevServer]) -> None:
    small, server = mesh
    begun = mark(small, "shop")
    begun.unlink(missing_ok=True)
    first = in_ingestion(small, server, begun)
    server.wait_for(begun.exists)
    second = launch(server, "shop")
    server.terminate(second, "SAFE_TERMINATE")
    server.wait_for(lambda: server.status(second) == "CANCELED", seconds=SECONDS)
    assert server.status(first) == "STARTED"
    server.terminate(first, "SAFE_TERMINATE")
    server.wait_for(lambda: server.status(first) == "CANCELED", seconds=SECONDS)


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_whose_process_is_killed_is_canceled(mesh: tuple[SmallMesh, DevServer], number: signal.Signals) -> None:
    small, server = mesh
    before = small.store.read_pointer("shop")
    begun = mark(small, "shop")
    begun.unlink(missing_ok=True)
    run_id = in_ingestion(small, server, begun)
    server.wait_for(begun.exists)
    (worker,) = workers(server)
    os.kill(worker.pid, number)
    server.wait_for(lambda: server.status(run_id) == "CANCELED", seconds=HANG)
    with instance(small.config) as opened:
        assert opened.event_log_storage.get_concurrency_info("shop").active_run_ids == set()
    assert small.store.read_pointer("shop") == before


def workers(server: DevServer) -> list[psutil.Process]:
    """The processes of runs: children of the code server's worker."""
    return [process for process in server.family() if "spawn_main" in " ".join(process.cmdline())]
