"""The event log beside Dagster's own over the same events."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetKey,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    EventLogEntry,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import StepMaterializationData
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from kit.orchestration.event_log import _OPEN, PooledSqliteEventLog
from tests.support.limits import HANG


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PooledSqliteEventLog]:
    storage = PooledSqliteEventLog(str(tmp_path / "pooled"))
    with DagsterInstance.ephemeral() as instance:
        storage.register_instance(instance)
        yield storage
    storage.dispose()


def entry(run: str, number: int) -> EventLogEntry:
    """A message or, every third time, a materialization."""
    event = None
    if number % 3 == 0:
        made = StepMaterializationData(AssetMaterialization(AssetKey(["shop", f"t{number % 5}"]), metadata={"n": number}))
        event = DagsterEvent(DagsterEventType.ASSET_MATERIALIZATION.value, "job", event_specific_data=made)
    return EventLogEntry(
        error_info=None, level=20, user_message=f"event {number}", run_id=run, timestamp=1_700_000_000.0 + number,
        job_name="job", dagster_event=event,
    )  # fmt: skip


def result(run: str, number: int, *, kind: DagsterEventType = DagsterEventType.ASSET_CHECK_EVALUATION) -> EventLogEntry:
    """The result of a check, or that it is planned."""
    key, name = AssetKey(["shop", f"t{number % 3}"]), f"check {number}"
    made: Any = AssetCheckEvaluationPlanned(asset_key=key, check_name=name)
    if kind == DagsterEventType.ASSET_CHECK_EVALUATION:
        partition = "2024-01-01" if number % 7 == 0 else None
        made = AssetCheckEvaluation(asset_key=key, check_name=name, passed=number % 4 > 0, partition=partition)
    event = DagsterEvent(kind.value, "job", event_specific_data=made)
    return EventLogEntry(
        error_info=None, level=20, user_message="", run_id=run, timestamp=1_700_000_000.0 + number, job_name="job",
        dagster_event=event,
    )  # fmt: skip


REPORT = [
    result("run", 1, kind=DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED),
    *(entry("run", number) for number in range(9)),
    *(result("run", number) for number in range(20)),
    entry("run", 10),
    *(result("other", number) for number in range(3)),
    *(result("", number) for number in range(2)),  # of no run
    result("run", 5),  # of a second attempt
]


def rows(folder: Path) -> list[Any]:
    """All that the index of an event log holds about events and checks, without the times at which it was written."""
    with sqlite3.connect(folder / "index.db") as index:
        index.row_factory = sqlite3.Row
        tables = ("event_logs", "asset_check_executions", "asset_keys", "asset_event_tags")
        found = [dict(row) for table in tables for row in index.execute(f"select * from {table} order by id")]
    return [{name: value for name, value in row.items() if name != "create_timestamp"} for row in found]


def seen(storage: Any, run: str) -> list[tuple[int, EventLogEntry]]:
    found = storage.get_records_for_run(run, limit=10_000)
    return [(record.storage_id, record.event_log_entry) for record in found.records]


def test_the_same_records_come_back_as_with_dagsters_own(log: PooledSqliteEventLog, tmp_path: Path) -> None:
    own = SqliteEventLogStorage(str(tmp_path / "own"))
    with DagsterInstance.ephemeral() as instance:
        own.register_instance(instance)
        for number in range(60):
            for storage in (own, log):
                storage.store_event(entry(f"run{number % 2}", number))
        for run in ("run0", "run1", "none"):
            assert seen(log, run) == seen(own, run)
        assert log.all_asset_keys() == own.all_asset_keys()
        key = AssetKey(["shop", "t0"])
        assert log.get_latest_materialization_events([key]) == own.get_latest_materialization_events([key])
        log.delete_events("run0")
        own.delete_events("run0")
        assert (seen(log, "run0"), seen(log, "run1")) == ([], seen(own, "run1"))
        log.wipe()
        assert seen(log, "run1") == []
    own.dispose()


def test_dagsters_own_log_reads_the_written_events(log: PooledSqliteEventLog, tmp_path: Path) -> None:
    for number in range(1000):
        log.store_event(entry("run", number))
    own = SqliteEventLogStorage(str(tmp_path / "pooled"))
    assert [record.user_message for _, record in seen(own, "run")] == [f"event {number}" for number in range(1000)]
    own.dispose()


def test_only_so_many_files_stay_open(log: PooledSqliteEventLog) -> None:
    for number in range(3 * _OPEN):
        log.store_event(entry(f"run{number}", number))
        assert len(log._engines) <= _OPEN
    assert [len(seen(log, f"run{number}")) for number in range(3 * _OPEN)] == [1] * 3 * _OPEN
    assert len(log._engines) <= _OPEN
    log.dispose()
    assert len(log._engines) == 0


WRITE = """
import sys
from pathlib import Path
from dagster import DagsterInstance
from kit.orchestration.event_log import PooledSqliteEventLog
from tests.orchestration.test_event_log import entry

