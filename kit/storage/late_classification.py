"""Columns that are hidden since some build only: what older snapshots, runs and events may still say of their values."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime

from kit.core import Config, KitError, counted
from kit.mesh import Context, DataProduct
from kit.storage.exposure import hidden_columns
from kit.storage.runs import Runs
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store

_STAMP = "%Y%m%dT%H%M%SZ-%f"
"""The time in the names of runs and snapshots."""


@dataclass(frozen=True)
class Remains:
    """What may still show values of columns of one product that were hidden later, from before the run `since`.

    `since` is empty when no snapshot hides the `columns` yet. `runs` are those of the product and of the products that read
    it, by product; `unbuilt` are readers without a build since then, whose runs stay.
    """

    product: str
    columns: tuple[str, ...]
    since: str
    snapshots: tuple[str, ...] = ()
    runs: tuple[tuple[str, str], ...] = ()
    unbuilt: tuple[str, ...] = ()
    events: bool = False

    @property
    def before(self) -> datetime:
        """The time (UTC, without a zone) before which a build may have shown the values."""
        return datetime.strptime(self.since, _STAMP)

    def __str__(self) -> str:
        parts = [counted(len(names), word) for names, word in ((self.snapshots, "snapshot"), (self.runs, "run")) if names]
        parts += ["events of Dagster"] if self.events else []
        return ", ".join(parts)


def hidden_since(product: DataProduct, parent: Snapshot | None, run_id: str) -> dict[str, str]:
    """Return, for a manifest, the run since which each hidden column is hidden; empty for one that always was."""
    if parent is None:
        return dict.fromkeys(sorted(product.hidden_columns), "")
    known = parent.manifest.get("hidden_since")
    before: Mapping[str, str] = dict.fromkeys(hidden_columns(parent), "") if known is None else known
    return {name: before.get(name, run_id) for name in sorted(product.hidden_columns)}


def shown_before(context: Context) -> Iterator[Remains]:
    """Yield what is left of each product from before a column was hidden; nothing for a product that hid it from the start."""
    store, runs = Store(context.config.storage), Runs(context.config.storage)
    for product in context.mesh.products:
        current = None
        with suppress(KitError):  # other checks say what is wrong with it
            current = store.current(product.name)
        if current is None or not product.hidden_columns:
            continue
        since = hidden_since(product, current, "never")
        if shown := tuple(name for name, run in since.items() if run == "never"):
            yield Remains(product.name, shown, "")
            continue
        newest = max(since.values())
        if not newest:
            continue
        readers = _downstream(context, product.name)
        unbuilt = tuple(name for name in readers if (runs.ids(name) or [newest])[0] < newest)
        built = (product.name, *(name for name in readers if name not in unbuilt))
        old = tuple((name, run) for name in built for run in runs.ids(name) if run < newest)
        snapshots = tuple(version for version in store.versions(product.name) if version < newest)
        found = Remains(product.name, tuple(name for name, run in since.items() if run), newest, snapshots, old, unbuilt)
        events = _has_events(context.config, found)
        if snapshots or old or unbuilt or events:
            yield Remains(**{**vars(found), "events": events})


def _downstream(context: Context, product: str) -> tuple[str, ...]:
    """Return the products that read a product, directly or through others."""
    found, waiting = dict[str, None](), [product]
    while waiting:
        name = waiting.pop()
        for reader in context.mesh.products:
            if reader.name not in found and name in {item.product for item in reader.inputs}:
                found[reader.name] = None
                waiting.append(reader.name)
    return tuple(found)


def _has_events(config: Config, found: Remains) -> bool:
    """Return whether Dagster's history has events of the product from before."""
    path = config.dagster_home / "history/runs/index.db"
    kinds = "('ASSET_MATERIALIZATION', 'ASSET_CHECK_EVALUATION')"  # others, of a run that goes on, may be older than its builds
    query = f"select 1 from event_logs where asset_key like ? and dagster_event_type in {kinds} and timestamp < ? limit 1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        return bool(database.execute(query, (f'["{found.product}",%', str(found.before))).fetchone())
    return False
