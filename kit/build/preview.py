"""Previews: a model or a notebook run once over current inputs, before it belongs to a port; nothing is published."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kit.build.places import notebook_places
from kit.build.plan import land_sources
from kit.build.product_lock import product_lock
from kit.build.workspace import Workspace
from kit.core import Config, KitError, database, mask_key_hidden, sandbox
from kit.dbt.project import Project
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
    workspace = Workspace(config, product.name, folder)
    made = workspace.staging / model / "data.parquet"
    with product_lock(config, product) as held:
        workspace.add_inputs(pin_inputs(Store(config.storage), product, held))
        workspace.add_sources(product, land_sources(config, product, workspace.progress), audited=False)
        for name in (model, *(port.name for port in product.ports)):
            (workspace.staging / name).mkdir(parents=True, exist_ok=True)
        workspace.transform(product, only=model)
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
        workspace.add_inputs({item: Pin(item, snapshots[item.partition(".")[0]]) for item in reads})
        tables = [file for files in workspace.tables.values() for file in files]
        places = notebook_places(config, product, path.parent, tables)
        run = NotebookRun(path, port, port, workspace.folder, workspace.folder / f"{port}.parquet", places)
        with KernelPool([run], workspace.secrets, workspace.output_mb) as kernels:
            workspace.run_notebook(run, reads, {}, kernels)
        yield run.staged
