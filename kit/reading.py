"""Reading published ports as polars frames."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kit.asset import RUN_FILE
from kit.config import Config
from kit.errors import KitError, MeshError, UnknownName
from kit.mesh import Mesh
from kit.product import DESCRIPTOR
from kit.store import Lease, Store, keep

if TYPE_CHECKING:
    import polars as pl


def read(port: str, version: str | None = None, config: Config | None = None) -> "pl.DataFrame":
    """A port, such as `orders.daily_sales`, as a polars DataFrame of its current (or the named) snapshot.

    `config` names another mesh than the one the working directory lies in.
    Raises `UnknownName` for a port or version that does not exist and `NotPublished` before the first build.
    """
    import polars as pl

    with open_port(port, version, config) as snapshot:
        return pl.read_parquet(snapshot.files(port.partition(".")[2]), glob=False)


def scan(port: str, version: str | None = None, config: Config | None = None) -> "pl.LazyFrame":
    """Like `read`, as a polars LazyFrame; the snapshot is not pruned while this process lives."""
    import polars as pl

    return pl.scan_parquet(files(port, version, config), glob=False)


def files(port: str, version: str | None = None, config: Config | None = None) -> list[Path]:
    """The Parquet files of a port's snapshot, which is not pruned while this process lives."""
    return keep(open_port(port, version, config)).files(port.partition(".")[2])


def open_port(port: str, version: str | None = None, config: Config | None = None) -> Lease:
    """The snapshot a port is read from, held until closed; see `read` for what it raises."""
    if RUN_FILE in os.environ:
        raise KitError(f"in a build, read an input with kit.inputs().read('{port}'), and declare it in {DESCRIPTOR}")
    config = config or Config.load()
    product, _, name = port.partition(".")
    store = Store(config.storage)
    if not name or store.pointer(product) is None:
        _explain(config, port)
    lease = store.open(product, version)
    try:
        lease.snapshot.port(name)
    except UnknownName:
        lease.close()
        raise
    return lease


def _explain(config: Config, port: str) -> None:
    """Raise for a port that is not in the mesh; a broken product's snapshots still serve, so this is asked last."""
    mesh = Mesh.load(config.domains, config.cache)
    try:
        mesh.port(port)
    except MeshError as error:
        raise UnknownName(f"'{port}' was never published, and {error}") from None
