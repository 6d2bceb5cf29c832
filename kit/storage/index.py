"""The index: every product's card in one file, so that finding data opens no other."""

import json
from collections.abc import Iterable

from kit.core import Config, KitError, lock, read_json, write_durably
from kit.mesh import Broken, Context, DataProduct, Mesh, folders
from kit.storage import intake
from kit.storage.summary import ProductSummary

INDEX = "index.json"
_FORM = 1  # of what is in the file; another one is made anew


def load(context: Context) -> tuple[ProductSummary, ...]:
    """The cards of all products, by name; an index that is missing, damaged or knows other domains is made anew.

    Raises `MeshError` when there are no domains.
    """
    config = context.config
    cards = _read(config)
    if set(cards) != {folder.name for folder in folders(config.domains)}:
        mesh = context.mesh
        try:
            return write(config, mesh)
        except (KitError, OSError):  # who only reads the storage looks each time
            return _sorted(derive(config, mesh))
    return _sorted(cards.values())


def derive(config: Config, mesh: Mesh) -> tuple[ProductSummary, ...]:
    """The cards of a mesh in build order, then those of the broken products, from the files themselves."""
    products: tuple[DataProduct | Broken, ...] = mesh.products + mesh.broken
    return tuple(ProductSummary.of(config, product) for product in products)


def write(config: Config, mesh: Mesh) -> tuple[ProductSummary, ...]:
    """Replace the whole index by what the files say now; gives its cards, by name."""
    with lock(config.storage / ".index.lock", wait=True):
        cards = _sorted(derive(config, mesh))
        _replace(config, cards)
    return cards


def update(config: Config, product: DataProduct) -> None:
    """Put a product's card of now into the index."""
    with lock(config.storage / ".index.lock", wait=True):
        cards = _read(config) | {product.name: ProductSummary.of(config, product)}
        _replace(config, _sorted(cards.values()))


def _read(config: Config) -> dict[str, ProductSummary]:
    try:
        data = read_json(config.storage / INDEX)
        if data["form"] != _FORM:
            return {}
        return {card["name"]: ProductSummary.from_json(card) for card in data["products"]}
    except (KitError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _sorted(cards: Iterable[ProductSummary]) -> tuple[ProductSummary, ...]:
    return tuple(sorted(cards, key=lambda card: card.name))


def _replace(config: Config, cards: tuple[ProductSummary, ...]) -> None:
    """Write the index, and the catalog of the whole storage for readers who have only that."""
    products = [card.to_json() for card in cards]
    # In one line: indented, a large index takes ten times as long to write.
    text = json.dumps({"form": _FORM, "products": products}, default=str, ensure_ascii=False)
    write_durably(config.storage / INDEX, text + "\n")
    published = {card.name: vars(card) | {"ports": [port.name for port in card.ports]} for card in cards if card.version}
    catalog = intake.of_products(published, "{CATALOG_DIR}")
    path = config.storage / intake.CATALOG
    if not path.is_file() or path.read_bytes() != catalog.encode():
        write_durably(path, catalog)
