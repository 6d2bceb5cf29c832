"""The event log beside Dagster's own over the same events."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterEvent, DagsterEventType, DagsterInstance, EventLogEntry
from dagster._core.events import StepMaterializationData
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from kit.orchestration.event_log import _OPEN, PooledSqliteEventLog


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
    assert [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers] == [("", 0), ("", 0)]
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
