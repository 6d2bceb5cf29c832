"""Landing of raw data: each source is read in the types of its contract and kept once for each content."""

import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kit.core import IngestError, SourceChanged, database, has_sum, set_aside, sha256, sync_path, write_sum
from kit.ingest.process import IngestProcess
from kit.ingest.typed_reader import FileSchema, convert
from kit.mesh import Source


@dataclass(frozen=True)
class LandedSource:
    """The raw data of one source as Parquet. `digest` is that of its content and of the schema it was read with.

    `delivered` is the time (UTC) that the source declares with `Delivery`, else that of the file it returned, else the time
    when this content was landed first.
    """

    source: str
    digest: str
    path: Path
    rows: int
    delivered: datetime = field(compare=False)


def package_file(package: str, path: str) -> Path:
    """Return the path of a file that is shipped inside a Python package, without an import of the package.

    Raises `IngestError` when package or file is missing.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        spec = None
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise IngestError(f"the package '{package}' is not installed; install it with `pip install {package}`")
    file = Path(folders[0]) / path
    if not file.is_file():
        raise IngestError(f"the package '{package}' has no file {path}")
    return file


def land(process: IngestProcess, source: Source, raw: Path) -> LandedSource:
    """Call the function of a source in `ingest.py`, and write the data it returns below `raw` as typed Parquet.

    The function returns the path of a Parquet or CSV file, absolute or relative to the domain folder, or a polars frame,
    either of them in a `Delivery` when it knows the time of its delivery. A file is read only where the process may read.
    Columns, types and the CSV format are those of the contract; none of them is guessed. The same content lands once, at
    the same place. Raises `IngestError`.
    """
    product = process.product
    asked, label = time.time(), f"{product.name}.raw.{source.name}"
    returned = process.call(source.name, label)
    delivered = returned.delivered
    schema = FileSchema.from_contract(source.contract, product.hidden_columns)
    folder = raw / product.name / source.name
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.parquet"
    try:
        path = _file(label, product.folder, returned.path)
        if not returned.is_frame:
            process.check_readable(label, path, source.name)
            stamp, content = _stamp(path), sha256(path)
            # A file that the function itself has written is as new as the call, whatever it contains. The clock of a file
            # system may be a little behind.
            if delivered is None and path.stat().st_mtime < asked - 2:
                delivered = _modified(path)
        else:
            convert(f"{label}: the frame", schema, path, temporary)
            content = sha256(temporary)
        # Another contract reads the same bytes in another way.
        digest = f"{content[:32]}-{schema.digest()}"
        target = folder / f"{digest}.parquet"
        rows = _rows(target, schema) if has_sum(target) else None
        if rows is None:
            if not returned.is_frame:
                convert(f"{label}: {path.name}", schema, path, temporary)
                if _stamp(path) != stamp:
                    raise SourceChanged(f"{label}: {path.name} changed while it was read; give it its name once it is complete")
            rows = _rows(temporary, schema)
            if rows is None:
                raise IngestError(f"{label}: the rows could not be written in the types of the contract")
            _move_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return LandedSource(source.name, digest, target, rows, delivered or _modified(target))


@contextmanager
def delivered_file(process: IngestProcess, source: str) -> Iterator[Path]:
    """Call the function of a source, which may have no contract yet; yield the file it names, or that of its frame.

    The file may lie at a place that the contract has to declare. Raises `IngestError`, also for one of another product.
    """
    label = f"{process.product.name}.raw.{source}"
    with process:
        returned = process.call(source, label)
        path = _file(label, process.product.folder, returned.path)
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
