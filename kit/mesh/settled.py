"""Products in which a check found nothing, remembered by the content of all files on which its result depends."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kit.contracts import place_of
from kit.core import ContentCache, sha256
from kit.mesh.context import Context
from kit.mesh.mesh import folders
from kit.mesh.product import DataProduct


class Settled:
    """The products of a mesh in which the check `name` found nothing, and on whose files it would find nothing now.

    A product with a finding is never remembered, nor one whose files do not decide alone. A cache that is missing, damaged or
    of another version of the kit makes the check slower, and changes no result.
    """

    def __init__(self, context: Context, name: str) -> None:
        self._cache = ContentCache(context.config.cache / f"settled-{name}")
        self._contents = context.mesh.contents
        self._shared = ContentCache.key(*_shared(context))
        self._providers = {product.name: product for product in context.mesh.products}
        self._keys: dict[str, str | None] = {}
        self._digest = cache(sha256)

    def __contains__(self, product: DataProduct) -> bool:
        key = self._key(product)
        return key is not None and self._cache.lookup(key) is not None

    def add(self, product: DataProduct) -> None:
        """Remember a product in which the check has found nothing, in the content that it had before the check."""
        key = self._key(product)
        if (
            key is not None
            and self._contents.decides(product.folder)
            and all(map(self._contents.is_still, self._others(product)))
        ):
            self._cache.put(key, product.name)

    def save(self) -> None:
        """Write what is remembered, of the products that were looked up or added."""
        self._cache.save()

    def _key(self, product: DataProduct) -> str | None:
        if product.name not in self._keys:
            own = self._contents.key(product.folder)
            self._keys[product.name] = ContentCache.key(self._shared, own, *self._content(product)) if own else None
        return self._keys[product.name]

    def _others(self, product: DataProduct) -> set[Path]:
        """Return the folders of the products with whose contracts, as the mesh has read them, a product is compared."""
        names = {item.product for item in product.inputs} | {need.consumer for port in product.ports for need in port.needs}
        return {self._providers[name].folder for name in names & self._providers.keys()}

    def _content(self, product: DataProduct) -> Iterator[str]:
        """Yield the ports that serve the inputs of a product, and the contracts of both sides."""
        yield repr([(item.name, item.port, str(item.version)) for item in product.inputs])
        for item in product.inputs:
            provider = self._providers.get(item.product)
            port = provider.port(item.port.partition(".")[2]) if provider else None
            yield self._digest(port.contract.path) if port else ""
        for port in product.ports:
            yield from (
                f"{need.consumer} {need.owner} {need.contact} {self._digest(need.contract.path)}" for need in port.needs
            )
        for source in product.sources:  # of a place outside of the domain only its path is checked
            yield from (os.path.realpath(place_of(text, product.folder)) for text in source.contract.reads)


def _shared(context: Context) -> list[str]:
    """Return what all checks depend on: the settings, the names in the mesh, and the place of its folders."""
    config, mesh = context.config, context.mesh
    settings = config.root / "pyproject.toml"
    variables = sorted((name, value) for name, value in os.environ.items() if name.startswith("KIT_"))
    places = [str(config.root), str(config.storage), str(config.domains), str(Path.home()), os.path.realpath(config.storage)]
    places += [os.path.realpath(path) for path in (config.domains, *folders(config.domains)) if path.is_symlink()]
    files = sha256(settings) if settings.is_file() else ""
    return [*places, files, repr(variables), *mesh.names, *(port.id for port in mesh.ports)]
