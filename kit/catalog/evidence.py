"""The evidence about a port as frames: results of its checks, its snapshots, and all that it was made from."""

from typing import TYPE_CHECKING, Any

from kit.contracts import Check
from kit.core import Config, UnknownName
from kit.mesh import RAW, Context
from kit.notebooks import reading
from kit.storage import Snapshot, Store

if TYPE_CHECKING:
    import polars as pl

_CHECKS = ("table", "rule", "verdict", "origin", "observed", "note")
_SNAPSHOTS = ("version", "published_at", "git_commit", "rows")
_ORIGINS = ("table", "version", "made_from")


def checks_of(config: Config, port: str, version: str | None) -> "pl.DataFrame":
    """Return the checks of the snapshot of a port, those of all tables of its product, one a row."""
    with reading.open_port(Context(config), port, version) as snapshot:
        checks = map(Check.from_json, snapshot.manifest["checks"])
        return _frame(_CHECKS, [tuple(str(getattr(check, name)) for name in _CHECKS) for check in checks])


def snapshots_of(config: Config, port: str) -> "pl.DataFrame":
    """Return the snapshots of a port, the newest first."""
    product, _, name = port.partition(".")
    rows = [
        (snapshot.version, snapshot.created_at, snapshot.manifest["git_commit"], snapshot.manifest["ports"][name]["rows"])
        for snapshot in Store(config.storage).history(product)
        if name in snapshot.manifest["ports"]
    ]
    return _frame(_SNAPSHOTS, rows)


def origins_of(config: Config, port: str, version: str | None) -> "pl.DataFrame":
    """Return a snapshot of a port, and every snapshot and raw file that it was made from, one a row.

    The version of raw data is the digest of its content. What was pruned meanwhile has no origins.
    """
    with reading.open_port(Context(config), port, version) as snapshot:
        found: dict[tuple[str, str], list[str]] = {}
        _add_origins(Store(config.storage), port, snapshot, found)
        return _frame(_ORIGINS, [(table, made, origins) for (table, made), origins in found.items()])


def _add_origins(store: Store, port: str, snapshot: Snapshot, found: dict[tuple[str, str], list[str]]) -> None:
    product, inputs, sources = snapshot.product, snapshot.manifest["inputs"], snapshot.manifest["sources"]
    raw = {f"{product}.{RAW}.{name}": str(entry["digest"]) for name, entry in sources.items()}
    found[port, snapshot.version] = [*inputs, *raw]
    found.update({(name, digest): [] for name, digest in raw.items()})
    for name, pin in inputs.items():
        if (name, pin["version"]) in found:
            continue
        try:
            made = store.snapshot(name.partition(".")[0], pin["version"])
        except UnknownName:
            found[name, pin["version"]] = []
        else:
            _add_origins(store, name, made, found)


def _frame(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(rows, schema=list(names), orient="row")
