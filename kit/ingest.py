"""Landing raw data: each source read with the types of its contract, kept once per content."""

import csv
import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kit import work
from kit.contract import Contract
from kit.errors import IngestError
from kit.files import sha256, short, sync_path
from kit.product import DataProduct, Source


@dataclass(frozen=True)
class Landing:
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


def land(product: DataProduct, source: Source, raw: Path) -> Landing:
    """Take in one source: call the function of its name in `ingest.py` and keep what it returns as typed Parquet.

    The function returns the path of a Parquet or CSV file, absolute or from the domain folder, or a polars frame. Nothing
    is guessed: columns and types are those of the contract, and the same content lands at the same place, once. Raises
    `IngestError`.
    """
    given = _call(product, source.name)
    folder = raw / product.name / source.name
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.parquet"
    try:
        if isinstance(given, str | os.PathLike):
            origin = product.folder / given
            if not origin.is_file():
                raise IngestError(f"{_name(product, source)}: there is no file {origin}")
            # The types are part of what is kept: another contract lands the same bytes anew.
            digest = f"{sha256(origin)[:32]}-{_types_digest(source.contract)}"
            target = folder / f"{digest}.parquet"
            if not target.exists():
                _convert(_name(product, source), source.contract, origin, temporary)
                _keep(temporary, target)
        else:
            _write_frame(_name(product, source), source.contract, given, temporary)
            digest = f"{sha256(temporary)[:32]}-{_types_digest(source.contract)}"
            target = folder / f"{digest}.parquet"
            _keep(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    # No bound parameter: for one DuckDB would import pandas.
    query = f"select sum(num_rows)::bigint from parquet_file_metadata({work.literal(str(target))})"
    with work.connect() as connection:
        (rows,) = connection.execute(query).fetchone() or (0,)
    return Landing(source.name, digest, target, rows)


def _name(product: DataProduct, source: Source) -> str:
    return f"{product.name}.raw.{source.name}"


def _keep(temporary: Path, target: Path) -> None:
    """Move landed data into place whole: it is never looked at again, so a power loss must not halve it."""
    sync_path(temporary)
    temporary.replace(target)
    sync_path(target.parent)


def _types_digest(contract: Contract) -> str:
    text = ",".join(f"{column.name} {column.type}" for column in contract.columns)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _call(product: DataProduct, name: str) -> Any:
    path = product.folder / "ingest.py"
    with _importing(product.folder):
        function = getattr(_load(path, f"kit_ingest_{product.name}"), name, None)
        if not callable(function):
            raise IngestError(f"{short(path)}: has no function '{name}'; write one that returns the raw data's path or frame")
        try:
            return function()
        except IngestError:
            raise
        except (Exception, SystemExit) as error:
            raise IngestError(f"{short(path)}: {name}() failed: {type(error).__name__}: {error}") from error


@contextmanager
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
        spec.loader.exec_module(module)
    except IngestError:
        raise
    except (Exception, SystemExit) as error:
        raise IngestError(f"{short(path)}: fails on import: {type(error).__name__}: {error}") from error
    return module


def _convert(name: str, contract: Contract, origin: Path, target: Path, called: str = "") -> None:
    import duckdb

    called = called or origin.name

    try:
        with work.connect() as connection:
            if origin.suffix == ".parquet":
                work.add_views(connection, {"raw": [origin]})
            elif origin.suffix in (".csv", ".gz"):
                _csv_view(connection, contract, origin)
            else:
                raise IngestError(f"{name}: {origin.name} is neither .parquet nor .csv; return such a path or a polars frame")
            found = work.columns(connection, "raw")
            promised = {column.name: column.type for column in contract.columns}
            if set(found) != set(promised):
                raise IngestError(f"{name}: {called} breaks its contract: {'; '.join(work.schema_problems(contract, found))}")
            if found == promised and origin.suffix == ".parquet":
                # Read once, end to end, so that a damaged file stops here; then kept byte for byte.
                connection.execute(f"select {', '.join(f'max({work.quoted(c)})' for c in promised)} from raw").fetchall()
                shutil.copyfile(origin, target)
            else:
                casts = ", ".join(_cast(column, found[column], kind) for column, kind in promised.items())
                connection.execute(f"copy (select {casts} from raw) to {work.literal(str(target))} (format parquet)")
    except duckdb.Error as error:
        raise IngestError(f"{name}: {called} cannot be read with the contract's types: {_reason(error)}") from None


def _cast(column: str, found: str, kind: str) -> str:
    """SQL for a column in the contract's type; digits or a time of day are never rounded off in silence."""
    name, wide = work.quoted(column), _wide(kind)
    # Between floats and decimals rounding is what the contract asks for.
    if wide == kind or found == kind or (found in ("float", "double") and kind.startswith("decimal")):
        return f"{name}::{kind} as {name}"
    value = f"{name}::{wide}" if found == "varchar" else name
    problem = work.literal(f" in column {column} is not exactly a {kind}")
    return f"case when {value}::{kind} <> {value} then error({name}::varchar || {problem}) else {value}::{kind} end as {name}"


def _wide(kind: str) -> str:
    """A type that shows what `kind` would round off, or `kind` itself when it rounds nothing off."""
    if kind == "date":
        return "timestamp"
    if kind.endswith(("int", "integer")):
        return "decimal(38,9)"
    if match := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        precision, scale = int(match[1]), int(match[2])
        return f"decimal(38,{min(scale + 9, 38 - precision + scale)})"
    return kind


def _csv_view(connection: Any, contract: Contract, origin: Path) -> None:
    packed = origin.suffix == ".gz"
    try:
        with (gzip.open if packed else open)(origin, "rt", encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
            while packed and file.read(1 << 20):
                pass  # to the end: only there does a cut or damaged archive show
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise IngestError(f"{contract.id}: {origin.name} is not readable UTF-8 CSV: {error}") from None
    types = {column.name: column.type for column in contract.columns}
    if sorted(header) != sorted(types):
        found = ", ".join(header) or "none"
        raise IngestError(f"{contract.id}: the columns of {origin.name} are {found}; the contract says {', '.join(types)}")
    columns = ", ".join(f"{work.literal(name)}: {work.literal(_wide(types[name]))}" for name in header)
    connection.execute(
        f"create view raw as select * from read_csv({work.literal(str(origin))}, columns = {{{columns}}}, "
        "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', strict_mode = true)"
    )


def _write_frame(name: str, contract: Contract, frame: Any, target: Path) -> None:
    write = getattr(frame, "sink_parquet", None) or getattr(frame, "write_parquet", None)
    if write is None:
        raise IngestError(f"{name}: returned a {type(frame).__name__}; return a path or a polars frame")
    loose = target.with_suffix(".loose.parquet")
    try:
        try:
            write(loose)
        except Exception as error:
            raise IngestError(f"{name}: the frame cannot be written: {type(error).__name__}: {_first_line(error)}") from error
        _convert(name, contract, loose, target, "the frame")
    finally:
        loose.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _reason(error: Exception) -> str:
    """The start of a DuckDB message; of a CSV error also what is wrong in the line, without showing the line."""
    lines = str(error).strip().splitlines()
    return f"{lines[0]}: {lines[2]}" if len(lines) > 2 and lines[1].startswith("Original Line:") else lines[0]
