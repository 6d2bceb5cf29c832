"""Landing of raw data: each source is read in the types of its contract and kept once for each content."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from kit.core import IngestError, SourceChanged, database, has_sum, set_aside, sha256, sync_path, write_sum
from kit.ingest.connector import Origin
from kit.ingest.erased import ErasedKeys
from kit.ingest.increment import LastRead, check_declared, column_differences, combine, record, without_key
from kit.ingest.process import IngestProcess, Returned
from kit.ingest.typed_reader import FileSchema, convert
from kit.mesh import Source


@dataclass(frozen=True)
class LandedSource:
    """The raw data of one source as Parquet. `digest` is that of its content and of the schema it was read with.

    `delivered` is the time (UTC) that the source declares with `Delivery`, else that of the file it returned, else the time
    when this content was landed first. `kind` is that of its connector, `python` for an iterator, else empty. `increment` is
    what the manifest keeps for the next read, None for a source that is read as a whole. `origins` are the datasets outside of
    the mesh that it was read from, as far as they are known.
    """

    source: str
    digest: str
    path: Path
    rows: int
    delivered: datetime = field(compare=False)
    kind: str = ""
    increment: Mapping[str, Any] | None = field(default=None, compare=False)
    origins: tuple[Origin, ...] = field(default=(), compare=False)


def land(process: IngestProcess, source: Source, raw: Path, last: Iterable[Mapping[str, Any]] = ()) -> LandedSource:
    """Read a source by its function in `ingest.py`, and write its data below `raw` as typed Parquet.

    The function returns the path of a Parquet or CSV file, absolute or relative to the domain folder, a polars frame, an
    iterator of mappings or frames, or a connector; each of them in a `Delivery` when it knows the time of its delivery. A file
    is read only where the process may read. Columns, types and the CSV format are those of the contract; none of them is
    guessed. The same content lands once, at the same place. `last` are the entries of the source in the manifests of the
    published snapshot and of those before it: new rows are merged into the newest data that is whole, without any all rows are
    read. Raises `IngestError`.
    """
    landing = _Landing(process, source, raw, iter(last))
    try:
        return landing.land()
    finally:
        landing.discard()


def stream_differences(
    process: IngestProcess, source: Source, raw: Path, facts: Mapping[str, Any], last: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return how the stream of a connector in `facts` differs from what a build would take, see `land` for the others."""
    schema = FileSchema.from_contract(source.contract, process.product.hidden_columns)
    folder = raw / process.product.name / source.name
    return column_differences(source.contract, facts, LastRead.newest(folder, last, source.contract, schema))


