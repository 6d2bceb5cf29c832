"""The landing of one source, as a build does it."""

from pathlib import Path

from kit.build.places import ingest_process
from kit.core.config import Config
from kit.ingest.landing import LandedSource, land
from kit.mesh.product import DataProduct


def land_source(config: Config, product: DataProduct, raw: Path) -> LandedSource:
    """Land the first source of a product below `raw`."""
    with ingest_process(config, product) as process:
        return land(process, product.sources[0], raw)
