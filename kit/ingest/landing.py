"""Landing of raw data: each source is read in the types of its contract and kept once for each content."""

import contextlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.core import (
    IngestError,
    SourceChanged,
    database,
    frame_types,
    has_sum,
    is_failure,
    set_aside,
    sha256,
    sync_path,
    write_sum,
)
from kit.ingest.typed_reader import FileSchema, convert
from kit.mesh import DataProduct, Source

_AHEAD = timedelta(days=1)  # clocks differ, and a date may have begun elsewhere


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


@dataclass(frozen=True)
class Delivery:
    """What a function of `ingest.py` returns to say when its data was delivered: the data (a path or a frame) and the time.

    The time is a `datetime` (UTC without a time zone), a `date`, or the ISO text of one, such as a date in the manifest of a
    feed or the newest cursor of an interface.
    """

    data: Any
    at: datetime | date | str

    def time(self, label: str) -> datetime:
        """Return the time in UTC; raises `IngestError` for a text that is none, and for a time in the future."""
        try:
            value = datetime.fromisoformat(self.at) if isinstance(self.at, str) else self.at
            moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        except (ValueError, AttributeError):
            problem = f"delivered at {self.at!r}, which is no time; give a datetime, a date, or its ISO text"
            raise IngestError(f"{label}: {problem}") from None
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > datetime.now(UTC) + _AHEAD:
            raise IngestError(f"{label}: delivered at {moment:%Y-%m-%d %H:%M} UTC, which is in the future; correct the time")
        return moment


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


def land(product: DataProduct, source: Source, raw: Path) -> LandedSource:
    """Call the function of a source in `ingest.py`, and write the data it returns below `raw` as typed Parquet.

    The function returns the path of a Parquet or CSV file, absolute or relative to the domain folder, or a polars frame,
    either of them in a `Delivery` when it knows the time of its delivery.
    Columns, types and the CSV format are those of the contract; none of them is guessed. The same content lands once, at
    the same place. Raises `IngestError`.
    """
    asked, label = time.time(), f"{product.name}.raw.{source.name}"
    returned, delivered = _call(product, source.name), None
    if isinstance(returned, Delivery):
        returned, delivered = returned.data, returned.time(label)
    schema = FileSchema.from_contract(source.contract)
    folder = raw / product.name / source.name
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.parquet"
    try:
        path = _file(label, product.folder, returned) if isinstance(returned, str | os.PathLike) else None
        if path:
            stamp, content = _stamp(path), sha256(path)
            # A file that the function itself has written is as new as the call, whatever it contains. The clock of a file
            # system may be a little behind.
            if delivered is None and path.stat().st_mtime < asked - 2:
                delivered = _modified(path)
        else:
            _write_frame(label, schema, returned, temporary)
            content = sha256(temporary)
        # Another contract reads the same bytes in another way.
        digest = f"{content[:32]}-{schema.digest()}"
        target = folder / f"{digest}.parquet"
        rows = _rows(target, schema) if has_sum(target) else None
        if rows is None:
            if path:
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


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _file(label: str, folder: Path, returned: "str | os.PathLike[str]") -> Path:
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


def _call(product: DataProduct, name: str) -> Any:
    path = product.folder / "ingest.py"
    with _importing(product.folder):
        function = getattr(_load(path, f"kit_ingest_{product.name}"), name, None)
        if not callable(function):
            raise IngestError(f"has no function '{name}'; write one that returns the raw data's path or frame", path)
        try:
            # Only the command writes to standard output.
            with contextlib.redirect_stdout(sys.stderr):
                return function()
        except IngestError:
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            raise IngestError(f"{name}() failed: {_brief(error)}", path) from error


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """Let a domain's `ingest.py` import the files beside it; afterwards no module of the folder is loaded or cached."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = before
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise IngestError("cannot be loaded as Python", path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except IngestError:
        raise
    except BaseException as error:
        if not is_failure(error):
            raise
        raise IngestError(f"fails on import: {_brief(error)}", path) from error
    return module


def _write_frame(label: str, schema: FileSchema, frame: Any, target: Path) -> None:
    write = getattr(frame, "sink_parquet", None) or getattr(frame, "write_parquet", None)
    if write is None or type(frame).__module__.partition(".")[0] != "polars":
        kind = type(frame)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise IngestError(f"{label}: returned {'nothing' if frame is None else f'a {name}'}; return a path or a polars frame")
    loose = target.with_suffix(".loose.parquet")
    try:
        try:
            problems = list(frame_types.misfits(frame.lazy().collect_schema()))
            if not problems:
                write(loose)
        except BaseException as error:
            if not is_failure(error):
                raise
            raise IngestError(f"{label}: the frame cannot be written: {_brief(error)}") from error
        if problems:
            raise IngestError(f"{label}: the frame: {'; '.join(problems[:3])}")
        convert(f"{label}: the frame", schema, loose, target)
    finally:
        loose.unlink(missing_ok=True)


def _brief(error: BaseException) -> str:
    """The type of an error and the start of the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:150]}{' …' if len(text) > 150 else ''}".removesuffix(": ")
