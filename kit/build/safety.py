"""The proof that a product stays within its folder and its inputs: one function, for `kit check` and for builds."""

from collections.abc import Iterator

from kit.build.places import forbidden, ingest_places
from kit.contracts import Finding
from kit.core import Config, KitError, resolve_inside
from kit.dbt.refusals import refusals
from kit.lineage import ingest_reads, notebook_reads
from kit.mesh import DataProduct


def safety_findings(config: Config, product: DataProduct) -> Iterator[Finding]:
    """Find links that leave the folder, what a dbt project may not contain, and Python that reads past the inputs."""
    yield from _links(product)
    for refused in refusals(product.folder):
        yield Finding(product.name, refused.path, refused.line, refused.message)
    try:
        ingest_places(config, product)
    except KitError as error:
        yield Finding.from_error(product.name, error)
    places = forbidden(config, product.name)
    yield from ingest_reads(product.name, product.folder, places).faults
    for port in product.ports:
        if port.notebook is not None:
            try:
                yield from notebook_reads(port.notebook, product.name, product.folder, places).faults
            except KitError as error:
                yield Finding.from_error(product.name, error)


def check_safety(config: Config, product: DataProduct) -> None:
    """Raise `KitError` with the first finding; nothing of the product has run until then."""
    for finding in safety_findings(config, product):
        raise KitError(f"'{product.name}' is not built: {finding}")


def _links(product: DataProduct) -> Iterator[Finding]:
    """Find links that leave the domain folder: their targets would be published as files of the domain."""
    for path in sorted(product.folder.rglob("*")):
        if path.is_symlink():
            try:
                resolve_inside(product.folder, str(path.relative_to(product.folder)))
            except KitError as error:
                yield Finding.from_error(product.name, error)
