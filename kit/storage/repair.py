"""Repair of the pointer of a product from what its snapshots and catalogs say."""

from datetime import UTC, datetime

from kit.core import Damaged, KitError, UnknownName, exists, read_yaml, set_aside
from kit.storage import intake
from kit.storage.snapshot import Pointer, Rollback
from kit.storage.store import POINTER_FILE, Store

_REASON = "the pointer was damaged; restored by `kit doctor --fix`"


def restore_pointer(store: Store, product: str, user: str = "") -> str | None:
    """Replace a pointer that is damaged, missing or names no usable snapshot; return the version, None when nothing was to do.

    The version is the one that the product's catalog names, if it is whole, else the newest whole one. A damaged file is kept
    beside the new one. Raises `Damaged` when no snapshot is whole, `Unreadable` or `Newer` for a pointer that may be in order.
    """
    with store.pointer_lock(product):
        pointer: Pointer | None = None
        try:
            pointer = store.read_pointer(product)
            if pointer is None or store.snapshot(product, pointer.version):
                return None
        except (Damaged, UnknownName):
            pass
        whole = [snapshot for snapshot in store.history(product) if not any(map(snapshot.damage, snapshot.manifest["ports"]))]
        whole = [snapshot for snapshot in whole if not store.exposed(snapshot)]
        if not whole:
            raise Damaged(f"no snapshot of '{product}' is whole; build one with `kit run {product} --force`")
        served = catalog_version(store, product)
        chosen = next((snapshot for snapshot in whole if snapshot.version == served), whole[0])
        path = store.folder(product) / POINTER_FILE
        if exists(path):
            set_aside(path)
        # Whole snapshots after the one that was served were rolled back from.
        newer = whole[: whole.index(chosen)]
        rejected = {snapshot.fingerprint for snapshot in newer} | set(pointer.rejected if pointer else ())
        moves = pointer.rollbacks if pointer else ()
        if newer or pointer:
            moves = (*moves, Rollback(datetime.now(UTC), chosen.version, pointer.version if pointer else "", user, _REASON))
        by = "rollback" if newer or pointer else "publish"
        store.write_pointer(chosen, by, sorted(rejected - {chosen.fingerprint}), moves)
    return chosen.version


def catalog_version(store: Store, product: str) -> str:
    """Return the version that the product's Intake catalog names, which follows each move of the pointer; empty without one."""
    try:
        return str(read_yaml(store.folder(product) / intake.CATALOG).data["metadata"]["snapshot_version"])
    except (KitError, TypeError, KeyError):
        return ""
