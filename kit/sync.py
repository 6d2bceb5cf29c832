"""Generated files of the clone: `kit sync` writes them, `kit check` holds them against what they should be."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit import entries
from kit.card import product_facts
from kit.config import Config
from kit.errors import KitError
from kit.files import read_text, short, write_durably
from kit.hazards import hazard
from kit.lineage import lineage, picture, without_models
from kit.mesh import Mesh, folders
from kit.product import DataProduct

PICTURE = "lineage.svg"
HEADER = "# Written by `kit sync` for plain Intake. Do not edit: `kit check` compares it.\n"


def sync(config: Config, mesh: Mesh) -> list[Path]:
    """Write the generated files that are not as they should be; gives those written.

    While a product is broken its own catalog and the files of the whole mesh stay as they are.
    """
    written = []
    for path, text in _generated(config, mesh).items():
        try:
            same = not path.is_symlink() and read_text(path) == text
        except KitError:
            same = False
        if not same:
            write_durably(path, text)
            written.append(path)
    return written


def problems(config: Config, mesh: Mesh) -> Iterator[tuple[str, str]]:
    """What is wrong with the generated files, as pairs of product (or file) name and message.

    No catalog is opened with Intake, which would run what a dangerous one tells it to.
    """
    expected = _generated(config, mesh)
    drawn = config.domains / PICTURE
    if drawn in expected and (drawn.is_symlink() or not drawn.is_file() or drawn.read_bytes() != expected[drawn].encode()):
        yield PICTURE, f"{short(drawn)}: does not show what the products read and offer; run `kit sync`"
    for path in (config.root / entries.CATALOG, *(folder / entries.CATALOG for folder in folders(config.domains))):
        name = path.parent.name if path.parent != config.root else entries.CATALOG
        try:
            found = _wrong(path, expected.get(path), (config.root, config.storage))
        except KitError as error:
            found = str(error)
        if found:
            yield name, found


def _wrong(path: Path, expected: str | None, allowed: tuple[Path, ...]) -> str | None:
    """What is wrong with one catalog; None is `expected` where a broken product leaves that open."""
    if not path.exists() and not path.is_symlink():
        return f"{short(path)}: is missing; run `kit sync`" if expected else None
    if not path.is_symlink() and read_text(path) == expected:
        return None
    if found := hazard(path, allowed):
        return found
    return f"{short(path)}: differs from what product.odps.yaml and pyproject.toml say; run `kit sync`" if expected else None


def _generated(config: Config, mesh: Mesh) -> dict[Path, str]:
    """Every generated file by its path, as it should be."""
    # What is committed must not depend on the environment of whoever writes it.
    storage = Config.load(config.root, {}).storage
    products = {product.name: _about(product) for product in mesh.products}
    result = {} if mesh.broken else {config.root / entries.CATALOG: _catalog(products, config.root, config.root, storage)}
    if mesh.products and not mesh.broken:
        result[config.domains / PICTURE] = picture(without_models(lineage(mesh)), "From raw data to published ports") + "\n"
    for product in mesh.products:
        path = product.folder / entries.CATALOG
        result[path] = _catalog({product.name: products[product.name]}, product.folder, config.root, storage)
    return result


def _about(product: DataProduct) -> dict[str, Any]:
    return {**product_facts(product), "ports": [port.name for port in product.ports]}


def _catalog(products: dict[str, dict[str, Any]], folder: Path, root: Path, storage: Path) -> str:
    if storage.is_relative_to(root):
        url = f"{{CATALOG_DIR}}/{os.path.relpath(storage, folder)}"
    elif storage.is_relative_to(Path.home()):
        url = f"~/{storage.relative_to(Path.home())}"  # each reader's own
    else:
        url = str(storage)
    return entries.of_products(dict(sorted(products.items())), url, HEADER)
