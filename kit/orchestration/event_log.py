"""Dagster's SQLite event log with connections that stay open, and one transaction for all that a build reports."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import Connection, Engine, create_engine, event, select

from kit.orchestration.dagster_internals import AssetCheckExecutionsTable, SqlEventLogStorageTable, SqliteEventLogStorage

_OPEN = 8
_INDEX = "index"
_PLACE = ("run_id", "asset_key", "check_name", "partition")
_EVALUATION = dg.DagsterEventType.ASSET_CHECK_EVALUATION
_REPORTED = {
    _EVALUATION, dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.HANDLED_OUTPUT,
}  # fmt: skip
"""The events of a report; any other one in its block shows that the report was left before its end."""


def one_transaction(instance: dg.DagsterInstance) -> AbstractContextManager[None]:
    """Return a context that stores the events of its block in one transaction, where the event log of Dagster can."""
    storage = instance.event_log_storage
    return storage.one_transaction() if isinstance(storage, PooledSqliteEventLog) else nullcontext()


class PooledSqliteEventLog(SqliteEventLogStorage):
    """The same tables in the same files, at a quarter of the time per event.

    Dagster creates an engine for every statement, so each event opens its file and compiles its SQL again, which takes
    longer than the hundreds of checks of a run. Here the engines of the files used last stay open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        self._transaction: _Transaction | None = None
        super().__init__(*args, **kwargs)
        self._db_lock: Any = threading.RLock()  # held by a thread for all of its transaction

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "PooledSqliteEventLog":
        """Return the storage that `dagster.yaml` configures."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def one_transaction(self) -> Iterator[None]:
        """Store the events of the block at its end, all or, when an exception leaves it or its process is killed, none.

        Else a kill would leave materializations without their checks, which the sensor of publications takes for complete.
        """
        with self._db_lock, ExitStack() as stack:
            if self._transaction is not None:
                yield
                return
            self._transaction = transaction = _Transaction()
            stack.callback(setattr, self, "_transaction", None)
            stack.callback(transaction.roll_back)
            yield
            if self._transaction is transaction:
                self._store_evaluations()
                transaction.commit()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            if self._transaction is not None:
                self._transaction.begin(_INDEX, self._engine(_INDEX))  # the first to begin is the last to be committed
                yield self._transaction.begin(shard, engine)
                return
            with engine.begin() as connection:
                yield connection

    def store_event(self, item: Any) -> None:
        """Store an event; the results of checks are stored together at the end of a transaction."""
        with self._db_lock:
            if self._transaction is not None:
                kind = item.dagster_event_type if item.is_dagster_event else None
                if kind == _EVALUATION and item.run_id:
                    self._transaction.evaluations.append(item)
                    return
                self._store_evaluations()
                if kind is not None and kind not in _REPORTED:
                    self._transaction.roll_back()
                    self._transaction = None
            super().store_event(item)

    def store_event_batch(self, events: Sequence[Any]) -> None:
        """Store events, which Dagster itself passes together, in one transaction."""
        with self.one_transaction():
            for item in events:
                self.store_event(item)

    def _store_evaluations(self) -> None:
        """Store the results of checks that were kept, each as `SqliteEventLogStorage.store_event` would."""
        if self._transaction is None or not self._transaction.evaluations:
            return
        events, self._transaction.evaluations = self._transaction.evaluations, []
        rows = [self._event_to_row(item) for item in events]
        for run in dict.fromkeys(item.run_id for item in events):
            with self.run_connection(run) as connection:
                connection.execute(SqlEventLogStorageTable.insert(), [row for row in rows if row["run_id"] == run])
        place = (AssetCheckExecutionsTable.c[name] for name in _PLACE)
        known = select(*place).where(AssetCheckExecutionsTable.c.run_id.in_({row["run_id"] for row in rows}))
        insert = SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        with self.index_connection() as connection:
            planned = {tuple(row) for row in connection.execute(known)}
            ids: Sequence[int] = connection.execute(insert, rows).scalars().all()
        results = [_result(item, row, number) for item, row, number in zip(events, rows, ids, strict=True)]
        if planned or len({tuple(row[name] for name in _PLACE) for row in results}) < len(results):
            for item, number in zip(events, ids, strict=True):  # which replaces earlier rows
                self.store_asset_check_event(item, number)
            return
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), results)

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            if len(self._engines) >= _OPEN:
                self._engines.popitem(last=False)[1].dispose()
            engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": 60})
            event.listen(engine, "connect", _settings)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Return whether the table of assets has a column, which Dagster asks for at each materialization."""
        if column_name not in self._tables and super()._has_asset_key_col_on_connection(conn, column_name):
            self._tables.add(column_name)
        return column_name in self._tables

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; one that it has is not looked up again for each check of a run."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run, with their file."""
        with self.index_connection() as connection:
            self.delete_events_for_run(connection, run_id)
        self.free_concurrency_slots_for_run(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(self.path_for_shard(run_id) + suffix).unlink(missing_ok=True)

    def wipe(self) -> None:
        """Delete every event."""
        self._close()  # open connections would write to the deleted files
        super().wipe()

    def wipe_asset_partitions(self, asset_key: Any, partition_keys: Sequence[str]) -> None:
        """Delete the events of partitions of an asset, which then count as never materialized; runs keep their events."""
        columns = SqlEventLogStorageTable.c
        is_wiped = (columns.asset_key == asset_key.to_string()) & columns.partition.in_(partition_keys)
        with self.index_connection() as connection:
            connection.execute(SqlEventLogStorageTable.delete().where(is_wiped))
        self.wipe_asset_cached_status(asset_key)

    def dispose(self) -> None:
        """Close all connections."""
        self._close()
        super().dispose()

    def _close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        self._tables.clear()


class _Transaction:
    """The open connections of a transaction over several files, and the results of checks that it keeps until its end."""

    def __init__(self) -> None:
        self.evaluations: list[Any] = []
        self._connections: dict[str, Connection] = {}

    def begin(self, shard: str, engine: Engine) -> Connection:
        """Return the connection to a file, to which no other process writes until the end."""
        if shard not in self._connections:
            self._connections[shard] = connection = engine.connect()
            connection.exec_driver_sql("begin immediate")
        return self._connections[shard]

    def commit(self) -> None:
        """Commit all files."""
        for connection in reversed(self._connections.values()):
            connection.commit()

    def roll_back(self) -> None:
        """Undo what was not committed, and close the connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


def _result(item: Any, row: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the row of the result of a check, whose event is a row with a number."""
    evaluation = item.dagster_event.event_specific_data
    target = evaluation.target_materialization_data
    return {
        "run_id": item.run_id, "asset_key": evaluation.asset_key.to_string(), "check_name": evaluation.check_name,
        "partition": evaluation.partition, "execution_status": "SUCCEEDED" if evaluation.passed else "FAILED",
        "evaluation_event": row["event"], "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": number, "materialization_event_storage_id": target.storage_id if target else None,
    }  # fmt: skip


def _settings(connection: Any, _: object) -> None:
    # With a write-ahead log this never corrupts the file; a power loss may lose the last events, never a snapshot.
    connection.execute("pragma synchronous = normal")
