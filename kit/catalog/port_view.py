"""The data behind the tabs of one port: its catalog entry, and its mesh and snapshot on first use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kit.catalog.entry import Entry
from kit.contracts import Contract
from kit.core import Config, KitError, NotPublished, UnknownName
from kit.mesh import Context, Mesh
from kit.notebooks import reading
from kit.storage import Snapshot


@dataclass(frozen=True)
class PortView:
    """One port. `mesh` loads all products, once: a large mesh takes a second. `picked` is the value last clicked in the tab."""

    entry: Entry
    mesh: Callable[[], Mesh]
    picked: str = ""

    @property
    def config(self) -> Config:
        """The settings of the mesh."""
        return self.entry.config

    @property
    def name(self) -> str:
        """The port's name within its product."""
        return self.entry.port.name

    def contract(self) -> Contract | None:
        """Return the port's contract; None when its product is broken or has no such port any more."""
        product = next((item for item in self.mesh().products if item.name == self.entry.product.name), None)
        port = product.port(self.name) if product else None
        return port.contract if port else None

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Snapshot of the entry, locked against pruning; raises `NotPublished`, or `KitError` when it was pruned already."""
        version = self.entry.status.version
        if version is None:
            raise NotPublished(
                f"'{self.entry.id}' was never published and has no data; build it with `kit run {self.entry.product.name}`"
            )
        try:
            snapshot_lock = reading.open_port(Context(self.config), self.entry.id, version)
        except UnknownName:
            raise KitError(
                f"the snapshot {version} of '{self.entry.product.name}' has been pruned since this catalog was opened; "
                "open it again with kit.open().browse()"
            ) from None
        with snapshot_lock as snapshot:
            yield snapshot
