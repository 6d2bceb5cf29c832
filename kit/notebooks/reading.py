"""Published ports as polars frames: by hand the current snapshots, in a build the pinned ones."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import Config, KitError, MeshError, UnknownName, frame_types
from kit.mesh import DESCRIPTOR, Context
from kit.notebooks.asset import inputs, leased, serving_table
from kit.notebooks.notebook_run import RUN_FILE
from kit.notebooks.ports_read import note_read
from kit.storage import SnapshotLock, Store, hold_until_exit, shared

if TYPE_CHECKING:
    import polars as pl


def read(port: str, version: str | None = None, config: Config | None = None, *, verify: bool = False) -> "pl.DataFrame":
    """Return a port, such as `orders.daily_sales`, as a polars DataFrame of its current (or the named) snapshot.

    `config` names another mesh than the one the working directory lies in. In a build it is the pinned input of that name.
    Raises `UnknownName` for a port or version that does not exist, `NotPublished` before the first build, and `Damaged` for
    files that have not the size they were published with; with `verify` their content is compared too.

    >>> kit.read("orders.daily_sales")
    >>> kit.read("orders.daily_sales", version="2024-03-01")
    """
    if RUN_FILE in os.environ:
        return frame_types.scan(files(port, version)).collect()
    lease, paths = _open_files(port, version, config)
    with lease as snapshot, snapshot.reading(paths[0].parent.name):
        if verify:
            snapshot.check([paths[0].parent.name])
        return frame_types.scan(paths).collect()


def scan(port: str, version: str | None = None, config: Config | None = None) -> "pl.LazyFrame":
    """Return a port as a polars LazyFrame, see `read`.

    Its snapshot is not pruned while the frame, or one derived from it, lives.

    >>> kit.scan("orders.order_lines").filter(pl.col("quantity") > 1).collect()
    """
    if RUN_FILE in os.environ:
        return frame_types.scan(files(port, version))
    lease, paths = _open_files(port, version, config)
    return leased(frame_types.scan(paths), [shared(lease)])


def files(port: str, version: str | None = None, config: Config | None = None) -> list[Path]:
    """Return the Parquet files of a port's snapshot, which is not pruned while this process lives."""
    if RUN_FILE in os.environ:
        if version is not None:
            raise KitError(f"in a build '{port}' is what the build pinned, not {version}; leave the version out")
        return inputs().parquet(port)
    lease, paths = _open_files(port, version, config)
    hold_until_exit(lease)
    return paths


def _open_files(port: str, version: str | None, config: Config | None) -> tuple[SnapshotLock, list[Path]]:
    context = Context(config) if config else Context.load()
    lease = open_port(context, port, version)
    note_read(port)
    try:
        return lease, lease.snapshot.files(
            serving_table(context.config, port, lease.snapshot) if version is None else port.partition(".")[2]
        )
    except KitError:
        lease.close()
        raise


def open_port(context: Context, port: str, version: str | None = None) -> SnapshotLock:
    """Return the snapshot of a port, held until closed; raises as `read` does."""
    if RUN_FILE in os.environ:
        raise KitError(f"in a build, read '{port}' with kit.read or kit.scan, and declare it in {DESCRIPTOR}")
    product, _, name = port.partition(".")
    store = Store(context.config.storage)
    if not name or store.read_pointer(product) is None:
        _explain(context, port)
    lease = store.open(product, version)
    try:
        lease.snapshot.port(name)
    except UnknownName:
        lease.close()
        raise
    return lease


def _explain(context: Context, port: str) -> None:
    """Raise for a port that is not in the mesh. Called last, since snapshots of broken products can still be read."""
    try:
        context.mesh.port(port)
    except MeshError as error:
        raise UnknownName(f"'{port}' was never published, and {error}") from None
