"""Retention of Dagster's history: old runs are deleted with their events and logs, except what Dagster shows of an asset."""

import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core import write_durably
from kit.storage import contains

if TYPE_CHECKING:
    import dagster as dg

_STATE = "retained"
"""File with the number of runs that the last deletion left, so that a home is not examined for each new run."""
_AT_ONCE = 50
_ABANDONED_SECONDS = 3600
_WORTH_BYTES = 1_000_000

# The newest events of each asset, partition and check: Dagster computes their status from them.
_SHOWN = (
    "select distinct run_id from event_logs where id in (select max(id) from event_logs "
    "where dagster_event_type = 'ASSET_MATERIALIZATION' group by asset_key, partition)",
    "select distinct run_id from asset_check_executions where id in "
    "(select max(id) from asset_check_executions group by asset_key, check_name)",
)
# Events without a run report what other processes published; they have no run to be deleted with.
_RUNLESS = (
    "delete from event_logs where id in (select id from (select id, row_number() over "
    "(partition by dagster_event_type, asset_key, partition order by id desc) as position from event_logs "
    "where run_id = '' and dagster_event_type <> 'ASSET_CHECK_EVALUATION') as numbered where position > {keep})",
    "delete from asset_check_executions where id in (select id from (select id, row_number() over "
    "(partition by asset_key, check_name order by id desc) as position from asset_check_executions "
    "where run_id = '') as numbered where position > {keep})",
    "delete from event_logs where run_id = '' and dagster_event_type = 'ASSET_CHECK_EVALUATION' and id not in "
    "(select evaluation_event_storage_id from asset_check_executions where evaluation_event_storage_id is not null)",
    "delete from asset_event_tags where event_id not in (select id from event_logs)",
)


def retain(
    home: Path, opened: "dg.DagsterInstance", keep: int, *,
    thorough: bool = False, products: Collection[str] = (), dry_run: bool = False,
) -> int:  # fmt: skip
    """Delete the runs that are not among the newest `keep` of any product; returns their number.

    Runs stay that have not ended, those of the newest materialization of an asset or partition and of the newest
    evaluation of a check, and with `products` those that build any other one. Unless `thorough`, nothing is done until a tenth
    more runs were added, and at most fifty are deleted at once: the rest follows the next time. With `dry_run` nothing is
    deleted.
    """
    state = home / _STATE
    left = int(state.read_text()) if state.is_file() else 0
    if not thorough and opened.get_runs_count() < max(keep, left) + max(1, keep // 10):
        return 0
    runs = [record.dagster_run for record in opened.get_run_records()]
    shown, seen = _shown(opened), Counter[str]()
    old: list[dg.DagsterRun] = []
    for run in runs:  # newest first
        built = _products(run)
        seen.update(built)
        asked = not products or built <= set(products)
        if asked and run.is_finished and run.run_id not in shown and all(seen[product] > keep for product in built):
            old.append(run)
    if dry_run:
        return len(old)
    deleted = old if thorough else old[-_AT_ONCE:]
    for run in deleted:
        opened.delete_run(run.run_id)
    kept = [run for run in runs if run not in deleted]
    _delete_what_runs_left(home, opened, kept, deleted, keep)
    _compact(home, every=thorough)
    write_durably(state, str(len(kept)))
    return len(deleted)


def forget(home: Path, opened: "dg.DagsterInstance", product: str) -> int:
    """Delete the assets of a product with all their events, and the runs that built nothing else; returns their number."""
    runs, storage = [record.dagster_run for record in opened.get_run_records()], opened.event_log_storage
    built: dict[str, set[str]] = {run.run_id: set() for run in runs}
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        keys = "select distinct run_id, asset_key from event_logs where asset_key is not null"
        for run_id, key in connection.exec_driver_sql(keys):
            built.setdefault(run_id, set()).add(json.loads(key)[0])
    deleted = [run for run in runs if (built[run.run_id] or _products(run)) == {product}]
    mixed = [run for run in runs if product in built[run.run_id] | _products(run) and run not in deleted]
    for run in deleted:
        opened.delete_run(run.run_id)
    opened.wipe_assets([key for key in opened.all_asset_keys() if key.path[0] == product])
    own = f"step_key = 'build_{product}' or {_is_of(product)}"
    for run in mixed:
        with storage.run_connection(run.run_id) as connection:  # type: ignore[attr-defined]
            connection.exec_driver_sql(f"delete from event_logs where {own}")
        # One file has what all products of a run printed.
        shutil.rmtree(home / "logs" / run.run_id, ignore_errors=True)
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"delete from event_logs where {own}")
        for table in ("asset_keys", "asset_check_executions", "asset_event_tags"):
            connection.exec_driver_sql(f"delete from {table} where {_is_of(product)}")
    kept = [run for run in runs if run not in deleted]
    _delete_what_runs_left(home, opened, kept, deleted, len(kept))
    _compact(home, every=True)
    return len(deleted)


