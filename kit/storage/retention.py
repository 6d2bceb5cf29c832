"""Retention: removes old snapshots and the run folders and raw data that only they use."""

from kit.core import Busy, Config
from kit.mesh import Context, DataProduct
from kit.storage.runs import Runs
from kit.storage.snapshot import PruneResult
from kit.storage.store import Store


def prune(context: Context, keep: int) -> dict[str, list[PruneResult]]:
    """Remove old snapshots of every product, and the run folders and raw data that only they use.

    Returns one result per old version, by product; a product that is being built is left alone. Raises `KitError` when
    `keep` is below 1.
    """
    config = context.config
    store = Store(config.storage)
    result: dict[str, list[PruneResult]] = {}
    for product in context.mesh.products:
        if not store.folder(product.name).is_dir():
            continue
        # A running build needs the raw data it has landed and its run folder.
        try:
            with store.build_lock(product.name):
                result[product.name] = _prune_product(config, store, product, keep)
        except Busy:
            kept = [PruneResult(version, "the product is being built") for version in store.versions(product.name)[keep:]]
            result[product.name] = kept
    return result


def _prune_product(config: Config, store: Store, product: DataProduct, keep: int) -> list[PruneResult]:
    result = store.prune(product.name, keep)
    kept = store.history(product.name)
    Runs(config.storage).prune(product.name, {snapshot.manifest["run_id"] for snapshot in kept}, keep)
    raw = config.storage / "raw" / product.name
    for source in raw.iterdir() if raw.is_dir() else ():
        used = {snapshot.manifest["sources"].get(source.name, {}).get("digest") for snapshot in kept}
        for path in source.iterdir():
            if path.stem not in used:
                path.unlink()
    return result
