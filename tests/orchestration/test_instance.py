"""Dagster's home: opened by many at once, and cleared of what killed processes leave behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

import kit.orchestration.instance as module
from kit.core import Config, resources
from kit.orchestration.instance import hold_run_lock, home, instance, sweep
from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh

OPEN = "from kit.core import Config; from kit.orchestration.instance import instance\nwith instance(Config.load()) as opened: "


def python(small: SmallMesh, code: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=small.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent,
    )


def test_many_processes_may_open_a_new_home_together(small: SmallMesh) -> None:
    opening = [python(small, OPEN + "print(opened.get_runs_count())") for _ in range(6)]
    assert [(process.communicate(timeout=HANG)[0], process.returncode) for process in opening] == [("0\n", 0)] * 6


def test_the_settings_are_written_once_and_then_the_teams(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        assert opened.get_concurrency_config().pool_config.default_pool_limit == 1
        assert not opened.telemetry_enabled
        assert opened.run_monitoring_enabled
    settings = home(small.config) / "dagster.yaml"
    settings.write_text(settings.read_text().replace("default_limit: 1", "default_limit: 3"))
    with instance(small.config) as opened:
        assert opened.get_concurrency_config().pool_config.default_pool_limit == 3


def test_as_many_runs_at_once_as_products_of_a_command(small: SmallMesh) -> None:
    def runs(config: Config) -> int | None:
        with instance(config) as opened:
            queue = opened.get_concurrency_config().run_queue_config
            return queue.max_concurrent_runs if queue else None

    config = replace(small.config, parallel_builds=3)
    assert runs(config) == 3
    assert runs(replace(config, parallel_builds=7)) == 7
    assert runs(replace(config, parallel_builds=None)) == resources.builds_at_once(None)
    settings = home(config) / "dagster.yaml"
    settings.write_text(re.sub(r"runs: \{.*", "runs: {max_concurrent_runs: 4}", settings.read_text()))
    assert runs(config) == 3, "the default of an earlier kit"
    settings.write_text(re.sub(r"runs: \{.*", "runs: {max_concurrent_runs: 5}", settings.read_text()))
    assert runs(config) == 5, "the number of the team"


@pytest.mark.parametrize("is_of_an_earlier_kit", [False, True])
def test_a_copied_home_has_its_own_history(small: SmallMesh, tmp_path: Path, is_of_an_earlier_kit: bool) -> None:
    """Otherwise the copy would end the runs of the original, whose locks it does not see."""
    with instance(small.config):
        pass
    settings = home(small.config) / "dagster.yaml"
    text = settings.read_text().partition("\n")[2].replace('"', "") if is_of_an_earlier_kit else settings.read_text()
    settings.write_text(text + "# ours\n")
    copied = replace(small.config, storage=tmp_path / "a, b {'copy'}: 2")
    shutil.copytree(small.config.storage, copied.storage)
    before = {path: path.stat().st_mtime_ns for path in small.config.storage.rglob("*")}
    with instance(copied) as opened:
        opened.create_run_for_job(dg.Definitions(jobs=[dg.job(name="j")(lambda: None)]).resolve_job_def("j"))
        assert opened.get_runs_count() == 1
    assert {path: path.stat().st_mtime_ns for path in small.config.storage.rglob("*")} == before
    text = (home(copied) / "dagster.yaml").read_text()
    assert str(small.config.storage) not in text
    assert text.endswith("# ours\n")
    with instance(small.config) as opened:
        assert opened.get_runs_count() == 0


def test_a_history_that_a_team_keeps_elsewhere_stays_there(small: SmallMesh, tmp_path: Path) -> None:
    with instance(small.config):
        pass
    settings = home(small.config) / "dagster.yaml"
    settings.write_text(settings.read_text().replace(f'base_dir: "{home(small.config)}', f'base_dir: "{tmp_path / "fast"}'))
    with instance(small.config):
        pass
    assert {path.name for path in (tmp_path / "fast").iterdir()} >= {"history", "schedules"}


def test_everything_dagster_writes_lies_in_its_home(small: SmallMesh) -> None:
    before = {path.name for path in small.config.storage.iterdir()}
    with instance(small.config):
        pass
    assert {path.name for path in small.config.storage.iterdir()} - before == {"dagster"}


WORKER = textwrap.dedent("""
    import os, time
    import dagster as dg
    from kit.core.config import Config
    from kit.orchestration.instance import instance, hold_run_lock
    config = Config.load()
    with instance(config) as opened:
        job = dg.Definitions(assets=[dg.asset(lambda: 1, name="a")]).resolve_implicit_global_asset_job_def()
        run = opened.create_run_for_job(job)
        opened.report_dagster_event(
            dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="j", message="started"), run_id=run.run_id
        )
        opened.event_log_storage.set_concurrency_slots("shop", 1)
        assert opened.event_log_storage.claim_concurrency_slot("shop", run.run_id, "step").is_claimed
        with hold_run_lock(config, run.run_id):
            print(run.run_id, flush=True)
            time.sleep(600)
""")


@pytest.mark.parametrize("noticed", [False, True])
def test_a_run_of_a_killed_process_is_canceled_and_frees_its_slot(small: SmallMesh, noticed: bool) -> None:
    worker = python(small, WORKER)
    assert worker.stdout is not None
    run_id = worker.stdout.readline().strip()
    assert run_id, worker.communicate()[1]
    with instance(small.config) as opened:
        run = opened.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.STARTED  # its process lives: left alone
        assert opened.event_log_storage.get_concurrency_info("shop").active_run_ids == {run_id}
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
        if noticed:  # Dagster's code server was faster, and takes it for a failure
            opened.report_run_failed(run)
        assert sweep(small.config, opened) == [run_id]
        run = opened.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.CANCELED
        assert opened.event_log_storage.get_concurrency_info("shop").active_run_ids == set()
        assert sweep(small.config, opened) == []
    assert list((home(small.config) / "alive").iterdir()) == []


def test_a_run_that_may_not_have_its_lock_yet_is_left_alone(small: SmallMesh, monkeypatch: object) -> None:
    with instance(small.config) as opened:
        job = dg.Definitions(assets=[dg.asset(lambda: 1, name="a")]).resolve_implicit_global_asset_job_def()
        run = opened.create_run_for_job(job)
        event = dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="j", message="started")
        opened.report_dagster_event(event, run_id=run.run_id)
        assert sweep(small.config, opened) == []
        before, module._STARTING = module._STARTING, module._STARTING * 0
        try:
            time.sleep(0.01)
            assert sweep(small.config, opened) == [run.run_id]
        finally:
            module._STARTING = before


def test_the_lock_of_a_run_is_taken_once(small: SmallMesh) -> None:
    for _ in range(2):
        with hold_run_lock(small.config, "some-run"):
            pass
    (file,) = Path(home(small.config) / "alive").iterdir()
    assert (file.name, file.read_bytes()) == ("some-run", b"")
