"""The index: the summaries of all products in one file, so that a search for data opens no other file."""

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from kit.core import (
    Config,
    InvalidFile,
    KitError,
    Newer,
    exists,
    lock,
    read_record,
    remove_unfinished,
    set_aside,
    write_durably,
)  # fmt: skip
from kit.mesh import Broken, Context, DataProduct, folders
from kit.storage import intake, plain_sql
from kit.storage.confirmation import across
from kit.storage.store import Store
from kit.storage.summary import ProductSummary

INDEX = "index.json"
_FORM = 5  # version of the file's format; an index of another version is rebuilt


def load(context: Context) -> tuple[ProductSummary, ...]:
    """Return the summaries of all products, sorted by name; rebuilds an index that is missing, damaged or outdated.

    An index is outdated when it lacks a domain. Raises `MeshError` when there are no domains.
    """
    config = context.config
    summaries = _read(config)
    names = _domains(config, summaries)
    if not names <= summaries.keys():
        context.mesh  # noqa: B018 (its error is not one of the storage)
        try:
            return write(context)
        except (KitError, OSError):  # the storage is read-only: the summaries are derived on each call
            return _sorted(derive(context))
    return _of(names, summaries)


def _domains(config: Config, summaries: Iterable[str]) -> set[str]:
    """The names of all domains; those of the index for a notebook in a build, which cannot list other domains."""
    try:
        return {folder.name for folder in folders(config.domains)}
    except PermissionError:
        return set(summaries)


def derive(context: Context) -> tuple[ProductSummary, ...]:
    """Return the summaries of a mesh in build order, then those of broken products, from domain folders and storage."""
    return across(_own(context))


def write(context: Context) -> tuple[ProductSummary, ...]:
    """Rebuild the whole index; returns its summaries, sorted by name.

    The index keeps what it has about published products of other repositories that share the storage.
    """
    config = context.config
    with lock(config.storage / ".index.lock", wait=True):
        others = {name: item for name, item in _read(config).items() if Store(config.storage).folder(name).is_dir()}
        summaries = others | {summary.name: summary for summary in _own(context)}
        _replace(config, _sorted(summaries.values()))
    return _of(context.mesh.names, summaries)


def update(config: Config, product: DataProduct) -> None:
    """Replace the summary of one product in the index."""
    with lock(config.storage / ".index.lock", wait=True):
        summaries = _read(config) | {product.name: ProductSummary.from_product(config, product)}
        _replace(config, _sorted(summaries.values()))


def damage(config: Config) -> InvalidFile | None:
    """Return the error of an index or a catalog of the storage that cannot be used; None without any, and before the first."""
    path = config.storage / intake.CATALOG
    try:
        summaries = _parsed(config) if exists(config.storage / INDEX) else {}
    except Newer:
        return None
    except InvalidFile as error:
        return error
    wanted = not summaries or (path.is_file() and path.read_bytes() == _texts(summaries.values())[intake.CATALOG].encode())
    return None if wanted else InvalidFile("is not the catalog of the index", path)


def _parsed(config: Config) -> dict[str, ProductSummary]:
    def parse(data: dict[str, Any]) -> dict[str, ProductSummary]:
        return {item["name"]: ProductSummary.from_json(item) for item in data["products"]}

    return read_record(config.storage / INDEX, parse, _FORM)


def _of(names: Collection[str], summaries: Mapping[str, ProductSummary]) -> tuple[ProductSummary, ...]:
    return _sorted(summary for summary in across(summaries.values()) if summary.name in names)


def _own(context: Context) -> tuple[ProductSummary, ...]:
    """Return the summaries as the index has them: each from the records of its own product alone."""
    products: tuple[DataProduct | Broken, ...] = context.mesh.products + context.mesh.broken
    return tuple(ProductSummary.from_product(context.config, product) for product in products)


def _read(config: Config) -> dict[str, ProductSummary]:
    try:
        return _parsed(config)
    except InvalidFile:
        return {}


def _sorted(summaries: Iterable[ProductSummary]) -> tuple[ProductSummary, ...]:
    return tuple(sorted(summaries, key=lambda product: product.name))


def _replace(config: Config, summaries: tuple[ProductSummary, ...]) -> None:
    """Write the index, and a catalog and a README for readers who can reach only the storage folder."""
    remove_unfinished(config.storage)
    products = [product.to_json() for product in summaries]
    # On one line: an indented large index takes ten times as long to write.
    text = json.dumps({"form": _FORM, "products": products}, default=str, ensure_ascii=False)
    try:
        write_durably(config.storage / INDEX, text + "\n")
    except OSError:
        with suppress(OSError):
            (config.storage / INDEX).unlink()  # it would answer with what was true before
        raise
    for name, text in _texts(summaries).items():
        path = config.storage / name
        if path.is_dir():
            set_aside(path)
        if not path.is_file() or path.read_bytes() != text.encode():
            write_durably(path, text)


def _texts(summaries: Iterable[ProductSummary]) -> dict[str, str]:
    """Return the files for readers without the kit, by their names in the storage folder."""
    published = {
        product.name: vars(product) | {"ports": [port.name for port in product.ports]}
        for product in summaries
        if product.version
    }
    ports = ((name, port) for name, facts in published.items() for port in facts["ports"])
    return {
        intake.CATALOG: intake.mesh_catalog(published, "{CATALOG_DIR}"),
        plain_sql.README: plain_sql.storage_readme(ports),
    }