storage = PooledSqliteEventLog(sys.argv[1])
with DagsterInstance.ephemeral() as instance:
    storage.register_instance(instance)
    for number in range(200):
        storage.store_event(entry("run", number))
storage.dispose()
"""


@pytest.mark.slow
def test_two_processes_write_at_once(log: PooledSqliteEventLog, tmp_path: Path) -> None:
    log.store_event(entry("run", 0))
    command = [sys.executable, "-c", WRITE, str(tmp_path / "pooled")]
    writers = [subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(writer.communicate(timeout=HANG)[1], writer.returncode) for writer in writers] == [("", 0), ("", 0)]
    written = [record.user_message for _, record in seen(log, "run")]
    assert sorted(written) == sorted(["event 0", *(f"event {number}" for number in range(200) for _ in range(2))])


def test_a_table_is_looked_up_once(log: PooledSqliteEventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster looks for the table of checks before it stores each of them, with an engine of its own."""
    looked_up: list[str] = []
    original = SqliteEventLogStorage.has_table

    def has_table(storage: SqliteEventLogStorage, name: str) -> bool:
        looked_up.append(name)
        return original(storage, name)

    monkeypatch.setattr(SqliteEventLogStorage, "has_table", has_table)
    assert log.supports_asset_checks and log.supports_asset_checks
    assert looked_up == ["asset_check_executions"]
    assert not log.has_table("no_such_table") and not log.has_table("no_such_table")
    assert looked_up == ["asset_check_executions", "no_such_table", "no_such_table"]
    log.dispose()
    assert log.supports_asset_checks
    assert len(looked_up) == 4


@pytest.mark.parametrize("report", [REPORT, REPORT[1:-1]], ids=["again", "new"])
def test_a_transaction_stores_what_single_events_store(
    log: PooledSqliteEventLog, tmp_path: Path, report: list[EventLogEntry]
) -> None:
    own = SqliteEventLogStorage(str(tmp_path / "own"))
    with DagsterInstance.ephemeral() as instance:
        own.register_instance(instance)
        for item in report:
            own.store_event(item)
        log.store_event(report[0])
        with log.one_transaction():
            for item in report[1:]:
                log.store_event(item)
            assert rows(tmp_path / "pooled") != rows(tmp_path / "own")
        assert rows(tmp_path / "pooled") == rows(tmp_path / "own")
        for run in ("run", "other"):
            assert seen(log, run) == seen(own, run)
    own.dispose()


def test_events_are_read_back_within_their_transaction(log: PooledSqliteEventLog) -> None:
    with log.one_transaction():
        log.store_event(entry("run", 0))
        assert log.get_latest_materialization_events([AssetKey(["shop", "t0"])])[AssetKey(["shop", "t0"])]


def test_a_report_that_is_left_before_its_end_stores_nothing(log: PooledSqliteEventLog, tmp_path: Path) -> None:
    log.store_event(entry("run", 1))
    before = rows(tmp_path / "pooled"), seen(log, "run")
    with pytest.raises(KeyboardInterrupt), log.one_transaction():
        log.store_event(entry("run", 0))
        log.store_event(result("run", 1))
        raise KeyboardInterrupt
    assert (rows(tmp_path / "pooled"), seen(log, "run")) == before


def test_the_failure_of_a_step_is_stored_though_its_report_is_not(log: PooledSqliteEventLog, tmp_path: Path) -> None:
    """Dagster stores the failure while the generator of the report may still be open."""
    data = StepFailureData(error=None, user_failure_data=None)
    failure = DagsterEvent(DagsterEventType.STEP_FAILURE.value, "job", step_key="build_shop", event_specific_data=data)
    with log.one_transaction():
        log.store_event(entry("run", 0))
        log.store_event(entry("run", 1)._replace(dagster_event=failure))
    assert [event.user_message for _, event in seen(log, "run")] == ["event 1"]
    log.store_event(result("run", 1))
    assert [row["check_name"] for row in rows(tmp_path / "pooled") if "check_name" in row] == ["check 1"]


KILLED = """
import os, signal, sys
from dagster import DagsterInstance
from kit.orchestration.event_log import PooledSqliteEventLog
from tests.orchestration.test_event_log import entry, result

storage = PooledSqliteEventLog(sys.argv[1])
with DagsterInstance.ephemeral() as instance:
    storage.register_instance(instance)
    with storage.one_transaction():
        storage.store_event(entry("run", 0))
        storage.store_event(result("run", 1))
        storage.store_event(entry("run", 3))
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_report_leaves_no_materialization_without_its_checks(log: PooledSqliteEventLog, tmp_path: Path) -> None:
    log.store_event(entry("run", 1))
    before = rows(tmp_path / "pooled")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "pooled")], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    assert rows(tmp_path / "pooled") == before
