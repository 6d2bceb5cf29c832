"""Batches of rows as Parquet files: paths, frames, Arrow tables and mappings, as sources yield them."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core import IngestError, database, frame_types
from kit.ingest.mappings import frame_of, type_name

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 50_000
_NO_BATCHES = ("pandas", "polars", "numpy")


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
            frame = frame_of(self.label, self._mappings, self.rows)
            self._mappings = []
            self._write(frame)
            self._of_mappings[self._paths[-1]] = frame.columns

    def _write(self, frame: "pl.DataFrame | pl.LazyFrame") -> None:
        if not frame.lazy().collect_schema():  # an empty page
            return
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
        self._counted(target, path.name)

    def _counted(self, path: Path, name: str = "") -> None:
        import duckdb

        try:
            self.rows += rows_of(path)
        except duckdb.Error:
            raise IngestError(f"{self.label}: {name} is no Parquet file; yield the path of one") from None
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
