"""Dagster's SQLite event log with connections that stay open."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from kit.orchestration.dagster_internals import SqlEventLogStorageTable, SqliteEventLogStorage

_OPEN = 8


class PooledSqliteEventLog(SqliteEventLogStorage):
    """The same tables in the same files, at a quarter of the time per event.

    Dagster creates an engine for every statement, so each event opens its file and compiles its SQL again, which takes
    longer than the hundreds of checks of a run. Here the engines of the files used last stay open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(*args, **kwargs)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "PooledSqliteEventLog":
        """Return the storage that `dagster.yaml` configures."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            if len(self._engines) >= _OPEN:
                self._engines.popitem(last=False)[1].dispose()
            engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": 60})
            event.listen(engine, "connect", _settings)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        return self._engines[shard]

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


def _settings(connection: Any, _: object) -> None:
    # With a write-ahead log this never corrupts the file; a power loss may lose the last events, never a snapshot.
    connection.execute("pragma synchronous = normal")
