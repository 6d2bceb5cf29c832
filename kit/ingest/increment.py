"""Increments of a source: what was read last, what a source must declare to be read so, and the merge of new rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.contracts import Contract
from kit.core import IngestError, database, has_sum, short
from kit.ingest import casts
from kit.ingest.typed_reader import FileSchema

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class LastRead:
    """The raw data of a published snapshot, which an increment is added to: its file, and the facts recorded with it."""

    path: Path
    record: Mapping[str, Any]

    @classmethod
    def newest(
        cls, folder: Path, entries: Iterable[Mapping[str, Any]], contract: Contract, schema: FileSchema
    ) -> "LastRead | None":
        """Return the first whole file in `folder` of these manifest entries of a source; None when all rows have to be read.

        The entries are those of the current snapshot and of the ones before it: when a file is damaged or missing, the rows
        since the one before it are read again. All rows are read without a state, and after a change of the columns, types or
        key of the contract.
        """
        for entry in entries:
            record, digest = entry.get("increment"), str(entry.get("digest"))
            if not record or not digest.endswith(f"-{schema.digest()}") or record["key"] != list(contract.key):
                return None
            path = folder / f"{digest}.parquet"
            if has_sum(path):
                return cls(path, record)
        return None


def record(contract: Contract, facts: Mapping[str, Any], before: LastRead | None) -> dict[str, Any] | None:
    """Return what the manifest keeps for the next read; None for a source that has no state."""
    state = facts.get("state")
    if state is None and facts.get("is_increment") and before:
        state = before.record["state"]
    if state is None:
        return None
    types = stream_types(facts)
    return {"state": state, "declared": facts["declared"], "key": list(contract.key), **({"types": types} if types else {})}


def check_declared(label: str, contract: Contract, schema: FileSchema, facts: Mapping[str, Any], last: LastRead | None) -> None:
    """Raise `IngestError` when a connector cannot be read as declared, or its stream is not as the contract says.

    No row has been read then. A type that has changed since the `last` read is a difference unless it is the contract's.
    """
    for problem in declaration_problems(contract, schema.hidden, facts.get("cursor"), facts.get("deleted")):
        raise IngestError(f"{label}: {problem}")
    where = short(contract.path)
    if differences := column_differences(contract, facts, last):
        raise IngestError(
            f"{label}: its columns are not those of the contract, and nothing was read: {'; '.join(differences)}; "
            f"correct {where} (`kit contract draft {contract.id} --write` adds new columns)"
        )


def declaration_problems(contract: Contract, hidden: Collection[str], cursor: str | None, deleted: str | None) -> Iterator[str]:
    """Yield why increments cannot be read with a contract; `hidden` are columns whose values nothing shows."""
    columns = {column.physical_name or column.name: column.name for column in contract.columns}
    where = short(contract.path)
    if cursor:
        if not contract.key:
            yield without_key(contract, f"the cursor {cursor}")
        if cursor not in columns:
            yield f"'{cursor}' is the cursor, and is no column of the contract; add it to {where}"
        elif columns[cursor] in hidden:
            yield f"the cursor {cursor} is personal or masked, and its value would be in the manifest; choose another"
    if deleted and deleted not in columns:
        yield f"'{deleted}' marks deleted rows, and is no column of the contract; add it to {where}"


def column_differences(contract: Contract, facts: Mapping[str, Any], last: LastRead | None = None) -> list[str]:
    """Return how the stream in these facts differs from a contract; empty where a connector does not describe it."""
    if not (types := stream_types(facts)):
        return []
    wanted = {column.physical_name or column.name: column.type for column in contract.columns}
    before = last.record.get("types", {}) if last else {}
    differences = [f"'{item['name']}' {item['problem']}" for item in facts["stream"]["columns"] if item["problem"]]
    differences += [f"'{name}' ({kind}) is not in the contract" for name, kind in types.items() if name not in wanted]
    differences += [f"'{name}' is missing" for name in wanted if name not in types]
    for name in wanted.keys() & before.keys() & types.keys():
        if types[name] not in (before[name], wanted[name]):
            differences.append(f"'{name}' is {types[name]}, was {before[name]}, and the contract says {wanted[name]}")
    for name in (wanted.keys() & types.keys()) - before.keys():
        if types[name] and not casts.is_castable(types[name], wanted[name]):
            differences.append(f"'{name}' is {types[name]}, the contract says {wanted[name]}")
    return differences


def without_key(contract: Contract, reason: str) -> str:
    """Return that a contract lacks the key that rows are merged by; `reason` is why they are."""
    return (
        f"with {reason} only new rows are read, and they replace older ones by the key, which the contract lacks; "
        f"write primaryKey: true at the columns that identify a row, in {short(contract.path)}"
    )


def stream_types(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the types of the columns that a connector described; empty when it did not."""
    return {item["name"]: item["type"] for item in (facts.get("stream") or {}).get("columns", ())}


