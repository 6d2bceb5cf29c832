"""Which snapshot of each product the SQL of a session reads: pinned when it is first asked, until it is refreshed."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from kit.core import Config, KitError, UnknownName
from kit.mesh import DESCRIPTOR
from kit.notebooks import Inputs, serving_table
from kit.storage import ProductSummary, Snapshot, SnapshotLock, Store, index


class Pinned(NamedTuple):
    """One product, or input of a build, as the session reads it, and the snapshot that is `current` by now."""

    name: str
    pinned: str
    current: str | None


class Pins:
    """All published ports; those of one product are read from one snapshot, which is not pruned meanwhile.

    In a domain folder its declared inputs are served in the versions it declares, as in a build.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = Store(config.storage)
        self._held: dict[str, SnapshotLock] = {}

    def files(self, port: str) -> Sequence[Path] | None:
        """The Parquet files of a port, whose product is pinned from now on; None for a name that is no published port."""
        product, _, name = port.partition(".")
        if product not in self._held:
            if self._store.read_pointer(product) is None:
                return None
            self._held[product] = self._store.open(product)
        snapshot = self._held[product].snapshot
        if name in snapshot.manifest["ports"]:
            name = serving_table(self._config, port, snapshot)
        return snapshot.files(name) if name in snapshot.manifest["ports"] else None

    def cards(self) -> list[ProductSummary]:
        """The cards of all products that are published."""
        return [card for card in index.load(self._config) if card.version]

    def unknown(self, name: str) -> str:
        """What there is to say about a name in a query that is no port."""
        product, dot, port = name.partition(".")
        if dot and product in self._held:
            snapshot = self._held[product].snapshot
            there = sorted(snapshot.manifest["ports"])
            if port in there:
                return f'\'{name}\' is one name; write {name} without quotes, or "{product}"."{port}"'
            near = get_close_matches(port, there, n=2)
            return f"snapshot {snapshot.version} of '{product}' has no port '{port}'; {_near(near) or _listed(there)}"
        if dot and product in (card.name for card in index.load(self._config)):
            return f"'{product}' has no published snapshot yet; build it with `kit run {product}`"
        ports = [f"{card.name}.{item.name}" for card in self.cards() for item in card.ports]
        near = [item for item in ports if item.partition(".")[2] == name] or get_close_matches(name, ports, n=3)
        hint = _near(near) or "kit.open() lists the ports there are"
        return f"there is no {'port' if dot else 'port or frame'} '{name}'; {hint}"

    def list(self) -> list[Pinned]:
        """What is pinned, by product."""
        return [self._pinned(self._held[product].snapshot) for product in sorted(self._held)]

    def pin(self, product: str | None = None, version: str | None = None) -> None:
        """Pin a product to its current (or the named) snapshot, without a name all; raises `KitError`."""
        names = [card.name for card in self.cards()]
        if product is not None and self._store.read_pointer(product) is None:
            raise UnknownName(
                f"no product '{product}' is published; {_near(get_close_matches(product, names)) or _listed(names)}"
            )
        for name in names if product is None else [product]:
            self._move(name, version)

    def refresh(self, product: str | None = None) -> None:
        """Move a product, or all that are pinned, to their current snapshots; raises `KitError`."""
        if product is not None:
            self.pin(product)
        for name in list(self._held) if product is None else ():
            self._move(name, None)

    def close(self) -> None:
        """Let all snapshots go."""
        while self._held:
            self._held.popitem()[1].close()

    def _move(self, product: str, version: str | None) -> None:
        try:
            lease = self._store.open(product, version)
        except OSError as error:
            raise KitError(f"cannot hold the snapshot of '{product}': {error.strerror}; pin fewer products") from None
        before = self._held.get(product)
        self._held[product] = lease
        if before:
            before.close()

    def _pinned(self, snapshot: Snapshot) -> Pinned:
        pointer = self._store.read_pointer(snapshot.product)
        return Pinned(snapshot.product, snapshot.version, pointer.version if pointer else None)


class BuildPins:
    """The declared inputs of an asset notebook in a build: nothing else can be read, and nothing moves."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def files(self, port: str) -> Sequence[Path] | None:
        """The Parquet files the build pinned for an input, None for a name that is no declared input."""
        return self._inputs.files.get(port)

    def cards(self) -> list[ProductSummary]:
        """Nobody types in a build, so nothing is there to be completed."""
        return []

    def unknown(self, name: str) -> str:
        """What there is to say about a name in a query that is no declared input."""
        there = ", ".join(sorted(self._inputs.files)) or "none"
        return f"'{name}' is no declared input; there are: {there}. Declare it in {DESCRIPTOR}"

    def list(self) -> list[Pinned]:
        """The inputs, by name."""
        return [Pinned(name, version, None) for name, version in sorted(self._inputs.versions.items())]

    def pin(self, product: str | None = None, version: str | None = None) -> None:
        """Refused: raises `KitError`."""
        raise KitError("a build pins its inputs itself; delete the line")

    def refresh(self, product: str | None = None) -> None:
        """Refused: raises `KitError`."""
        self.pin()

    def close(self) -> None:
        """The build holds them, and lets them go."""


def _near(names: Sequence[str]) -> str:
    return f"did you mean {' or '.join(names[:3])}?" if names else ""


def _listed(names: Sequence[str]) -> str:
    return f"there are: {', '.join(names) or 'none'}"
