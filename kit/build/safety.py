"""The proof that a product stays within its folder and its inputs: one function, for `kit check` and for builds."""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from kit.build.incremental import growth_findings
from kit.build.places import forbidden, ingest_places
from kit.contracts import Finding
from kit.core import MAX_BYTES, Config, ContentCache, KitError, resolve_inside, sha256
from kit.dbt.refusals import refusals
from kit.lineage import ingest_reads, notebook_reads
from kit.mesh import DataProduct


def safety_findings(config: Config, product: DataProduct) -> Iterator[Finding]:
    """Find links that leave the folder, what a dbt project may not contain, and Python that reads past the inputs."""
    yield from _in_places(config, product)
    yield from _in_folder(product, forbidden(config, product.name))


def check_safety(config: Config, product: DataProduct) -> None:
    """Raise `KitError` with the first finding; nothing of the product has run until then.

    A folder that was found safe is read as Python, SQL and YAML again only when a file or link in it has changed.
    """
    places, cache = forbidden(config, product.name), ContentCache(config.cache / f"safe-{product.name}")
    key = _content(product.folder, places)
    is_known = cache.lookup(key) is not None
    for finding in chain(_in_places(config, product), () if is_known else _in_folder(product, places)):
        raise KitError(f"'{product.name}' is not built: {finding}")
    cache.put(key, product.name)
    cache.save()


def _in_places(config: Config, product: DataProduct) -> Iterator[Finding]:
    """Find what `ingest.py` declares to read and must not."""
    try:
        ingest_places(config, product)
    except KitError as error:
        yield Finding.from_error(product.name, error)


def _in_folder(product: DataProduct, places: Mapping[Path, str]) -> Iterator[Finding]:
    """Find what the files in the folder of a product do; `places` are those whose files they must not read."""
    yield from _links(product)
    for refused in refusals(product.folder):
        yield Finding(product.name, refused.path, refused.line, refused.message)
    yield from growth_findings(product)
    yield from ingest_reads(product.name, product.folder, places).faults
    for port in product.ports:
        if port.notebook is not None:
            try:
                yield from notebook_reads(port.notebook, product.name, product.folder, places).faults
            except KitError as error:
                yield Finding.from_error(product.name, error)


def _content(folder: Path, places: Iterable[Path]) -> str:
    """A digest of all that `_in_folder` depends on: names, links, and the content of the files that are read at all.

    Links outside of the folder are left out: their targets may change at any time, and the confinement refuses them.
    """
    parts = [str(folder), str(Path.home()), *(os.path.realpath(place) for place in places), ""]
    for path in sorted(folder.rglob("*")):
        link = os.path.realpath(path) if path.is_symlink() else ""
        is_read = path.is_file() and path.stat().st_size <= MAX_BYTES
        parts += [str(path.relative_to(folder)), link, sha256(path) if is_read else ""]
    return ContentCache.key(*map(repr, parts))


def _links(product: DataProduct) -> Iterator[Finding]:
    """Find links that leave the domain folder: their targets would be published as files of the domain."""
    for path in sorted(product.folder.rglob("*")):
        if path.is_symlink():
            try:
                resolve_inside(product.folder, str(path.relative_to(product.folder)))
            except KitError as error:
                yield Finding.from_error(product.name, error)
