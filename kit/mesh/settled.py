"""Products in which a check found nothing, remembered by the content of all files on which its result depends."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from kit.contracts import place_of
from kit.core import MAX_BYTES, ContentCache, sha256
from kit.mesh.context import Context
from kit.mesh.mesh import folders
from kit.mesh.product import DataProduct

_PACKAGES = ("dbt-core", "duckdb", "great_expectations", "jinja2", "pyyaml", "sqlglot", "sqlalchemy")


class Settled:
    """The products of a mesh in which the check `name` found nothing, and on whose files it would find nothing now.

    A product with a finding is never remembered. A cache that is missing, damaged or of another version of the kit makes the
    check slower, and changes no result.
    """

    def __init__(self, context: Context, name: str) -> None:
        self._cache = ContentCache(context.config.cache / f"settled-{name}")
        self._shared = _shared(context)
        self._providers = {product.name: product for product in context.mesh.products}
        self._keys: dict[str, str] = {}

    def __contains__(self, product: DataProduct) -> bool:
        return self._cache.lookup(self._key(product)) is not None

    def add(self, product: DataProduct) -> None:
        """Remember a product in which the check has found nothing, in the content that it had before the check."""
        self._cache.put(self._key(product), product.name)

    def save(self) -> None:
        """Write what is remembered, of the products that were looked up or added."""
        self._cache.save()

    def _key(self, product: DataProduct) -> str:
        if product.name not in self._keys:
            self._keys[product.name] = ContentCache.key(*self._shared, *self._content(product))
        return self._keys[product.name]

    def _content(self, product: DataProduct) -> Iterator[str]:
        """Yield the files of a product, the ports that serve its inputs, and the contracts of both sides."""
        yield repr([(item.name, item.port, str(item.version)) for item in product.inputs])
        for item in product.inputs:
            provider = self._providers.get(item.product)
            port = provider.port(item.port.partition(".")[2]) if provider else None
            yield sha256(port.contract.path) if port else ""
        for port in product.ports:
            yield from (f"{need.consumer} {need.owner} {need.contact} {sha256(need.contract.path)}" for need in port.needs)
        for source in product.sources:  # of a place outside of the domain only its path is checked
            yield from (os.path.realpath(place_of(text, product.folder)) for text in source.contract.reads)
        yield from _files(product.folder)


def _files(folder: Path) -> Iterator[str]:
    for place, below, names in os.walk(folder):
        below.sort()
        for name in sorted((*below, *names)):
            path = Path(place, name)
            link = os.path.realpath(path) if path.is_symlink() else ""
            is_read = path.is_file() and path.stat().st_size <= MAX_BYTES
            yield repr((str(path), link, sha256(path) if is_read else ""))


def _shared(context: Context) -> list[str]:
    """Return what all checks depend on: the settings, the names in the mesh, the place of its folders, and packages."""
    config, mesh = context.config, context.mesh
    settings = config.root / "pyproject.toml"
    variables = sorted((name, value) for name, value in os.environ.items() if name.startswith("KIT_"))
    places = [str(config.root), str(config.storage), str(config.domains), str(Path.home()), os.path.realpath(config.storage)]
    places += map(os.path.realpath, folders(config.domains))
    ports = [f"{port.id} {port.contract.version}" for port in mesh.ports]
    files = sha256(settings) if settings.is_file() else ""
    return [*places, files, repr(variables), *mesh.names, *ports, *_versions()]


@cache
def _versions() -> tuple[str, ...]:
    return (sys.version, *(f"{name} {version(name)}" for name in _PACKAGES))
