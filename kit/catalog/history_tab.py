"""The History tab: snapshots with contract changes between them, commits to the contract, executed notebooks."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from kit.catalog.port_view import PortView
from kit.core import KitError, NotPublished, UnknownName, git
from kit.drawing import Html, markup
from kit.notebooks import notebook_html
from kit.storage import Runs, Snapshot, Store, format_duration

_MAX_SNAPSHOTS = 50
_HEADER = ("snapshot", "published", "rows", "checks", "contract", "contract changes", "commit")


def render_history(view: PortView) -> Html:
    """Return the newest snapshots and the commits to the contract, or the executed notebook of the picked snapshot."""
    if view.picked:
        return _render_executed(view, view.picked)
    parts = [_snapshots(view)]
    contract = view.contract()
    try:
        commits = git.log(view.config, contract.path) if contract else ()
    except KitError:
        commits = ()  # a mesh need not be in git
    if commits:
        rows = ((commit.day, commit.author, commit.subject, commit.name) for commit in commits)
        parts += [
            markup.heading("Commits to the contract"),
            markup.table(("day", "author", "subject", "commit"), rows, unbroken=["day"]),
        ]
    return markup.joined(parts)


def _snapshots(view: PortView) -> Html:
    product, store = view.entry.product.name, Store(view.config.storage)
    snapshots = list(_with_port(store, product, view.name))
    if not snapshots:
        raise NotPublished(f"'{view.entry.id}' was never published; build it with `kit run {product}`")
    pointer, now = store.read_pointer(product), datetime.now(UTC)
    rows = []
    for snapshot, previous in zip_longest(snapshots[:_MAX_SNAPSHOTS], snapshots[1 : _MAX_SNAPSHOTS + 1]):
        port = snapshot.port(view.name)
        current = pointer is not None and snapshot.version == pointer.version
        label = "rolled back to" if current and pointer and pointer.rolled_back else "current"
        rows.append((
            markup.lines(
                snapshot.version, markup.bold(label) if current else "",
                f"rows of {taken['version']}" if (taken := port.get("taken_over")) else "", _notebook_button(view, snapshot),
            ),
            f"{format_duration(now - snapshot.created_at)} ago",
            f"{port['rows']:,}",
            markup.colour_states(", ".join(f"{count} {kind}" for kind, count in port["checks"].items() if count)),
            port["contract_version"],
            markup.lines(*_changes(previous.port(view.name), port)) if previous else "",
            (snapshot.manifest.get("git_commit") or "")[:8],
        ))  # fmt: skip
    moves = [markup.paragraph(f"{move.version}: {move.describe()}") for move in reversed(pointer.rollbacks if pointer else ())]
    rest = [markup.paragraph(f"and {len(snapshots) - _MAX_SNAPSHOTS:,} older ones")] if len(snapshots) > _MAX_SNAPSHOTS else []
    return markup.joined((markup.table(_HEADER, rows, numbers=["rows"]), *rest, *moves))


def _notebook_button(view: PortView, snapshot: Snapshot) -> Html | None:
    return markup.pick_button("executed notebook", snapshot.version) if _executed_notebook(view, snapshot).is_file() else None


def _executed_notebook(view: PortView, snapshot: Snapshot) -> Path:
    """Return the path of the executed notebook of a port; the file exists only if a notebook made the snapshot."""
    runs = Runs(view.config.storage)
    return runs.folder(snapshot.product, snapshot.manifest["run_id"]) / "notebooks" / f"{view.name}.ipynb"


def _render_executed(view: PortView, version: str) -> Html:
    store = Store(view.config.storage)
    snapshot = store.snapshot(view.entry.product.name, version)
    store.refuse_exposed(snapshot)
    title = f"The executed notebook of snapshot {version}"
    back = markup.paragraph(markup.joined((f"{title}. ", markup.pick_button("Back to all snapshots", ""))))
    return markup.joined((back, markup.iframe(notebook_html(_executed_notebook(view, snapshot)), title)))


def _with_port(store: Store, product: str, port: str) -> Iterator[Snapshot]:
    """Yield the snapshots that contain the port, newest first."""
    for version in store.versions(product):
        try:
            snapshot = store.snapshot(product, version)
        except UnknownName:
            continue  # it has just been pruned
        if port in snapshot.manifest["ports"]:
            yield snapshot


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield the differences between the contracts of two snapshots."""
    before, after = old.get("about", {}), new.get("about", {})
    was, now = ({name: kind for name, kind, _ in about.get("columns", ())} for about in (before, after))
    yield from (f"{name} added ({kind})" for name, kind in now.items() if name not in was)
    yield from (f"{name} dropped" for name in was if name not in now)
    yield from (f"{name}: {was[name]} → {kind}" for name, kind in now.items() if name in was and was[name] != kind)
    levels = before.get("sla", {}), after.get("sla", {})
    for name in sorted({*levels[0], *levels[1]}):
        if levels[0].get(name) != levels[1].get(name):
            level = name.removesuffix("_hours").replace("_", " ")
            yield f"{level}: {_level(levels[0], name)} → {_level(levels[1], name)}"


def _level(sla: Mapping[str, Any], name: str) -> str:
    value = sla.get(name)
    return "none" if value is None else f"{value:g} h" if name.endswith("_hours") else str(value)