class _Landing:
    """The landing of one source in its folder below `raw`; `entries` are those of the manifests, newest first."""

    def __init__(self, process: IngestProcess, source: Source, raw: Path, entries: Iterator[Mapping[str, Any]]) -> None:
        self.published, self.older = next(entries, {}), entries
        self.process, self.source, self.contract = process, source, source.contract
        self.label = f"{process.product.name}.raw.{source.name}"
        self.schema = FileSchema.from_contract(source.contract, process.product.hidden_columns)
        self.folder = raw / process.product.name / source.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.temporary = self.folder / f".{os.getpid()}.parquet"
        self.erased = ErasedKeys.load(raw.parent, self.label)

    def land(self) -> LandedSource:
        """Read the source, all of it or what is new since one of the manifest entries, and put its data into place."""
        asked = time.time()
        last = LastRead.newest(self.folder, chain((self.published,), self.older), self.contract, self.schema)
        returned = self.process.call(
            self.source.name, self.label, last.record if last else None,
            lambda facts: check_declared(self.label, self.contract, self.schema, facts, last),
        )  # fmt: skip
        if not returned.is_frame:
            return self._file(returned, asked)
        if not returned.facts:
            (path,) = map(Path, returned.paths)
            convert(f"{self.label}: the frame", self.schema, path, self.temporary)
            self._erase(self.temporary)
            return self._landed(returned, self._made())
        return self._batches(returned, last)

    def discard(self) -> None:
        """Delete what was not put into place."""
        for path in self.folder.glob(f".{os.getpid()}[.-]*"):
            path.unlink(missing_ok=True)

    def _file(self, returned: Returned, asked: float) -> LandedSource:
        """Land a file that the function names."""
        (name,), delivered = returned.paths, returned.delivered
        path = _file(self.label, self.process.product.folder, name)
        self.process.check_readable(self.label, path, self.source.name)
        stamp, content = _stamp(path), self.erased.digest(sha256(path))
        # A file that the function itself has written is as new as the call, whatever it contains. The clock of a file
        # system may be a little behind.
        if delivered is None and path.stat().st_mtime < asked - 2:
            delivered = _modified(path)
        # Another contract reads the same bytes in another way.
        target = self._target(content)
        rows = self._sound_rows(target)
        if rows is None:
            convert(f"{self.label}: {path.name}", self.schema, path, self.temporary)
            if _stamp(path) != stamp:
                problem = f"{path.name} changed while it was read; give it its name once it is complete"
                raise SourceChanged(f"{self.label}: {problem}")
            self._erase(self.temporary)
            rows = self._put(target)
        origins = () if self.process.is_temporary(path) else (Origin("file", str(path.resolve())),)
        return LandedSource(self.source.name, target.stem, target, rows, delivered or _modified(target), origins=origins)

    def _batches(self, returned: Returned, last: LastRead | None) -> LandedSource:
        """Land the rows that a connector or an iterator yielded; an increment is merged into the rows of the last read."""
        facts = returned.facts
        if facts.get("state") is not None and not self.contract.key:
            raise IngestError(f"{self.label}: {without_key(self.contract, 'a state')}")
        last = last if facts.get("is_increment") else None
        typed = [self.folder / f".{os.getpid()}-{number:06}.parquet" for number in range(len(returned.paths))]
        for path, target in zip(map(Path, returned.paths), typed, strict=True):
            convert(f"{self.label}: its rows", self.schema, path, target)
            path.unlink()
        new = combine(typed, self.temporary, self.contract, self.schema, facts, last)
        merged = last.path if new is None and last else self.temporary
        target = self._made() if self._erase(merged) or merged == self.temporary else merged
        kept = record(self.contract, facts, last)
        return self._landed(returned, target, kept if kept is None else {**kept, "new_rows": new or 0})

    def _landed(self, returned: Returned, target: Path, kept: Mapping[str, Any] | None = None) -> LandedSource:
        rows = _rows(target, self.schema) or 0
        delivered, kind = returned.delivered or _modified(target), str(returned.facts.get("kind", ""))
        origins = tuple(Origin(**origin) for origin in (returned.facts.get("stream") or {}).get("origins", ()))
        return LandedSource(self.source.name, target.stem, target, rows, delivered, kind, kept, origins)

    def _erase(self, file: Path) -> int:
        """Make the temporary file one with the rows of `file` that were not erased; return how many are missing."""
        rest = self.folder / f".{os.getpid()}-rest.parquet"
        rows = self.erased.remove_rows(file, rest)
        if rows:
            rest.replace(self.temporary)
        return rows

    def _target(self, content: str) -> Path:
        """The place of content with this checksum; another contract reads the same bytes in another way."""
        return self.folder / f"{content[:32]}-{self.schema.digest()}.parquet"

    def _made(self) -> Path:
        """Put the temporary file into place, unless the same content is there; return its place."""
        target = self._target(sha256(self.temporary))
        if self._sound_rows(target) is None:
            self._put(target)
        return target

    def _sound_rows(self, target: Path) -> int | None:
        """The number of rows of landed data; None when there is none, or it is damaged.

        The manifest has that of the published data, whose place depends on its content and on the columns of the contract.
        """
        if not has_sum(target):
            return None
        return int(self.published["rows"]) if self.published.get("digest") == target.stem else _rows(target, self.schema)

    def _put(self, target: Path) -> int:
        rows = _rows(self.temporary, self.schema)
        if rows is None:
            raise IngestError(f"{self.label}: the rows could not be written in the types of the contract")
        _move_into_place(self.temporary, target)
        return rows


@contextmanager
def delivered_file(process: IngestProcess, source: str) -> Iterator[Path]:
    """Call the function of a source, which may have no contract yet; yield the file it names, or that of its frame.

    Of an iterator or a connector it is the first batch. The file may lie at a place that
    the contract has to declare. Raises `IngestError`, also for one of another product.
    """
    label = f"{process.product.name}.raw.{source}"
    with process:
        returned = process.call(source, label, first_only=True)
        if not returned.paths:
            raise IngestError(f"{label}: it has no rows, which would show its columns and their types")
        path = _file(label, process.product.folder, returned.paths[0])
        if any(path.resolve().is_relative_to(folder.resolve()) for folder in process.places.hidden):
            process.check_readable(label, path, source)
        yield path


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _file(label: str, folder: Path, returned: str) -> Path:
    """The file that a source names; raises `IngestError` when it is none."""
    try:
        path = folder / returned
        if path.is_file():
            return path
        problem = "is no file, but a folder or a device" if path.exists() else "does not exist"
    except OSError as error:  # a name that is too long
        raise IngestError(f"{label}: the path it returned is invalid: {error.strerror}") from None
    raise IngestError(f"{label}: {path} {problem}; return the path of a file")


def _rows(path: Path, schema: FileSchema) -> int | None:
    """The number of rows of a landed file; None when there is none, or one that is damaged or has other columns.

    A file is judged by its footer, which is written last; its checksum tells whether it has changed since.
    """
    import duckdb

    if not path.is_file():
        return None
    try:
        with database.connect() as connection:
            database.add_views(connection, {"landed": [path]})
            if database.column_types(connection, "landed") != schema.types:
                return None
            # DuckDB imports pandas for a bound parameter.
            query = f"select sum(num_rows)::bigint from parquet_file_metadata({database.file_literal(path)})"
            (rows,) = connection.execute(query).fetchone() or (0,)
    except duckdb.Error:
        return None
    return int(rows)


def _stamp(path: Path) -> tuple[int, int, int]:
    """Values of which one differs after a file was written or replaced."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _move_into_place(temporary: Path, target: Path) -> None:
    """Move landed data to its place, whole even after a power loss, with its checksum beside it.

    What replaces damaged data has its time: the same content was delivered then.
    """
    if target.is_file():
        os.utime(temporary, ns=(target.stat().st_atime_ns, target.stat().st_mtime_ns))
    if target.is_dir():
        set_aside(target)
    sync_path(temporary)
    temporary.replace(target)
    sync_path(target.parent)
    write_sum(target)
