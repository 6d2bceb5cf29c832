"""The snapshots of a port, what changed in its promise between them, who changed its contract, and executed notebooks."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from kit.catalog.port_view import PortView
from kit.core import KitError, NotPublished, UnknownName, git
from kit.drawing import Html, markup
from kit.notebooks import notebook_html
from kit.storage import Runs, Snapshot, Store, span

_MOST = 50
_HEADER = ("snapshot", "published", "rows", "checks", "contract", "changed in the promise", "commit")


def html(opened: PortView) -> Html:
    """The newest snapshots and, where git knows them, the commits to the contract; or the executed notebook of a snapshot."""
    if opened.picked:
        return _executed(opened, opened.picked)
    parts = [_snapshots(opened)]
    contract = opened.contract()
    try:
        commits = git.log(opened.config, contract.path) if contract else ()
    except KitError:
        commits = ()  # a mesh need not be in git
    if commits:
        rows = ((commit.day, commit.author, commit.subject, commit.name) for commit in commits)
        parts += [
            markup.heading("Commits to the contract"),
            markup.table(("day", "who", "what", "commit"), rows, whole=["day"]),
        ]
    return markup.joined(parts)


def _snapshots(opened: PortView) -> Html:
    product, store = opened.entry.card.name, Store(opened.config.storage)
    found = list(_having(store, product, opened.name))
    if not found:
        raise NotPublished(f"'{opened.entry.id}' was never published; build it with `kit run {product}`")
    pointer, now = store.pointer(product), datetime.now(UTC)
    rows = []
    for snapshot, before in zip_longest(found[:_MOST], found[1 : _MOST + 1]):
        entry = snapshot.port(opened.name)
        current = pointer is not None and snapshot.version == pointer.version
        by = "rolled back to" if current and pointer and pointer.by == "rollback" else "current"
        rows.append((
            markup.lines(snapshot.version, markup.bold(by) if current else "", _offer(opened, snapshot)),
            f"{span(now - snapshot.created_at)} ago",
            f"{entry['rows']:,}",
            markup.states(", ".join(f"{count} {kind}" for kind, count in entry["checks"].items() if count)),
            entry["contract_version"],
            markup.lines(*_changes(before.port(opened.name), entry)) if before else "",
            (snapshot.manifest.get("git_commit") or "")[:8],
        ))  # fmt: skip
    rest = [markup.paragraph(f"and {len(found) - _MOST:,} older ones")] if len(found) > _MOST else []
    return markup.joined((markup.table(_HEADER, rows, numbers=["rows"]), *rest))


def _offer(opened: PortView, snapshot: Snapshot) -> Html | None:
    return markup.offer("executed notebook", snapshot.version) if _copy(opened, snapshot).is_file() else None


def _copy(opened: PortView, snapshot: Snapshot) -> Path:
    """Where the executed notebook of a port lies, if a notebook made it."""
    runs = Runs(opened.config.storage)
    return runs.folder(snapshot.product, snapshot.manifest["run_id"]) / "notebooks" / f"{opened.name}.ipynb"


def _executed(opened: PortView, version: str) -> Html:
    snapshot = Store(opened.config.storage).snapshot(opened.entry.card.name, version)
    title = f"The executed notebook of snapshot {version}"
    back = markup.paragraph(markup.joined((f"{title}. ", markup.offer("Back to all snapshots", ""))))
    return markup.joined((back, markup.page(notebook_html(_copy(opened, snapshot)), title)))


def _having(store: Store, product: str, port: str) -> Iterator[Snapshot]:
    """The snapshots that hold the port, newest first."""
    for version in store.versions(product):
        try:
            snapshot = store.snapshot(product, version)
        except UnknownName:
            continue  # it has just been pruned
        if port in snapshot.manifest["ports"]:
            yield snapshot


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What the later of two snapshots promises otherwise."""
    before, after = old.get("about", {}), new.get("about", {})
    was, now = ({name: kind for name, kind, _ in about.get("columns", ())} for about in (before, after))
    yield from (f"{name} added ({kind})" for name, kind in now.items() if name not in was)
    yield from (f"{name} dropped" for name in was if name not in now)
    yield from (f"{name}: {was[name]} → {kind}" for name, kind in now.items() if name in was and was[name] != kind)
    levels = before.get("sla", {}), after.get("sla", {})
    for name in sorted({*levels[0], *levels[1]}):
        if levels[0].get(name) != levels[1].get(name):
            told = name.removesuffix("_hours").replace("_", " ")
            yield f"{told}: {_level(levels[0], name)} → {_level(levels[1], name)}"


def _level(sla: Mapping[str, Any], name: str) -> str:
    value = sla.get(name)
    return "none" if value is None else f"{value:g} h" if name.endswith("_hours") else str(value)
