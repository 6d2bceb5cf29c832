"""Previews: a model or a notebook run once over current inputs, before it belongs to a port; nothing is published."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.build.model_use import pinned_port
from kit.build.places import ingest_process, notebook_places
from kit.build.plan import land_sources
from kit.build.product_lock import product_lock
from kit.build.progress import Progress
from kit.build.safety import check_safety
from kit.build.workspace import Workspace
from kit.contracts import Check
from kit.core import Config, KitError, database, mask_key_hidden, sandbox
from kit.dbt.project import Project
from kit.ingest import LandedSource, land
from kit.mesh import DataProduct, parameters
from kit.notebooks import KernelPool, NotebookRun
from kit.storage import Pin, Store, pin_inputs


def preview_model(config: Config, product: DataProduct, model: str, folder: Path) -> Path:
    """Run a dbt model of a product and return its rows as a Parquet file below `folder`.

    The model reads the inputs and raw data that the next build would read: without the rows set aside, and masked. Nothing
    is audited, published or recorded. Raises `KitError` for a model that does not exist or fails, for an input that was
    never published, and for a product with partitions.
    """
    if model not in (known.name for known in Project.read(product.folder).models):
        raise KitError(f"'{product.name}' has no model '{model}'")
    if product.partitions:
        raise KitError(f"'{product.name}' is cut into partitions, and one of them is not representative of '{model}'")
    check_safety(config, product)
    with product_lock(config, product) as held:
        workspace = _workspace(config, product, folder, held, land_sources(config, product, Progress()))
        workspace.transform(product, only=[model])
        return _rows(workspace, model)


@dataclass(frozen=True)
class PreviewedModel:
    """The rows of a model as a Parquet file, and the types of its columns in the database: Parquet has no `hugeint`."""

    file: Path
    types: Mapping[str, str]


def preview_models(config: Config, product: DataProduct, models: Sequence[str], folder: Path) -> dict[str, PreviewedModel]:
    """Run dbt models of a product that no mesh has yet, as `preview_model` does; return each by its name.

    Raw data is landed below `folder`, so that nothing is left of a product that is not added.
    """
    with mask_key_hidden(), ExitStack() as held:
        workspace = _workspace(config, product, folder, held, _landed(config, product, folder))
        workspace.transform(product, only=models)
        with database.connect(workspace.database, read_only=True) as connection:
            sandbox.confine_as_declared(connection, workspace.database)
            types = {model: database.column_types(connection, model) for model in models}
        return {model: PreviewedModel(_rows(workspace, model), types[model]) for model in models}


def preview_tests(config: Config, product: DataProduct, folder: Path) -> tuple[Check, ...]:
    """Run the whole dbt project of a product that no mesh has yet, with its contracts; return the outcome of its tests.

    Raises `KitError` for a model that fails, or has not the columns of its contract.
    """
    with mask_key_hidden(), ExitStack() as held:
        workspace = _workspace(config, product, folder, held, _landed(config, product, folder))
        return workspace.transform(product).checks


def _landed(config: Config, product: DataProduct, folder: Path) -> dict[str, LandedSource]:
    check_safety(config, product)
    with ingest_process(config, product) as process:
        return {source.name: land(process, source, folder / "landed") for source in product.sources}


def _workspace(
    config: Config, product: DataProduct, folder: Path, held: ExitStack, landed: Mapping[str, LandedSource]
) -> Workspace:
    """A workspace with all that the models of a product read, and a folder for each of them."""
    workspace = Workspace(config, product.name, folder)
    workspace.add_inputs(pin_inputs(Store(config.storage), product, held))
    workspace.add_sources(product, landed, audited=False)
    for model in Project.read(product.folder).models:
        (workspace.staging / model.name).mkdir(parents=True, exist_ok=True)
    return workspace


def _rows(workspace: Workspace, model: str) -> Path:
    """The rows of a model that was run, as a Parquet file."""
    made = workspace.staging / model / "data.parquet"
    if not made.exists():  # a view or a table of the work database
        with database.connect(workspace.database) as connection:
            sandbox.confine_as_declared(connection, workspace.database)
            query = f"from {database.quoted(model)}"
            connection.execute(f"copy ({query}) to {database.literal(str(made))} (format parquet)")
    return made


@contextmanager
def preview_notebook(config: Config, product: str, path: Path, port: str, reads: Sequence[str]) -> Iterator[Path]:
    """Run the asset notebook at `path` and yield the Parquet file it hands over as `port`; `reads` are pinned.

    Raises `NotebookError` when it fails or hands over nothing, `NotPublished` for a port without a snapshot.
    """
    store = Store(config.storage)
    parameters(path)  # raises for invalid ones before a kernel starts
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, ExitStack() as held, mask_key_hidden():
        workspace = Workspace(config, product, Path(folder))
        providers = {item.partition(".")[0] for item in reads}
        snapshots = {name: held.enter_context(store.open(name)) for name in sorted(providers)}
        pins = {item: Pin(item, snapshots[item.partition(".")[0]]) for item in reads}
        workspace.add_inputs(pins)
        tables = [file for files in workspace.tables.values() for file in files]
        places = notebook_places(config, product, path.parent, tables)
        ask = workspace.ask([pinned_port(name, pin) for name, pin in pins.items()])
        run = NotebookRun(path, port, port, workspace.folder, workspace.folder / f"{port}.parquet", places, ask=ask)
        with KernelPool([run], workspace.secrets, workspace.output_mb, workspace.model_keys) as kernels:
            workspace.run_notebook(run, reads, {}, kernels)
        yield run.staged
