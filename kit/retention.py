"""Removing what is no longer needed: old snapshots, and the run folders and raw data only they used."""

from kit.config import Config
from kit.mesh import Mesh
from kit.runs import Runs
from kit.store import Pruned, Store


def prune(config: Config, mesh: Mesh, keep: int) -> dict[str, list[Pruned]]:
    """Remove old snapshots of every product, and the run folders and raw data only they needed.

    Returns what became of each version by product. Raises `KitError` when `keep` is below 1 and `Busy` while one of
    the products is being built.
    """
    store, runs = Store(config.storage), Runs(config.storage)
    result = {}
    for product in mesh.products:
        if not store.folder(product.name).is_dir():
            continue
        # A build at work needs the raw data it has landed and its own run folder.
        with store.building(product.name):
            result[product.name] = store.prune(product.name, keep)
            kept = store.history(product.name)
            runs.prune(product.name, {snapshot.manifest["run_id"] for snapshot in kept}, keep)
            for source in product.sources:
                used = {snapshot.manifest["sources"].get(source.name, {}).get("digest") for snapshot in kept}
                for path in (config.storage / "raw" / product.name / source.name).glob("[!.]*.parquet"):
                    if path.stem not in used:
                        path.unlink()
    return result
