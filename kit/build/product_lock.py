"""The lock under which anything is made from the code of a product."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from kit.core import Config, mask_key_hidden, resources
from kit.mesh import DataProduct
from kit.storage import Store


@contextmanager
def product_lock(config: Config, product: DataProduct, *, wait: bool = False) -> Iterator[ExitStack]:
    """Be the only process that builds a product; with `wait` as soon as no other does, otherwise raises `Busy`.

    The catalogs that a killed build left behind are repaired first. Meanwhile connections use what the mesh allows a build, and
    the masking key is hidden from the code of the product. Yields a stack for what has to be held as long, such as pinned
    snapshots.
    """
    store = Store(config.storage)
    with store.build_lock(product.name, wait=wait), resources.limited(config), mask_key_hidden(), ExitStack() as held:
        store.repair_catalog(product.name)
        yield held
