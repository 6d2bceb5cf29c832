"""Ports of incremental dbt models and snapshots: the rows that readers see are where the next build begins."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kit.contracts import Finding
from kit.core import Config, database, sandbox
from kit.dbt.project import Model, Project
from kit.ingest import ErasedKeys
from kit.mesh import DataProduct, OutputPort

_STRATEGIES = ("append", "merge", "delete+insert")
_KEPT_COLUMNS = ("fail", "append_new_columns")
_DELETES = ("ignore", "invalidate", "new_record")
_PLACES = ("alias", "database", "schema", "target_database", "target_schema")


def growing_models(product: DataProduct) -> dict[str, Model]:
    """Return the incremental models and the snapshots of a product by name."""
    models = Project.read(product.folder).models
    return {model.name: model for model in models if model.is_incremental or model.is_snapshot}


def begun_anew(product: DataProduct, *, full_refresh: bool, discard_history: bool) -> frozenset[str]:
    """Return the names of the incremental models and snapshots that a build makes without their published rows."""
    models = growing_models(product).values() if full_refresh or discard_history else ()
    return frozenset(model.name for model in models if (discard_history if model.is_snapshot else full_refresh))


def histories(product: DataProduct) -> frozenset[str]:
    """Return the names of the snapshots of a product, whose rows no build can make again."""
    return frozenset(model.name for model in growing_models(product).values() if model.is_snapshot)


def growth_findings(product: DataProduct) -> Iterator[Finding]:
    """Find the incremental models and snapshots that have no rows to begin with, or whose result could not be right."""
    for name, model in growing_models(product).items():
        in_way = _snapshot_problem(model) if model.is_snapshot else _incremental_problem(model)
        if problem := _problem(product, product.port(name), model) or in_way:
            yield Finding(product.name, model.path, None, problem)


def _problem(product: DataProduct, port: OutputPort | None, model: Model) -> str:
    name = "a snapshot" if model.is_snapshot else "an incremental model"
    if port is None or port.notebook is not None:
        other = "" if model.is_snapshot else ", or write view or table"
        return f"{name} begins with published rows, so it must be a port; declare it{other}"
    if product.partitions:
        return f"{name} has no place in a product with partitions, which build only what is new; " + (
            "move it to another product" if model.is_snapshot else "write published"
        )
    if port.contract.masked_columns:
        return f"the published rows that {name} begins with are masked by its contract; mask the column in its source"
    if port.contract.quarantining:
        other = "; set them aside in its source" if model.is_snapshot else "; write published"
        return f"rows that its contract sets aside would be missing in the next build of {name}{other}"
    return ""


def _incremental_problem(model: Model) -> str:
    strategy, key = model.settings.get("incremental_strategy"), model.settings.get("unique_key")
    if strategy is not None and strategy not in _STRATEGIES:
        return f"the incremental strategy '{strategy}' is not supported; write one of {', '.join(_STRATEGIES)}"
    if strategy in ("merge", "delete+insert") and not key:
        return f"the incremental strategy '{strategy}' needs a unique_key, by which new rows replace old ones"
    if (change := model.settings.get("on_schema_change", "ignore")) not in _KEPT_COLUMNS:
        return (
            f"on_schema_change is '{change}', by which the columns could differ from those of the contract; write "
            "append_new_columns (rows from before have no value in a new column) or fail"
        )
    return ""


def _snapshot_problem(model: Model) -> str:
    settings = model.settings
    strategy, deletes = settings.get("strategy"), settings.get("hard_deletes", "ignore")
    if not settings.get("unique_key"):
        return "a snapshot needs a unique_key, by which versions of a row are known to be of the same one"
    if strategy not in ("timestamp", "check"):
        return f"the strategy of a snapshot is {strategy!r}; write timestamp, with updated_at, or check, with check_cols"
    needed = {"timestamp": "updated_at", "check": "check_cols"}[strategy]
    if not settings.get(needed):
        return f"the strategy '{strategy}' of a snapshot needs {needed}, by which a changed row is seen"
    if deletes not in _DELETES:
        return f"hard_deletes is '{deletes}'; write one of {', '.join(_DELETES)}"
    if places := [name for name in _PLACES if name in settings]:
        return f"'{places[0]}' puts a snapshot at a place that is no port; delete it"
    return ""


def add_bases(connection: Any, config: Config, product: str, bases: Mapping[str, Iterable[Path]]) -> None:
    """Create the table of each growing model with its published rows but the erased ones, in a database that dbt opens next."""
    for name, files in bases.items():
        rows, erased = f"select * from {database.parquet(files)}", ErasedKeys.load(config.storage, f"{product}.{name}")
        if erased.hashes:
            columns = [column for column, *_ in connection.execute(f"describe {rows}").fetchall()]
            rows += f" where not {erased.condition(columns)}"
        connection.execute(f"create table {database.quoted(name)} as {rows}")


def write_grown(path: Path, models: Iterable[Model], staging: Path) -> None:
    """Write the tables of growing models to the staging folder, ordered by their keys, and each history by time."""
    with database.connect(path) as connection:
        sandbox.confine_as_declared(connection, path)
        for model in models:
            key = model.settings.get("unique_key") or ()
            columns = [key] if isinstance(key, str) else list(key)
            columns += [_valid_from(model)] if model.is_snapshot else []
            known = database.column_types(connection, model.name)
            order = ", ".join(database.quoted(column) for column in columns if column in known)
            rows = f"from {database.quoted(model.name)}" + (f" order by {order}" if order else "")
            file = staging / model.name / "data.parquet"
            connection.execute(f"copy ({rows}) to {database.literal(str(file))} (format parquet, compression zstd)")


def _valid_from(model: Model) -> str:
    names = model.settings.get("snapshot_meta_column_names")
    return str((names if isinstance(names, dict) else {}).get("dbt_valid_from", "dbt_valid_from"))
