"""The snapshot of each product that the SQL of a notebook reads: pinned at the first query, until it is refreshed."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from kit.core import Config, KitError, UnknownName, did_you_mean, there_are
from kit.mesh import DESCRIPTOR, Context
from kit.notebooks import Inputs, note_read, serving_table
from kit.storage import ProductSummary, Snapshot, SnapshotLock, Store, index


class PinnedSnapshot(NamedTuple):
    """The `pinned` snapshot of a product, or of an input of a build, and the `current` one."""

    name: str
    pinned: str
    current: str | None


class SessionPins:
    """All published ports. The ports of one product are read from one snapshot, which is not pruned meanwhile.

    In a domain folder the declared inputs are read in their declared versions, as in a build.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = Store(config.storage)
        self._held: dict[str, SnapshotLock] = {}

    def files(self, port: str) -> Sequence[Path] | None:
        """Return the Parquet files of a port and pin its product; None for a name that is no published port."""
        product, _, name = port.partition(".")
        if product not in self._held:
            if not product.isidentifier() or self._store.read_pointer(product) is None:
                return None
            self._held[product] = self._store.open(product)
        snapshot = self._held[product].snapshot
        if name in snapshot.manifest["ports"]:
            note_read(port)
            name = serving_table(self._config, port, snapshot)
        return snapshot.files(name) if name in snapshot.manifest["ports"] else None

    def summaries(self) -> list[ProductSummary]:
        """Return the summaries of all published products."""
        return [summary for summary in self._all_summaries() if summary.version]

    def input_names(self) -> Sequence[str]:
        """Return nothing: outside of a build ports are no declared inputs."""
        return ()

    def describe_unknown(self, name: str) -> str:
        """Return the message for a name in a query that is no port."""
        product, dot, port = name.partition(".")
        if dot and self.files(name) is not None:
            return f'\'{name}\' is one name; write {name} without quotes, or "{product}"."{port}"'
        if dot and product in self._held:
            snapshot = self._held[product].snapshot
            known = sorted(snapshot.manifest["ports"])
            return f"snapshot {snapshot.version} of '{product}' has no port '{port}'; {there_are(port, known)}"
        if dot and product in (summary.name for summary in self._all_summaries()):
            return f"'{product}' has no published snapshot yet; build it with `kit run {product}`"
        ports = [f"{summary.name}.{item.name}" for summary in self.summaries() for item in summary.ports]
        near = [item for item in ports if item.partition(".")[2] == name] or get_close_matches(name, ports, n=3)
        hint = did_you_mean(near) or "kit.open() lists all ports"
        return f"there is no {'port' if dot else 'port or frame'} '{name}'; {hint}"

    def list(self) -> list[PinnedSnapshot]:
        """Return the pinned snapshots, by product."""
        return [self._pinned(self._held[product].snapshot) for product in sorted(self._held)]

    def pin(self, product: str | None = None, version: str | None = None) -> None:
        """Pin a product to its current (or the named) snapshot, without a name all products; raises `KitError`."""
        names = [summary.name for summary in self.summaries()]
        if product is not None and self._store.read_pointer(product) is None:
            raise UnknownName(f"no product '{product}' is published; {there_are(product, names)}")
        for name in names if product is None else [product]:
            self._move(name, version)

    def refresh(self, product: str | None = None) -> None:
        """Move a product, or all that are pinned, to their current snapshots; raises `KitError`."""
        if product is not None:
            self.pin(product)
        for name in list(self._held) if product is None else ():
            self._move(name, None)

    def check(self) -> None:
        """Raise `Damaged` when a file of a pinned snapshot is not as published."""
        for lease in self._held.values():
            lease.snapshot.check()

    def close(self) -> None:
        """Release all snapshots."""
        while self._held:
            self._held.popitem()[1].close()

    def _all_summaries(self) -> tuple[ProductSummary, ...]:
        return index.load(Context(self._config))

    def _move(self, product: str, version: str | None) -> None:
        try:
            lease = self._store.open(product, version)
        except OSError as error:
            raise KitError(f"cannot hold the snapshot of '{product}': {error.strerror}; pin fewer products") from None
        previous = self._held.get(product)
        self._held[product] = lease
        if previous:
            previous.close()

    def _pinned(self, snapshot: Snapshot) -> PinnedSnapshot:
        pointer = self._store.read_pointer(snapshot.product)
        return PinnedSnapshot(snapshot.product, snapshot.version, pointer.version if pointer else None)


class BuildPins:
    """The declared inputs of an asset notebook during a build: only they can be read, at the snapshots the build pinned."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def files(self, port: str) -> Sequence[Path] | None:
        """Return the Parquet files of an input; None for a name that is no declared input."""
        return self._inputs.files.get(port)

    def summaries(self) -> list[ProductSummary]:
        """Return nothing: a build completes no names."""
        return []

    def input_names(self) -> Sequence[str]:
        """Return the declared inputs."""
        return sorted(self._inputs.files)

    def describe_unknown(self, name: str) -> str:
        """Return the message for a name in a query that is no declared input."""
        known = ", ".join(sorted(self._inputs.files)) or "none"
        return f"'{name}' is no declared input; there are: {known}. Declare it in {DESCRIPTOR}"

    def list(self) -> list[PinnedSnapshot]:
        """Return the pinned inputs, by name."""
        return [PinnedSnapshot(name, version, None) for name, version in sorted(self._inputs.versions.items())]

    def pin(self, product: str | None = None, version: str | None = None) -> None:
        """Refused: raises `KitError`."""
        raise KitError("a build pins its inputs itself; delete the line")

    def refresh(self, product: str | None = None) -> None:
        """Refused: raises `KitError`."""
        self.pin()

    def check(self) -> None:
        """Do nothing: the build has compared its inputs."""

    def close(self) -> None:
        """Do nothing: the build releases its inputs."""
