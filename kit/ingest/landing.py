"""Landing raw data: each source read with the types of its contract, kept once per content."""

import contextlib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.core import IngestError, database, sha256, short, sync_path
from kit.ingest.typed_reader import convert
from kit.mesh import DataProduct, Source


@dataclass(frozen=True)
class LandedSource:
    """Raw data of one source as it was taken in. `digest` is that of its content."""

    source: str
    digest: str
    path: Path
    rows: int


def package_file(package: str, path: str) -> Path:
    """A file shipped inside an installed Python package, found without importing the package.

    Raises `IngestError` when package or file is missing.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        spec = None
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise IngestError(f"the package '{package}' is not installed; install it with `pip install {package}`")
    found = Path(folders[0]) / path
    if not found.is_file():
        raise IngestError(f"the package '{package}' has no file {path}")
    return found


def land(product: DataProduct, source: Source, raw: Path) -> LandedSource:
    """Take in one source: call the function of its name in `ingest.py` and keep what it returns as typed Parquet.

    The function returns the path of a Parquet or CSV file, absolute or from the domain folder, or a polars frame. Nothing
    is guessed: columns and types are those of the contract, and the same content lands at the same place, once. Raises
    `IngestError`.
    """
    given, name = _call(product, source.name), f"{product.name}.raw.{source.name}"
    types = {column.name: column.type for column in source.contract.columns}
    folder = raw / product.name / source.name
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.parquet"
    try:
        if isinstance(given, str | os.PathLike):
            origin = product.folder / given
            if not origin.is_file():
                problem = "is no file, but a folder or a device" if origin.exists() else "is not there"
                raise IngestError(f"{name}: {origin} {problem}; return the path of a file")
            stamp = _stamp(origin)
            # The types are part of what is kept: another contract lands the same bytes anew.
            digest = f"{sha256(origin)[:32]}-{_types_digest(types)}"
            target = folder / f"{digest}.parquet"
            if not target.exists():
                convert(f"{name}: {origin.name}", types, origin, temporary)
                if _stamp(origin) != stamp:
                    raise IngestError(f"{name}: {origin.name} changed while it was read; give it its name once it is complete")
                _keep(temporary, target)
        else:
            _write_frame(name, types, given, temporary)
            digest = f"{sha256(temporary)[:32]}-{_types_digest(types)}"
            target = folder / f"{digest}.parquet"
            _keep(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    # No bound parameter: for one DuckDB would import pandas.
    query = f"select sum(num_rows)::bigint from parquet_file_metadata({database.literal(str(target))})"
    with database.connect() as connection:
        (rows,) = connection.execute(query).fetchone() or (0,)
    return LandedSource(source.name, digest, target, rows)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What differs after a file was written to or replaced."""
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _keep(temporary: Path, target: Path) -> None:
    """Move landed data into place whole: it is never looked at again, so a power loss must not halve it."""
    sync_path(temporary)
    temporary.replace(target)
    sync_path(target.parent)


def _types_digest(types: Mapping[str, str]) -> str:
    text = ",".join(f"{column} {kind}" for column, kind in types.items())
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _call(product: DataProduct, name: str) -> Any:
    path = product.folder / "ingest.py"
    with _importing(product.folder):
        function = getattr(_load(path, f"kit_ingest_{product.name}"), name, None)
        if not callable(function):
            raise IngestError(f"{short(path)}: has no function '{name}'; write one that returns the raw data's path or frame")
        try:
            # Standard output belongs to the command.
            with contextlib.redirect_stdout(sys.stderr):
                return function()
        except IngestError:
            raise
        except (Exception, SystemExit) as error:
            raise IngestError(f"{short(path)}: {name}() failed: {_told(error)}") from error


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """Let a domain's `ingest.py` import the files beside it, and forget them afterwards; leave no `__pycache__`."""
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
        raise IngestError(f"{short(path)}: cannot be loaded as Python")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except IngestError:
        raise
    except (Exception, SystemExit) as error:
        raise IngestError(f"{short(path)}: fails on import: {_told(error)}") from error
    return module


def _write_frame(name: str, types: Mapping[str, str], frame: Any, target: Path) -> None:
    write = getattr(frame, "sink_parquet", None) or getattr(frame, "write_parquet", None)
    if write is None:
        kind = type(frame)
        what = (
            "nothing" if frame is None else f"a {'' if kind.__module__ == 'builtins' else kind.__module__ + '.'}{kind.__name__}"
        )
        raise IngestError(f"{name}: returned {what}; return a path or a polars frame")
    loose = target.with_suffix(".loose.parquet")
    try:
        try:
            write(loose)
        except Exception as error:
            raise IngestError(f"{name}: the frame cannot be written: {_told(error)}") from error
        convert(f"{name}: the frame", types, loose, target)
    finally:
        loose.unlink(missing_ok=True)


def _told(error: BaseException) -> str:
    """An exception as part of a sentence."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:150]}{' …' if len(text) > 150 else ''}"
