"""All that a storage holds of a product, by its name: also of one whose folder was deleted or renamed."""

import fcntl
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

from kit.core import IDENTIFIER, Busy, Config, UnknownName, sqlite_rows
from kit.storage.snapshot import MANIFEST_FILE, Pruned, PruneResult
from kit.storage.store import Store

_FOLDERS = ("products", "raw", "runs", "dbt")
"""Folders of the storage with one folder for each product."""

_REMOVED = ".removed-"


def without_domain(config: Config, names: Collection[str]) -> list[str]:
    """Return the products of which the storage or Dagster's history holds something, and that are not among `names`.

    They were deleted or renamed, or another repository publishes them in the same storage.
    """
    found = {path.name for folder in _FOLDERS for path in _folders(config.storage / folder)}
    found |= {path.name.removeprefix(_REMOVED) for path in config.storage.glob(f"{_REMOVED}*")}
    index = config.dagster_home / "history/runs/index.db"
    found |= {str(json.loads(key)[0]) for (key,) in sqlite_rows(index, "select asset_key from asset_keys")}
    return sorted(name for name in found - set(names) if IDENTIFIER.fullmatch(name))


def places(config: Config, product: str) -> list[Path]:
    """Return the files and folders of the storage that hold something of a product, the one of its snapshots last.

    Those of Dagster, of the cache and of exports are not among them.
    """
    storage = config.storage
    found = [*storage.glob(f"dbt/{product}.duckdb*"), *storage.glob(f"openlineage/*.{product}")]
    found += [storage / folder / product for folder in reversed(_FOLDERS)]
    return [path for path in found if path.exists()]


def remove(config: Config, product: str, *, dry_run: bool = False) -> Pruned:
    """Remove all that the storage holds of a product, or nothing while a process builds it or reads one of its snapshots.

    What a killed process leaves is found by `without_domain`, and removed by the next call. Nothing of Dagster is removed.
    """
    store = Store(config.storage)
    snapshots = tuple(PruneResult(version, None) for version in store.versions(product))
    runs = len(list(_folders(config.storage / "runs" / product)))
    raw = len(list((config.storage / "raw" / product).glob("*/*.parquet")))
    try:
        with ExitStack() as held:
            held.enter_context(store.build_lock(product))
            held.enter_context(store.pointer_lock(product))
            for item in snapshots:
                manifest = held.enter_context((store.folder(product) / item.version / MANIFEST_FILE).open("rb"))
                fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not dry_run:
                _remove(config, product)
    except Busy:
        return Pruned(problem="the product is being built")
    except BlockingIOError:
        return Pruned(problem=f"snapshot {item.version} is being read")
    except OSError as error:
        return Pruned(problem=f"cannot be deleted: {error.filename}: {error.strerror}")
    return Pruned(snapshots, runs, raw)


def select(config: Config, names: Collection[str], selection: Collection[str]) -> list[str]:
    """Return the products of a selection that the mesh, with products of these `names`, or the storage has.

    Raises `UnknownName` for any other.
    """
    known = {*names, *without_domain(config, names)}
    for name in selection:
        if name not in known:
            product, dot, _ = name.partition(".")
            if dot and product in known:
                raise UnknownName(f"'{name}' is a port; its product is pruned as a whole: {product}")
            there = ", ".join(sorted(known)) or "none"
            raise UnknownName(f"neither this mesh nor its storage has a product '{name}'; there are: {there}")
    return list(dict.fromkeys(selection))


def _remove(config: Config, product: str) -> None:
    shutil.rmtree(config.storage / f"{_REMOVED}{product}", ignore_errors=True)
    for path in places(config, product):
        if path.parent.name == "products":  # at once, since readers find snapshots below it
            path = path.rename(config.storage / f"{_REMOVED}{product}")
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    shutil.rmtree(config.cache, ignore_errors=True)


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return
