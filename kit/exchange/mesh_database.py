"""`mesh.duckdb`: one DuckDB file of views over all published ports, for BI tools and SQL without the kit."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.build import Listener
from kit.core import Config, KitError, database, lock, sync_path
from kit.mesh import RAW
from kit.storage import Snapshot, Store

FILE = "mesh.duckdb"


class MeshDatabase(Listener):
    """Replaces the file after each publication, rollback, repair and deletion of snapshots."""

    def moved(self, config: Config, product: str) -> None:
        """Show the snapshot that became current; raises `KitError` for tables of this product that cannot be shown."""
        if problems := write(config).get(product):
            raise KitError("; ".join(problems))

    def pruned(self, config: Config, product: str) -> None:
        """Leave out what was deleted."""
        self.moved(config, product)


@dataclass(frozen=True)
class View:
    """One view: its schema and name, the query, and comments of the view and its columns."""

    schema: str
    name: str
    query: str
    comment: str
    columns: dict[str, str]

    @property
    def id(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"

    def sql(self) -> str:
        """Return the statements that create the view."""
        name = f"{database.identifier(self.schema)}.{database.identifier(self.name)}"
        comments = {f"view {name}": self.comment}
        comments |= {f"column {name}.{database.identifier(column)}": text for column, text in self.columns.items()}
        statements = [f"create schema if not exists {database.identifier(self.schema)}", f"create view {name} as {self.query}"]
        statements += [f"comment on {item} is {database.literal(text)}" for item, text in comments.items() if text]
        return ";\n".join(statements)


def write(config: Config) -> dict[str, list[str]]:
    """Replace `mesh.duckdb` of a storage atomically by views over the current snapshot of every product.

    The views are made from the pointers under a lock, so that of two publications at the same time none is lost. Readers
    that have the file open keep the snapshots it names; paths in it are absolute, since DuckDB resolves others against the
    working folder of each reader. Returns why tables cannot be shown, by product.
    """
    path, problems = config.storage / FILE, defaultdict[str, list[str]](list)
    with lock(path.with_name(f".{FILE}.lock"), wait=True), ExitStack() as held:
        store, snapshots = Store(config.storage), list[Snapshot]()
        for product in store.products():
            try:
                snapshots.append(held.enter_context(store.open(product)))
            except KitError as error:
                problems[product].append(str(error))
        landed = [(snapshot, view) for snapshot in snapshots for view in _landed(snapshot, config.storage / RAW)]
        published = [(snapshot, view) for snapshot in snapshots for view in _published(snapshot)]
        # A product may be named as the schema of another one's raw data: its ports win.
        views = {view.id: view for _, view in landed + published}
        owners = {view.id: snapshot.product for snapshot, view in landed + published}
        while failed := _replace(path, list(views.values())):
            view, reason = failed
            del views[view]
            problems[owners[view]].append(f"{view} is left out: {reason}")
    return problems


def _published(snapshot: Snapshot) -> Iterator[View]:
    """Yield a view for each port, and for each table of rows set aside."""
    for name, entry in snapshot.manifest["ports"].items():
        raw, _, table = name.rpartition(".")
        schema = f"{snapshot.product}_{RAW}" if raw else snapshot.product
        yield _view(schema, table, f"select * from {database.parquet(snapshot.paths(name))}", entry)


def _landed(snapshot: Snapshot, raw: Path) -> Iterator[View]:
    """Yield a view for each source, without hidden columns; none of a snapshot of an earlier kit, which does not name them."""
    for name, entry in snapshot.manifest.get("sources", {}).items():
        if columns := [database.identifier(column) for column, *_ in entry.get("about", {}).get("columns", ())]:
            file = raw / snapshot.product / name / f"{entry['digest']}.parquet"
            query = f"select {', '.join(columns)} from {database.parquet([file])}"
            yield _view(f"{snapshot.product}_{RAW}", name, query, entry)


def _view(schema: str, name: str, query: str, entry: dict[str, Any]) -> View:
    facts = entry.get("about", {})
    comments = {column: text for column, _, text in facts.get("columns", ())}
    return View(schema, name, query, facts.get("description", ""), comments)


def _replace(path: Path, views: list[View]) -> tuple[str, str] | None:
    """Write the file with these views and put it in place; return the name of one that fails and why, and change nothing."""
    import duckdb

    new = path.with_name(f".{path.name}")
    for leftover in (new, _log(new)):  # of a process that was killed
        leftover.unlink(missing_ok=True)
    with database.connect(new) as connection:
        connection.begin()  # one commit: each costs as much as all views
        for view in views:
            try:
                connection.execute(view.sql())
            except duckdb.Error as error:
                return view.id, str(error).splitlines()[0]
        connection.commit()
    # Not to be opened for writing, which locks readers out.
    new.chmod(0o444)
    # The log of somebody who wrote all the same: DuckDB would apply it to the new file.
    _log(path).unlink(missing_ok=True)
    new.replace(path)
    sync_path(path.parent)
    return None


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")
