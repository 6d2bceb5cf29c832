"""Landing raw data: each source read with the types of its contract, kept once per content."""

import csv
import gzip
import hashlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kit import work
from kit.contract import Contract
from kit.errors import IngestError
from kit.files import sha256, short
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
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise IngestError(f"the package '{package}' is not installed; install it with `pip install {package}`")
    found = Path(folders[0]) / path
    if not found.is_file():
        raise IngestError(f"the package '{package}' has no file {path}")
    return found


def land(product: DataProduct, source: Source, raw: Path) -> Landing:
    """Take in one source: call the function of its name in `ingest.py` and keep what it returns as typed Parquet.

    The function returns the path of a Parquet or CSV file, or a polars frame. Nothing is guessed: columns and types
    are those of the contract, and the same content lands at the same place, once. Raises `IngestError`.
    """
    given = _call(product, source.name)
    folder = raw / product.name / source.name
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{os.getpid()}.parquet"
    try:
        if isinstance(given, str | os.PathLike):
            origin = Path(given)
            if not origin.is_file():
                raise IngestError(f"{_name(product, source)}: there is no file {origin}")
            # The types are part of what is kept: another contract lands the same bytes anew.
            digest = f"{sha256(origin)[:32]}-{_types_digest(source.contract)}"
            target = folder / f"{digest}.parquet"
            if not target.exists():
                _convert(_name(product, source), source.contract, origin, temporary)
                temporary.replace(target)
        else:
            _write_frame(_name(product, source), source.contract, given, temporary)
            digest = f"{sha256(temporary)[:32]}-{_types_digest(source.contract)}"
            target = folder / f"{digest}.parquet"
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    with work.connect() as connection:
        (rows,) = connection.execute(
            "select sum(num_rows)::bigint from parquet_file_metadata(?)", [str(target)]
        ).fetchone() or (0,)
    return Landing(source.name, digest, target, rows)


def _name(product: DataProduct, source: Source) -> str:
    return f"{product.name}.raw.{source.name}"


def _types_digest(contract: Contract) -> str:
    text = ",".join(f"{column.name} {column.type}" for column in contract.columns)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _call(product: DataProduct, name: str) -> Any:
    path = product.folder / "ingest.py"
    function = getattr(_load(path, f"kit_ingest_{product.name}"), name, None)
    if not callable(function):
        raise IngestError(f"{short(path)}: has no function '{name}'; write one that returns the raw data's path or frame")
    try:
        return function()
    except IngestError:
        raise
    except Exception as error:
        raise IngestError(f"{short(path)}: {name}() failed: {type(error).__name__}: {error}") from error


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise IngestError(f"{short(path)}: cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    keep = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a build leaves no __pycache__ in the domain folder
    try:
        spec.loader.exec_module(module)
    except IngestError:
        raise
    except Exception as error:
        raise IngestError(f"{short(path)}: fails on import: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = keep
    return module


def _convert(name: str, contract: Contract, origin: Path, target: Path) -> None:
    import duckdb

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
                raise IngestError(
                    f"{name}: {origin.name} breaks its contract: {'; '.join(work.schema_problems(contract, found))}"
                )
            casts = ", ".join(f"{work.quoted(c)}::{kind} as {work.quoted(c)}" for c, kind in promised.items())
            if found == promised and origin.suffix == ".parquet":
                # Read once, end to end, so that a damaged file stops here; then kept byte for byte.
                connection.execute(f"select {', '.join(f'max({work.quoted(c)})' for c in promised)} from raw").fetchall()
                target.write_bytes(origin.read_bytes())
            else:
                connection.execute(f"copy (select {casts} from raw) to {work.literal(str(target))} (format parquet)")
    except duckdb.Error as error:
        raise IngestError(f"{name}: {origin.name} cannot be read with the contract's types: {_first_line(error)}") from None


def _csv_view(connection: Any, contract: Contract, origin: Path) -> None:
    opener = gzip.open if origin.suffix == ".gz" else open
    try:
        with opener(origin, "rt", encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError) as error:
        raise IngestError(f"{contract.id}: {origin.name} is not readable UTF-8 CSV: {error}") from None
    types = {column.name: column.type for column in contract.columns}
    if sorted(header) != sorted(types):
        found = ", ".join(header) or "none"
        raise IngestError(f"{contract.id}: the columns of {origin.name} are {found}; the contract says {', '.join(types)}")
    columns = ", ".join(f"{work.literal(name)}: {work.literal(types[name])}" for name in header)
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
        write(loose)
        _convert(name, contract, loose, target)
    finally:
        loose.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
