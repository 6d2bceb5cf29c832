"""Ports of incremental dbt models: the rows that readers see are where the next build begins."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kit.contracts import Finding
from kit.core import database, sandbox
from kit.dbt.project import Model, Project
from kit.mesh import DataProduct, OutputPort

_STRATEGIES = ("append", "merge", "delete+insert")


def incremental_models(product: DataProduct) -> dict[str, Model]:
    """Return the incremental models of a product by name."""
    return {model.name: model for model in Project.read(product.folder).models if model.is_incremental}


def incremental_findings(product: DataProduct) -> Iterator[Finding]:
    """Find the incremental models that have no published rows to begin with, or whose result could not be right."""
    for name, model in incremental_models(product).items():
        if problem := _problem(product, product.port(name), model):
            yield Finding(product.name, model.path, None, problem)


def _problem(product: DataProduct, port: OutputPort | None, model: Model) -> str:
    strategy, key = model.settings.get("incremental_strategy"), model.settings.get("unique_key")
    if port is None or port.notebook is not None:
        return "an incremental model begins with published rows, so it must be a port; declare it, or write view or table"
    if product.partitions:
        return "an incremental model has no place in a product with partitions, which build only what is new; write published"
    if port.contract.masked_columns:
        return (
            "the published rows that an incremental model begins with are masked by its contract; mask the column in its source"
        )
    if port.contract.quarantining:
        return "rows that its contract sets aside would be missing in the next build of an incremental model; write published"
    if strategy is not None and strategy not in _STRATEGIES:
        return f"the incremental strategy '{strategy}' is not supported; write one of {', '.join(_STRATEGIES)}"
    if strategy in ("merge", "delete+insert") and not key:
        return f"the incremental strategy '{strategy}' needs a unique_key, by which new rows replace old ones"
    return ""


def add_bases(path: Path, bases: Mapping[str, Iterable[Path]]) -> None:
    """Create the table of each incremental model with its published rows, in a database that dbt opens next."""
    with database.connect(path) as connection:
        for name, files in bases.items():
            connection.execute(f"create table {database.quoted(name)} as select * from {database.parquet(files)}")


def write_grown(path: Path, models: Iterable[Model], staging: Path) -> None:
    """Write the tables of incremental models to the staging folder, ordered by their keys."""
    with database.connect(path) as connection:
        sandbox.confine_as_declared(connection, path)
        for model in models:
            key = model.settings.get("unique_key") or ()
            columns = [key] if isinstance(key, str) else list(key)
            known = database.column_types(connection, model.name)
            order = ", ".join(database.quoted(column) for column in columns if column in known)
            rows = f"from {database.quoted(model.name)}" + (f" order by {order}" if order else "")
            file = staging / model.name / "data.parquet"
            connection.execute(f"copy ({rows}) to {database.literal(str(file))} (format parquet, compression zstd)")
