"""Removal of what shows values of columns that were hidden later: older snapshots, runs, raw data and events of Dagster."""

import shutil
import sqlite3
from collections.abc import Iterator

from kit.build import notify
from kit.core import Busy, KitError
from kit.mesh import Context
from kit.orchestration.instance import home, instance
from kit.storage import Remains, Runs, Store, prune_raw, shown_before

_DERIVED = ("openlineage", "report.html")
"""Files of the storage that are written again, or wait for a receiver, and may quote what was shown before."""


def remove_shown(context: Context, selection: frozenset[str] = frozenset()) -> Iterator[tuple[Remains, str]]:
    """Remove what is left of columns that were hidden later, of all or some products; yield each with why something stays.

    The reason is empty when all is removed. Readers keep the current snapshot, which hides the columns. What a kill leaves the
    next call removes.
    """
    config = context.config
    store, runs = Store(config.storage), Runs(config.storage)
    for found in list(shown_before(context)):
        if selection and found.product not in selection:
            continue
        if problem := unhidden(found):
            yield found, problem
            continue
        problems = []
        try:
            with store.build_lock(found.product):
                store.remove_unfinished(found.product)
                results = store.delete(found.product, found.snapshots)
                problems += [f"snapshot {item.version} was kept, {item.kept_because}" for item in results if item.kept_because]
                prune_raw(store, found.product, store.versions(found.product), 0, dry_run=False)
        except Busy as error:
            yield found, str(error)
            continue
        for name, run_id in found.runs:
            shutil.rmtree(runs.folder(name, run_id), ignore_errors=True)
        for path in (config.storage / name for name in _DERIVED):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        problems += [*notify(config, lambda listener, name=found.product: listener.pruned(config, name))]  # type: ignore[misc]
        problems += _forget(context, found)
        problems += [f"build {name} once, whose last run is older" for name in found.unbuilt]
        yield found, "; ".join(problems)


def unhidden(found: Remains) -> str:
    """Return why nothing can be removed as long as no snapshot hides the columns; empty when one does."""
    return "" if found.since else f"no snapshot hides {', '.join(found.columns)} yet: build it with `kit run {found.product}`"


def _forget(context: Context, found: Remains) -> list[str]:
    """Delete the history of Dagster from before; return why that could not be done."""
    from kit.orchestration.retention import forget_before

    if not home(context.config).is_dir():
        return []
    products = {found.product, *(name for name, _ in found.runs)}
    try:
        with instance(context.config) as opened:
            forget_before(home(context.config), opened, products, found.before)
    except (KitError, sqlite3.Error) as error:
        return [f"Dagster's history could not be cleared: {error}"]
    return []
