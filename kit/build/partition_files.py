"""The files of a partitioned product: one for each partition, new or kept, with rows of that partition only."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kit.build.plan import BuildPlan
from kit.contracts import Check, quarantine_table
from kit.core import Config, KitError, counted, database
from kit.ingest import ErasedKeys
from kit.mesh import DataProduct, OutputPort
from kit.storage import Snapshot


def partition_file(key: str | None) -> str:
    """The name of the Parquet file of a partition, or of a whole port."""
    return f"{key or 'data'}.parquet"


def partition_rule(product: DataProduct) -> str:
    """The name of the check that rows are in their own partition."""
    assert product.partitions is not None
    return f"every row lies in the partition of its {product.partitions.column}"


def carry_over(config: Config, product: DataProduct, plan: BuildPlan, staging: Path) -> None:
    """Link the files that are taken over into `staging`: kept partitions, and the ports that are not built.

    Rows that were erased are left out. Raises `KitError` for a file that was built for another contract. The plan found all of
    them to have their published sizes.
    """
    with database.connect() as connection:
        for port in product.ports:
            keys = (*plan.kept, *(key for key, ports in plan.ports.items() if port.name not in ports))
            if plan.current and keys:
                types = _column_types(connection, plan.current.folder / port.name, keys)
                erased = ErasedKeys.load(config.storage, port.id)
                for key in keys:
                    _carry_over(plan.current, port, key, staging, types.get(partition_file(key), {}), erased)


def _column_types(connection: Any, folder: Path, keys: Iterable[str | None]) -> dict[str, dict[str, str]]:
    """The columns of each partition that is there, by its file: DuckDB is asked once for files whose schemas are the same."""
    files = [path for key in keys if (path := folder / partition_file(key)).is_file()]
    if not files:
        return {}
    names = ", ".join(database.file_literal(path) for path in files)
    found: dict[str, list[Any]] = {}
    schemas = f"select file_name, * exclude (file_name) from parquet_schema([{names}])"
    for file, *element in connection.execute(schemas).fetchall():
        found.setdefault(Path(file).name, []).append(element)
    by_schema: dict[str, dict[str, str]] = {}
    for path in files:
        if (schema := repr(found[path.name])) not in by_schema:
            database.add_views(connection, {"kept": [path]})
            by_schema[schema] = database.column_types(connection, "kept")
    return {path.name: by_schema[repr(found[path.name])] for path in files}


def _carry_over(
    current: Snapshot, port: OutputPort, key: str | None, staging: Path, columns: dict[str, str], erased: ErasedKeys
) -> None:
    product, file = current.product, partition_file(key)
    what = f"partition {key} of the port '{port.name}'" if key else f"the port '{port.name}'"
    advice = f"build all partitions with `kit run {product}`" if key else f"build it with `kit run {product} --force`"
    old = current.folder / port.name / file
    if port.contract.schema_problems(columns):
        raise KitError(f"'{product}': {what} was built with other columns than the contract's now; {advice}")
    _without(erased, old, staging / port.name / file)
    if port.contract.quarantining:
        aside = current.folder / quarantine_table(port.name) / file
        if not aside.is_file():
            raise KitError(f"'{product}': {what} was built before its contract set rows aside; {advice}")
        _without(erased, aside, staging / quarantine_table(port.name) / file)


def _without(erased: ErasedKeys, old: Path, new: Path) -> None:
    new.unlink(missing_ok=True)
    if not erased.remove_rows(old, new):
        link(old, new)


def link(old: Path, new: Path) -> None:
    """Put a file that never changes to another place, without a copy where the file system supports links."""
    new.unlink(missing_ok=True)
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def stray_rows(product: DataProduct, plan: BuildPlan, staging: Path) -> tuple[Check, ...]:
    """Check that each new file contains only rows of its own partition; one check for each port."""
    assert product.partitions is not None
    column, checks = database.quoted(product.partitions.column), []
    with database.connect() as connection:
        for port in product.ports:
            strays = []
            for key in plan.due:
                rows_of_key = database.parquet([staging / port.name / partition_file(key)])
                query = f"select count(*) from {rows_of_key} where {column}::varchar is distinct from {database.literal(key)}"
                (rows,) = connection.execute(query).fetchone() or (0,)
                strays += [f"{counted(rows, 'row')} in partition {key} of others"] if rows else []
            observed = "; ".join(strays[:3])
            checks.append(Check(port.name, partition_rule(product), "contract", not strays, observed=observed))
    return tuple(checks)
