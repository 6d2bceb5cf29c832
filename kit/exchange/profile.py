"""The profile of a table: numbers about its columns from the footers of its Parquet files; no row is read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import database

if TYPE_CHECKING:
    import duckdb

_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "float", "double")


@dataclass(frozen=True)
class ColumnProfile:
    """Numbers about one column; `low` and `high` are None for a hidden column and for one that holds no numbers."""

    nulls: int | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Profile:
    """The size of a table in rows, bytes and files, and its columns by name."""

    rows: int
    bytes: int
    files: int
    columns: dict[str, ColumnProfile]


def profile(connection: "duckdb.DuckDBPyConnection", files: Sequence[Path], hidden: Collection[str]) -> Profile:
    """Return the profile of a table of Parquet files; of `hidden` columns only the number of nulls.

    Raises `OSError` or an error of DuckDB for a file that cannot be read.
    """
    paths = f"[{', '.join(database.file_literal(path) for path in files)}]"
    types = {str(name): str(kind).lower() for name, kind, *_ in connection.execute(
        f"describe from {database.parquet(files)}"
    ).fetchall()}  # fmt: skip
    (rows,) = connection.execute(f"select sum(num_rows)::bigint from parquet_file_metadata({paths})").fetchone() or (0,)
    statistics = connection.execute(
        "select path_in_schema, if(count(stats_null_count) = count(*), sum(stats_null_count)::bigint, null), "
        "min(try_cast(stats_min_value as double)), max(try_cast(stats_max_value as double)) "
        f"from parquet_metadata({paths}) group by path_in_schema"
    ).fetchall()
    columns = {}
    for name, nulls, low, high in statistics:
        if name in types:
            is_number = types[name].startswith((*_NUMBERS, "decimal")) and not types[name].endswith("]")
            shown = is_number and name not in hidden
            columns[name] = ColumnProfile(nulls, low if shown else None, high if shown else None)
    ordered = {name: columns.get(name, ColumnProfile(None)) for name in types}
    return Profile(int(rows or 0), sum(path.stat().st_size for path in files), len(files), ordered)
