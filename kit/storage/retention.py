"""Retention: removes old snapshots, old run folders, and raw data that no snapshot uses."""

import shutil
from datetime import timedelta

from kit.core import Busy, Config, Damaged, InvalidFile
from kit.mesh import Context
from kit.storage.runs import Runs
from kit.storage.snapshot import PruneResult
from kit.storage.store import Store


def prune(context: Context, keep: int) -> dict[str, list[PruneResult]]:
    """Keep the newest `keep` snapshots and runs of every product, and the raw data of these snapshots.

    Snapshots that were current within the setting `reader_grace_minutes` stay too. Returns one result per old version, by
    product; a product that is being built is left alone. Raises `KitError` when `keep` is below 1.
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
                result[product.name] = _prune(store, product.name, keep, keep, config.reader_grace_minutes, spare=0)
        except Busy:
            kept = store.versions(product.name)[keep:]
            result[product.name] = [PruneResult(version, "the product is being built") for version in kept]
        except (Damaged, InvalidFile) as error:
            kept = store.versions(product.name)[keep:]
            result[product.name] = [PruneResult(version, str(error), damaged=True) for version in kept]
    return result


def retain(config: Config, product: str) -> bool:
    """Remove of one product what the settings `keep_runs` and `keep_snapshots` do not keep; return whether snapshots went.

    The caller holds its build lock. Raw data that no snapshot uses is kept for as many failed builds as runs are.
    """
    store, grace = Store(config.storage), config.reader_grace_minutes
    results = _prune(store, product, config.keep_snapshots, config.keep_runs, grace, spare=config.keep_runs)
    return any(result.kept_because is None for result in results)


def _prune(
    store: Store, product: str, snapshots: int | None, runs: int, grace_minutes: int, *, spare: int
) -> list[PruneResult]:
    result = [] if snapshots is None else store.prune(product, snapshots, timedelta(minutes=grace_minutes))
    pointer, versions = store.read_pointer(product), store.versions(product)
    Runs(store.storage).prune(product, {*versions[:runs], *([pointer.version] if pointer else [])}, runs)
    _prune_raw(store, product, versions, spare)
    return result


def _prune_raw(store: Store, product: str, versions: list[str], spare: int) -> None:
    """Remove raw data that none of these snapshots uses, except the newest `spare` files of each source."""
    raw = store.storage / "raw" / product
    for source in raw.iterdir() if raw.is_dir() else ():
        files = []
        for path in source.iterdir():
            if path.name.startswith("."):  # a build that was killed while it landed the data
                if path.is_file():
                    path.unlink(missing_ok=True)
                else:  # values that did not fit into memory
                    shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".parquet":
                files.append(path)
        if len(files) <= (len(versions) + spare if spare else 0):
            continue  # without a look at every snapshot
        try:
            snapshots = [store.snapshot(product, version) for version in versions]
        except (Damaged, InvalidFile):
            return  # it is not known what they use
        used = {snapshot.manifest["sources"].get(source.name, {}).get("digest") for snapshot in snapshots}
        unused = sorted((path for path in files if path.stem not in used), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in unused[spare:]:
            path.unlink()
            path.with_suffix(".sha256").unlink(missing_ok=True)