def combine(
    files: Sequence[Path], target: Path, contract: Contract, schema: FileSchema, facts: Mapping[str, Any], last: LastRead | None
) -> int | None:
    """Write the rows of typed files, merged into those of the `last` read, in the order of the key; return how many are new.

    Returns None, and writes nothing, when the last read has all of them already. The last row of a key counts: the one with
    the greatest cursor, then the one that came last. Rows that are marked as deleted are removed.
    """
    with database.connect() as connection:
        connection.execute(f"set temp_directory = {database.literal(str(target.with_suffix('')))}")
        # An increment is small, and read several times.
        kind = "view" if last is None else "temp table"
        connection.execute(f"create {kind} fresh as {_fresh(files, contract, schema, facts)}")
        key, order = _columns(contract.key), _columns(contract.key) or "all"
        gone = _deleted(contract, schema, facts)
        if last is None:
            (rows,) = connection.execute("select count(*) from fresh").fetchone() or (0,)
            _write(connection, f"select * from fresh where not ({gone}) order by {order}", target)
            return int(rows)
        same_key = " and ".join(f"base.{name} is not distinct from fresh.{name}" for name in map(database.quoted, contract.key))
        connection.execute(f"create view base as select * from {database.parquet([last.path])}")
        connection.execute(f"create temp table known as select * from base where exists (select 1 from fresh where {same_key})")
        changes = (
            f"(select count(*) from (select * from fresh where not ({gone}) except select * from known)) + "
            f"(select count(*) from known where ({key}) in (select ({key}) from fresh where {gone}))"
        )
        (rows,) = connection.execute(f"select {changes}").fetchone() or (0,)
        if not rows:
            return None
        kept = f"select * from base where not exists (select 1 from fresh where {same_key})"
        _write(connection, f"select * from ({kept} union all select * from fresh where not ({gone})) order by {order}", target)
        return int(rows)


def _fresh(files: Sequence[Path], contract: Contract, schema: FileSchema, facts: Mapping[str, Any]) -> str:
    """SQL for the rows that were read, one for each key unless the source reads each row once."""
    if not files:
        return f"select {', '.join(f'null::{kind} as {database.quoted(name)}' for name, kind in schema.types.items())} limit 0"
    names = ", ".join(map(database.file_literal, files))
    rows = f"read_parquet([{names}], hive_partitioning = false, filename = ' file', file_row_number = true)"
    query = f'select * exclude (" file", file_row_number) from {rows}'
    if not contract.key or facts.get("state") is None or facts.get("reads_each_row_once"):
        return query
    cursor = next((column for column, name in schema.names.items() if name == facts.get("cursor")), None)
    newest = f"{database.quoted(cursor)} desc nulls last, " if cursor else ""
    order = f'{newest}" file" desc, file_row_number desc'
    return f"{query} qualify row_number() over (partition by {_columns(contract.key)} order by {order}) = 1"


def _deleted(contract: Contract, schema: FileSchema, facts: Mapping[str, Any]) -> str:
    """SQL that is true for a row that is marked as deleted."""
    column = next((column for column, name in schema.names.items() if name == facts.get("deleted")), None)
    if column is None:
        return "false"
    name = database.quoted(column)
    return f"coalesce({name}, false)" if schema.types[column] == "boolean" else f"{name} is not null"


def _columns(names: Sequence[str]) -> str:
    return ", ".join(map(database.quoted, names))


def _write(connection: "duckdb.DuckDBPyConnection", query: str, target: Path) -> None:
    connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)")