def forget_before(home: Path, opened: "dg.DagsterInstance", products: Collection[str], moment: datetime) -> None:
    """Delete the runs of these products that ended before a moment (UTC, without a zone), and older events without a run."""
    kept: list[dg.DagsterRun] = []
    deleted: list[dg.DagsterRun] = []
    for record in opened.get_run_records():
        run, end = record.dagster_run, record.end_time
        is_old = run.is_finished and (end is None or datetime.fromtimestamp(end, UTC).replace(tzinfo=None) < moment)
        (deleted if is_old and not _products(run).isdisjoint(products) else kept).append(run)
    for run in deleted:
        opened.delete_run(run.run_id)
    with opened.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        for product in products:
            own = f"run_id = '' and {_is_of(product)}"
            connection.exec_driver_sql(f"delete from event_logs where {own} and timestamp < '{moment}'")
            connection.exec_driver_sql(f"delete from asset_check_executions where {own} and create_timestamp < '{moment}'")
    _delete_what_runs_left(home, opened, kept, deleted, len(kept) + len(deleted))
    _compact(home, every=True)


def _is_of(product: str) -> str:
    """Return the condition for assets of a product; in a pattern of `like` the `_` of its name would be any character."""
    start = f'["{product}",'
    return f"substr(asset_key, 1, {len(start)}) = '{start}'"


def forget_values(home: Path, opened: "dg.DagsterInstance", values: Collection[str]) -> None:
    """Delete all that Dagster's files have with one of the values: runs that name it, events, results of checks, logs."""
    for record in opened.get_run_records():
        if contains(repr(record.dagster_run).encode(), values):
            opened.delete_run(record.dagster_run.run_id)
    for path in [*home.glob("history/*.db"), *home.glob("history/runs/*.db"), *home.glob("schedules/*.db")]:
        with closing(sqlite3.connect(path, timeout=60)) as database:
            database.text_factory = bytes
            tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
            for table in (name.decode() for (name,) in tables):
                rows = database.execute(f'select rowid, * from "{table}"').fetchall()
                found = [
                    row[0] for row in rows if contains(b"\n".join(cell for cell in row if isinstance(cell, bytes)), values)
                ]
                database.executemany(f'delete from "{table}" where rowid = ?', [(number,) for number in found])
            database.commit()
    for path in (home / "logs").rglob("*"):
        if path.is_file() and contains(path.read_bytes(), values):
            path.unlink(missing_ok=True)
    _compact(home, every=True)


def _products(run: "dg.DagsterRun") -> set[str]:
    """The products that a run builds; the name of its job when it names none."""
    steps = {str(step).removeprefix("build_") for step in run.step_keys_to_execute or ()}
    return steps | {key.path[0] for key in run.asset_selection or ()} or {run.job_name}


def _shown(opened: "dg.DagsterInstance") -> set[str]:
    with opened.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        return {str(run_id) for query in _SHOWN for (run_id,) in connection.exec_driver_sql(query)}


def _delete_what_runs_left(
    home: Path, opened: "dg.DagsterInstance", kept: "Iterable[dg.DagsterRun]", deleted: "Iterable[dg.DagsterRun]", keep: int
) -> None:
    """Delete what Dagster leaves of a deleted run: check results, tags, logs and the definition of its job."""
    from sqlalchemy import bindparam, text

    known, gone = {run.run_id for run in kept}, [run.run_id for run in deleted]
    snapshots = {name for run in deleted for name in _snapshots(run)} - {name for run in kept for name in _snapshots(run)}

    def delete(connection: Any, table: str, column: str, values: Iterable[Any]) -> None:
        statement = text(f"delete from {table} where {column} in :values").bindparams(bindparam("values", expanding=True))
        connection.execute(statement, {"values": list(values)})

    with opened.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        delete(connection, "asset_check_executions", "run_id", gone)
        for statement in _RUNLESS:
            connection.exec_driver_sql(statement.format(keep=keep))
    with opened.run_storage.connect() as connection:  # type: ignore[attr-defined]
        delete(connection, "run_tags", "run_id", gone)
        delete(connection, "snapshots", "snapshot_id", snapshots)
    # Also of runs that were deleted in the web UI, and files that a look at a deleted run has made.
    logs, events = home / "logs", home / "history" / "runs"
    for path in [*logs.glob("*-*"), *events.glob("*-*.db*")]:
        run_id = path.name.partition(".")[0]
        with suppress(OSError):
            if run_id not in known and (run_id in gone or path.stat().st_mtime < time.time() - _ABANDONED_SECONDS):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _snapshots(run: "dg.DagsterRun") -> set[str]:
    """The stored definitions of its job and plan."""
    return {name for name in (run.job_snapshot_id, run.execution_plan_snapshot_id) if name}


def _compact(home: Path, *, every: bool = False) -> None:
    """Give the space of deleted rows back where it is more than half of a database; SQLite itself keeps it.

    With `every` that of all databases, so that no file contains deleted values.
    """
    for path in [*home.glob("history/*.db"), *home.glob("history/runs/*.db"), *home.glob("schedules/*.db")]:
        if path.stat().st_size < _WORTH_BYTES and not every:
            continue
        # A database in use is left for the next time.
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as database:
            free, pages, size = (
                database.execute(f"pragma {name}").fetchone()[0] for name in ("freelist_count", "page_count", "page_size")
            )
            if every or (free * 2 > pages and free * size > _WORTH_BYTES):
                database.execute("vacuum")
                database.execute("pragma wal_checkpoint(truncate)")
