"""Retention: removes old snapshots, old run folders, and raw data that no snapshot uses."""

import shutil
from collections.abc import Collection
from datetime import timedelta

from kit.core import Busy, Config, Damaged, InvalidFile, KitError, machine_problem
from kit.mesh import Context
from kit.storage.runs import Runs
from kit.storage.snapshot import Pruned, PruneResult
from kit.storage.store import Store


def prune(context: Context, keep: int, products: Collection[str] = (), *, dry_run: bool = False) -> dict[str, Pruned]:
    """Keep the newest `keep` snapshots and runs of products, and the raw data of these snapshots.

    `products` are names, also of products whose files are broken or gone; without any, those of the mesh. Snapshots that were
    current within the setting `reader_grace_minutes` stay too, and all of a product that is being built. One of which the
    storage has nothing is left out of the result. With `dry_run` nothing is changed. Raises `KitError` when `keep` is below 1.
    """
    if keep < 1:
        raise KitError(f"cannot keep {keep} snapshots; keep at least 1")
    config, mesh = context.config, context.mesh
    store = Store(config.storage)
    result: dict[str, Pruned] = {}
    for name in products or [*(product.name for product in mesh.products), *(item.name for item in mesh.broken)]:
        if not store.folder(name).is_dir():
            continue
        # A running build needs the raw data it has landed and its run folder.
        try:
            with store.build_lock(name):
                if not dry_run:
                    store.remove_unfinished(name)
                    Runs(config.storage).empty_killed(name)
                result[name] = _prune(store, name, keep, keep, config.reader_grace_minutes, spare=0, dry_run=dry_run)
        except Busy:
            result[name] = _untouched(store, name, keep, "the product is being built")
        except (Damaged, InvalidFile) as error:
            result[name] = _untouched(store, name, keep, str(error))
        except OSError as error:
            result[name] = Pruned(problem=f"cannot be deleted: {error.filename}: {machine_problem(error) or error.strerror}")
    return result


def retain(config: Config, product: str) -> bool:
    """Remove of one product what the settings `keep_runs` and `keep_snapshots` do not keep; return whether snapshots went.

    The caller holds its build lock. Raw data that no snapshot uses is kept for as many failed builds as runs are.
    """
    store, grace = Store(config.storage), config.reader_grace_minutes
    return bool(_prune(store, product, config.keep_snapshots, config.keep_runs, grace, spare=config.keep_runs).deleted)


def _untouched(store: Store, product: str, keep: int, problem: str) -> Pruned:
    return Pruned(tuple(PruneResult(version, problem) for version in store.versions(product)[keep:]), problem=problem)


def _prune(
    store: Store, product: str, snapshots: int | None, runs: int, grace_minutes: int, *, spare: int, dry_run: bool = False
) -> Pruned:
    grace = timedelta(minutes=grace_minutes)
    result = tuple([] if snapshots is None else store.prune(product, snapshots, grace, dry_run=dry_run))
    gone = {item.version for item in result if item.kept_because is None}
    pointer, versions = store.read_pointer(product), [version for version in store.versions(product) if version not in gone]
    kept = {*versions[:runs], *([pointer.version] if pointer else [])}
    removed = Runs(store.storage).prune(product, kept, runs, dry_run=dry_run)
    return Pruned(result, removed, _prune_raw(store, product, versions, spare, dry_run=dry_run))


def _prune_raw(store: Store, product: str, versions: list[str], spare: int, *, dry_run: bool) -> int:
    """Remove raw data that none of these snapshots uses, except the newest `spare` files of each source; return how many."""
    raw, removed = store.storage / "raw" / product, 0
    for source in raw.iterdir() if raw.is_dir() else ():
        files = []
        for path in source.iterdir():
            if path.name.startswith("."):  # a build that was killed while it landed the data
                if dry_run:
                    continue
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
            return removed  # it is not known what they use
        used = {snapshot.manifest["sources"].get(source.name, {}).get("digest") for snapshot in snapshots}
        unused = sorted((path for path in files if path.stem not in used), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in unused[spare:]:
            removed += 1
            if not dry_run:
                path.unlink()
                path.with_suffix(".sha256").unlink(missing_ok=True)
    return removed
