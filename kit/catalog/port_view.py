"""One port opened to be looked at: its entry and, read when first asked for, its mesh and its snapshot."""

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
    """`mesh` gives all products, and remembers them: of a large mesh that takes a second.

    `picked` is what was clicked inside the text about it, of what that offers.
    """

    entry: Entry
    mesh: Callable[[], Mesh]
    picked: str = ""

    @property
    def config(self) -> Config:
        """The mesh's settings."""
        return self.entry.config

    @property
    def name(self) -> str:
        """The port's own name, as its snapshot knows it."""
        return self.entry.port.name

    def contract(self) -> Contract | None:
        """What its folder promises now; None when that is broken, or promises it no more, and its last snapshot serves."""
        product = next((item for item in self.mesh().products if item.name == self.entry.card.name), None)
        port = product.port(self.name) if product else None
        return port.contract if port else None

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The snapshot the entry speaks of, which is not pruned meanwhile; raises `NotPublished`, or `KitError` if it was."""
        version = self.entry.status.version
        if version is None:
            raise NotPublished(
                f"'{self.entry.id}' was never published, so there is no data to look at; build it with "
                f"`kit run {self.entry.card.name}`"
            )
        try:
            lease = reading.open_port(Context(self.config), self.entry.id, version)
        except UnknownName:
            raise KitError(
                f"the snapshot {version} of '{self.entry.card.name}' has been pruned since this catalog was opened; "
                "open it anew with kit.open().browse()"
            ) from None
        with lease as snapshot:
            yield snapshot
