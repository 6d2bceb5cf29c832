"""The index: the summaries of all products in one file, so that a search for data opens no other file."""

import json
from collections.abc import Iterable

from kit.core import Config, KitError, lock, read_json, remove_unfinished, write_durably
from kit.mesh import Broken, Context, DataProduct, folders
from kit.storage import intake, plain_sql
from kit.storage.confirmation import across
from kit.storage.summary import ProductSummary

INDEX = "index.json"
_FORM = 3  # version of the file's format; an index of another version is rebuilt


def load(context: Context) -> tuple[ProductSummary, ...]:
    """Return the summaries of all products, sorted by name; rebuilds an index that is missing, damaged or outdated.

    An index is outdated when it names other domains than there are. Raises `MeshError` when there are no domains.
    """
    config = context.config
    summaries = _read(config)
    if set(summaries) != _domains(config, summaries):
        context.mesh  # noqa: B018 (its error is not one of the storage)
        try:
            return write(context)
        except (KitError, OSError):  # the storage is read-only: the summaries are derived on each call
            return _sorted(derive(context))
    return _sorted(across(summaries.values()))


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
    """Rebuild the whole index; returns its summaries, sorted by name."""
    with lock(context.config.storage / ".index.lock", wait=True):
        summaries = _sorted(_own(context))
        _replace(context.config, summaries)
    return across(summaries)


def update(config: Config, product: DataProduct) -> None:
    """Replace the summary of one product in the index."""
    with lock(config.storage / ".index.lock", wait=True):
        summaries = _read(config) | {product.name: ProductSummary.from_product(config, product)}
        _replace(config, _sorted(summaries.values()))


def _own(context: Context) -> tuple[ProductSummary, ...]:
    """Return the summaries as the index has them: each from the records of its own product alone."""
    products: tuple[DataProduct | Broken, ...] = context.mesh.products + context.mesh.broken
    return tuple(ProductSummary.from_product(context.config, product) for product in products)


def _read(config: Config) -> dict[str, ProductSummary]:
    try:
        data = read_json(config.storage / INDEX)
        if data["form"] != _FORM:
            return {}
        return {item["name"]: ProductSummary.from_json(item) for item in data["products"]}
    except (KitError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _sorted(summaries: Iterable[ProductSummary]) -> tuple[ProductSummary, ...]:
    return tuple(sorted(summaries, key=lambda product: product.name))


def _replace(config: Config, summaries: tuple[ProductSummary, ...]) -> None:
    """Write the index, and a catalog and a README for readers who can reach only the storage folder."""
    remove_unfinished(config.storage)
    products = [product.to_json() for product in summaries]
    # On one line: an indented large index takes ten times as long to write.
    text = json.dumps({"form": _FORM, "products": products}, default=str, ensure_ascii=False)
    write_durably(config.storage / INDEX, text + "\n")
    published = {
        product.name: vars(product) | {"ports": [port.name for port in product.ports]}
        for product in summaries
        if product.version
    }
    ports = ((name, port) for name, facts in published.items() for port in facts["ports"])
    texts = {
        intake.CATALOG: intake.mesh_catalog(published, "{CATALOG_DIR}"),
        plain_sql.README: plain_sql.storage_readme(ports),
    }
    for name, text in texts.items():
        path = config.storage / name
        if not path.is_file() or path.read_bytes() != text.encode():
            write_durably(path, text)
