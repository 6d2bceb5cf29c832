"""The files that the code of a product may open in a build."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kit.contracts import place_of
from kit.core import Config, IngestError, KitError, Places, Secrets
from kit.ingest import CONNECTORS, Environments, IngestProcess, connector_class
from kit.lineage import source_calls
from kit.mesh import DataProduct, folders
from kit.storage import index


def forbidden(config: Config, product: str) -> dict[Path, str]:
    """Return the folders whose files a product must not read, with a description of each."""
    others = {folder: f"the folder of '{folder.name}'" for folder in folders(config.domains) if folder.name != product}
    return {**others, config.storage: "the storage of the mesh"}


def notebook_places(config: Config, product: str, folder: Path, tables: Iterable[Path]) -> Places:
    """Return the files that a notebook may open: its domain `folder`, its `tables`, and what `kit.open()` shows."""
    read = (*tables, config.root / "pyproject.toml", config.storage / index.INDEX)
    return Places(read, (folder,), tuple(forbidden(config, product)))


def ingest_places(config: Config, product: DataProduct, declared: Mapping[Path, Sequence[str]] | None = None) -> Places:
    """Return the files that `ingest.py` may open: its domain folder, and what the contracts of its sources declare.

    `declared` are the places by contract where contracts do not load yet. Raises `IngestError` for a declared place that a
    product must not read.
    """
    hidden, read = forbidden(config, product.name), []
    if declared is None:
        declared = {source.contract.path: source.contract.reads for source in product.sources}
    for contract, texts in declared.items():
        for text in texts:
            place = place_of(text, product.folder)
            owner = next((name for folder, name in hidden.items() if place.resolve().is_relative_to(folder.resolve())), None)
            if owner:
                raise IngestError(f"reads '{text}', which is in {owner}; declare a port of it as an input", contract)
            read.append(place)
    return Places((*read, config.storage / CONNECTORS), (product.folder,), tuple(hidden))


def ingest_process(config: Config, product: DataProduct, declared: Mapping[Path, Sequence[str]] | None = None) -> IngestProcess:
    """Return the process of the `ingest.py` of a product; raises `IngestError` for a place that it must not read."""
    places = ingest_places(config, product, declared)
    # An environment may be made while the process runs: the folder above it is allowed, which must exist before.
    (config.storage / CONNECTORS).mkdir(parents=True, exist_ok=True)
    return IngestProcess(
        product, places, Secrets.from_environment(config), config.notebook_output_mb, Environments(config.storage / CONNECTORS),
        config.source_timeout_seconds,
    )  # fmt: skip


def begin_environments(config: Config, products: Iterable[DataProduct]) -> set[str]:
    """Begin to make the environments of connectors that are missing; return the names of the products that wait for them.

    Those are begun that the code of `ingest.py` shows; landing makes all others, and has the error of each.
    """
    environments, waiting = Environments(config.storage / CONNECTORS), set()
    for product in products:
        for call in source_calls(product.folder).values():
            with suppress(KitError):
                needed = connector_class(call.kind).known_environment(call.first)
                if needed and not environments.is_made(needed):
                    environments.begin(needed)
                    waiting.add(product.name)
    return waiting
