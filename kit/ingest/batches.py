"""Batches of rows as Parquet files: paths, frames, Arrow tables and mappings, as sources yield them."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kit.core import IngestError, database, frame_types

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 50_000
_NO_BATCHES = ("pandas", "polars", "numpy")
_EXACT = 2**53
"""The whole numbers up to here are the same as floats."""


class BatchFiles:
    """The files of one read in a folder, in the order of the batches; `count` is called with the number of rows so far.

    A column that some batches of mappings lack is null there. Raises `IngestError`, which starts with `label`, for a batch
    that is none, and for values that no column can hold.
    """

    def __init__(self, label: str, folder: Path, count: Callable[[int], None] = lambda rows: None) -> None:
        self.label, self.folder, self.rows = label, folder, 0
        self._count = count
        self._paths: list[Path] = []
        self._mappings: list[Mapping[str, Any]] = []
        self._of_mappings: dict[Path, list[str]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def add(self, batch: Any) -> None:
        """Write a batch; mappings are collected and written together."""
        if isinstance(batch, Mapping):
            self._mappings.append(batch)
            if len(self._mappings) >= _ROWS_AT_ONCE:
                self._flush()
        elif isinstance(batch, str | os.PathLike):
            self._flush()
            self._take(Path(batch))
        elif frame := as_frame(batch):
            self._flush()
            self._write(frame[0])
        elif is_batches(batch):
            for item in batch:
                self.add(item)
        else:
            raise IngestError(
                f"{self.label}: yielded {type_name(batch)}; yield mappings, lists of them, polars frames or Parquet files"
            )

    def close(self) -> list[Path]:
        """Return the files, all of which have the same columns where they were made of mappings."""
        import polars as pl

        self._flush()
        columns = dict.fromkeys(name for names in self._of_mappings.values() for name in names)
        for path, names in self._of_mappings.items():
            if missing := [name for name in columns if name not in names]:
                frame = pl.read_parquet(path).with_columns(pl.lit(None).alias(name) for name in missing)
                frame.write_parquet(path)
        return self._paths

    def _next(self) -> Path:
        self._paths.append(self.folder / f"{len(self._paths):06}.parquet")
        return self._paths[-1]

    def _flush(self) -> None:
        if self._mappings:
            frame = _of_mappings(self.label, self._mappings, self.rows)
            self._mappings = []
            self._write(frame)
            self._of_mappings[self._paths[-1]] = frame.columns

    def _write(self, frame: "pl.DataFrame | pl.LazyFrame") -> None:
        path = self._next()
        write_frame(self.label, frame, path)
        self._counted(path)

    def _take(self, path: Path) -> None:
        """Move a file of the temporary folder into place, else copy it."""
        target = self._next()
        try:
            path.rename(target) if path.is_relative_to(self.folder.parent) else shutil.copyfile(path, target)
        except FileNotFoundError:
            raise IngestError(f"{self.label}: {path} does not exist; yield the path of a Parquet file") from None
        self._counted(target)

    def _counted(self, path: Path) -> None:
        self.rows += rows_of(path)
        self._count(self.rows)


def is_batches(value: Any) -> bool:
    """Whether a value is an iterator of batches, or a collection of them; frames of other libraries only look like one."""
    library = type(value).__module__.partition(".")[0]
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) and library not in _NO_BATCHES


def as_frame(value: Any) -> "tuple[pl.DataFrame | pl.LazyFrame] | None":
    """Return a polars frame, or that of an Arrow table, in a tuple; None for any other value."""
    module = type(value).__module__.partition(".")[0]
    if module == "polars" and hasattr(value, "collect_schema"):
        return (value,)
    if hasattr(value, "__arrow_c_stream__") and module in ("pyarrow", "duckdb", "_duckdb", "arro3", "nanoarrow"):
        import polars as pl

        return (pl.DataFrame(value),)
    return None


def write_frame(label: str, frame: "pl.DataFrame | pl.LazyFrame", target: Path) -> None:
    """Write a polars frame as Parquet; raises `IngestError` for a column whose values no table can hold."""
    import polars as pl

    if problems := list(frame_types.misfits(frame.lazy().collect_schema())):
        raise IngestError(f"{label}: the frame: {'; '.join(problems[:3])}")
    if isinstance(frame, pl.LazyFrame):
        frame.sink_parquet(target)
    else:
        frame.write_parquet(target)


def rows_of(path: Path) -> int:
    """Return the number of rows of a Parquet file, from its footer."""
    with database.connect() as connection:
        query = f"select coalesce(sum(num_rows), 0)::bigint from parquet_file_metadata({database.file_literal(path)})"
        (rows,) = connection.execute(query).fetchone() or (0,)
    return int(rows)


def type_name(value: object) -> str:
    """Return the type of a value as a message mentions it."""
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return "nothing" if value is None else f"a {name}"


def _of_mappings(label: str, rows: list[Mapping[str, Any]], before: int) -> "pl.DataFrame":
    """Return rows as a frame, exactly: a column that mixes types is refused with the place of the first other value."""
    import polars as pl

    series = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [_plain(row.get(name)) for row in rows]
        found: dict[str, int] = {}
        for number, value in enumerate(values):
            if value is not None:
                found.setdefault(_kind(value), number)
        if len(found) > 1:
            each = " and ".join(f"{kind} in row {before + number + 1:,}" for kind, number in found.items())
            raise IngestError(f"{label}: '{name}' is {each}; make all of them one type, or text")
        try:
            series.append(pl.Series(str(name), _numbers(values) if "a number" in found else values))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            reason = str(error).partition("\n")[0]
            raise IngestError(f"{label}: '{name}' cannot be a column: {reason[:120]}") from None
    return pl.DataFrame(series)


def _numbers(values: list[Any]) -> list[Any]:
    """Return numbers in one type; raises `ValueError` for a whole number that no float holds, among floats."""
    kinds = {type(value) for value in values if value is not None}
    if Decimal in kinds and len(kinds) > 1:
        return [None if value is None else Decimal(str(value)) for value in values]
    if float in kinds and int in kinds:
        if wide := next((value for value in values if isinstance(value, int) and abs(value) > _EXACT), None):
            raise ValueError(f"it has floats, and {wide}, which no float holds; make all of them text or Decimal")
        return [None if value is None else float(value) for value in values]
    return values


def _plain(value: Any) -> Any:
    """Return a value that polars reads as it is; an object, and a list with objects in it, as JSON text."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value
    is_list = isinstance(value, list | tuple)
    if isinstance(value, Mapping) or (is_list and any(isinstance(item, Mapping | list) for item in value)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return [_plain(item) for item in value] if is_list else value


def _kind(value: Any) -> str:
    """Return the kind of a value for a message; values of one kind fit into one column."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, datetime):
        return "a moment with a time zone" if value.tzinfo else "a timestamp"
    known = {str: "text", bytes: "bytes", date: "a date", time: "a time", list: "a list"}
    return next((text for kind, text in known.items() if isinstance(value, kind)), type_name(value))
