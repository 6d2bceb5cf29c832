"""Dagster's home below the storage folder: made alone, and cleared of what killed processes left behind."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import Config, lock, make_folder, write_durably

if TYPE_CHECKING:
    import dagster as dg

# Written once; from then on the file is the platform team's, to point at PostgreSQL or another run launcher.
_SETTINGS = """\
telemetry: {enabled: false}
nux: {enabled: false}
run_storage: {module: dagster._core.storage.runs, class: SqliteRunStorage, config: {base_dir: history}}
event_log_storage: {module: kit.orchestration.event_log, class: PooledSqliteEventLog, config: {base_dir: history/runs}}
schedule_storage: {module: dagster._core.storage.schedules, class: SqliteScheduleStorage, config: {base_dir: schedules}}
local_artifact_storage: {module: dagster._core.storage.root, class: LocalArtifactStorage, config: {base_dir: .}}
compute_logs: {module: dagster._core.storage.local_compute_log_manager, class: LocalComputeLogManager, config: {base_dir: logs}}
concurrency:
  pools: {default_limit: 1, granularity: op}
  runs: {max_concurrent_runs: 4}
freshness: {enabled: true}
run_monitoring: {enabled: true, start_timeout_seconds: 120, poll_interval_seconds: 10, free_slots_after_run_end_seconds: 5}
retention:
  schedule: {purge_after_days: 30}
  sensor: {purge_after_days: 7}
"""

_EVENT_LOG = "module: kit.orchestration.event_log,"
_OLD_EVENT_LOG = "module: kit.event_log,"  # as homes made by kit 0.1 have it

LOCATION = "mesh"
"""The name of the mesh's code location."""

WEB_ROOT = "/dagster"
"""Where the web UI lies on its server, so that it may be one part of another server just the same."""

NOTEBOOK_PAGE = f"{WEB_ROOT}/notebook"
"""Where it shows an executed notebook."""

_STARTING = timedelta(seconds=40)
_shown: dict[str, int] = {}
"""The signs of life this process gives, by run."""


def home(config: Config) -> Path:
    """The folder Dagster keeps its history in."""
    return config.storage / "dagster"


@contextmanager
def instance(config: Config) -> "Iterator[dg.DagsterInstance]":
    """Dagster's instance over a home that is complete, with no run or pool slot left to a dead process."""
    import dagster as dg

    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = home(config)
    # Several processes that first open a new home together leave its databases broken for good.
    with lock(folder / ".lock", wait=True):
        settings = folder / "dagster.yaml"
        if not settings.is_file():
            write_durably(settings, _absolute(folder))
        elif _OLD_EVENT_LOG in (text := settings.read_text(encoding="utf-8")):
            write_durably(settings, text.replace(_OLD_EVENT_LOG, _EVENT_LOG))
        opened = dg.DagsterInstance.from_config(str(folder))
        opened.event_log_storage.get_maximum_record_id()
        opened.get_runs_count()
        opened.all_instigator_state()
    with opened:
        sweep(config, opened)
        yield opened


def _absolute(folder: Path) -> str:
    return _SETTINGS.replace("base_dir: .}", "base_dir: }").replace("base_dir: ", f"base_dir: {folder}/")


def show_life(config: Config, run_id: str) -> None:
    """Show, until this process ends (however it ends), that it works at a run."""
    if run_id in _shown:
        return
    path = _sign_of_life(config, run_id)
    make_folder(path.parent)
    # A bare descriptor: it is never closed, the lock ends with the process.
    _shown[run_id] = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(_shown[run_id], fcntl.LOCK_SH)


def sweep(config: Config, opened: "dg.DagsterInstance") -> list[str]:
    """Fail the runs whose process is gone and free their pool slots; returns their ids."""
    import dagster as dg

    gone = []
    unfinished = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for record in opened.get_run_records(dg.RunsFilter(statuses=unfinished)):
        run = record.dagster_run
        if _is_alive(_sign_of_life(config, run.run_id), record.update_timestamp):
            continue
        opened.report_run_failed(run, "The process that ran this is gone; readers keep the snapshots they had.")
        opened.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        gone.append(run.run_id)
    signs = home(config) / "alive"
    for path in signs.iterdir() if signs.is_dir() else ():
        if not _is_alive(path, datetime.now(UTC)):
            path.unlink(missing_ok=True)
    return gone


def _is_alive(sign: Path, since: datetime) -> bool:
    """Whether a process holds its sign of life, or is too young to have given one."""
    if not sign.is_file():
        return datetime.now(UTC) - since < _STARTING
    with sign.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _sign_of_life(config: Config, run_id: str) -> Path:
    return home(config) / "alive" / run_id
