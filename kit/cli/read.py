"""Commands that show published data: `kit status`, `kit read`, `kit history`, `kit report`."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console
from kit.cli.options import VERSIONS, JsonOption, PortArgument, load_context
from kit.cli.spinner import Spinner
from kit.core import Config, KitError, counted, database, short

if TYPE_CHECKING:
    import duckdb

    from kit.storage import Pointer, Snapshot

app = typer.Typer()


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show every port: owner, rows, snapshot, freshness against its SLA, checks."""
    from kit.storage import statuses

    context = load_context()
    rows = statuses(context)
    if as_json:
        terminal.print_json([row.to_json() for row in rows])
    else:
        terminal.print_status(rows)


@app.command()
def read(
    port: PortArgument,
    sql: Annotated[str | None, typer.Option("--sql", help="A query to run; the port is a table with the port's name.")] = None,
    version: Annotated[str | None, typer.Option("--version", help=f"Another snapshot: {VERSIONS}.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the files with their checksums first.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Number of rows to print; by default 20, as JSON, CSV or Parquet all.", min=1)
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    as_parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet to standard output, as in > FILE.")] = False,
) -> None:
    """Print rows of a published port, or of a query on it.

    Without the kit, DuckDB reads the current snapshot by the SQL in README.md of the storage folder (.mesh).
    """
    import duckdb

    from kit.cli.json_rows import json_rows
    from kit.jupyter.sql_errors import explain
    from kit.notebooks import open_port

    if as_json + as_csv + as_parquet > 1:
        raise KitError("--json, --csv and --parquet are three forms; choose one")
    if as_parquet and sys.stdout.isatty():
        raise KitError("Parquet is no text for a terminal; write it to a file: kit read … --parquet > FILE")
    name = port.partition(".")[2]
    with open_port(load_context(), port, version) as snapshot, database.connect() as connection:
        names = [name] if "." in name else [name, port]  # quarantined rows of raw data have no second name
        if verify:
            snapshot.check([name])
        with snapshot.reading(name):
            database.add_views(connection, dict.fromkeys(names, snapshot.files(name)))
            columns = database.column_types(connection, name)
        connection.execute("set errors_as_json = true")
        query = (sql or f"select * from {database.quoted(name)}").strip().rstrip("; ")
        try:
            if as_json:
                terminal.print_json_rows(json_rows(connection, query, limit))
                return
            if as_csv or as_parquet:
                cut = "" if limit is None else f" limit {limit}"
                _write_rows(connection, f"from (\n{query}\n){cut}", "csv" if as_csv else "parquet")
                return
            limit = limit or 20
            relation = connection.sql(f"select * from (\n{query}\n)")
            beginning = relation.limit(limit + 1)  # the last one only shows that there are more
            rows = database.interruptible(connection, beginning.fetchall)
        except (duckdb.Error, AttributeError) as error:
            snapshot.check([name])
            unknown = f"it reads no table but {names[0]}, as in: select * from {names[0]}; there is no '{{}}'"
            explained = explain(str(error), f"select * from (\n{query}\n)", None, columns, unknown.format)
            raise KitError(f"the query failed: {explained}") from None
    terminal.print_rows(relation.columns, rows[:limit])
    more = f", first {counted(limit, 'row')}" if len(rows) > limit else ""
    console.print(f"{port} {snapshot.version}{more}", style="dim")


def _write_rows(connection: "duckdb.DuckDBPyConnection", query: str, form: str) -> None:
    """Write the rows of a query to standard output: through a file, since they may not fit into memory."""
    options = "format csv, header" if form == "csv" else "format parquet, compression zstd"
    with TemporaryDirectory(prefix="kit-") as folder:
        path = Path(folder, "rows")
        copy = f"copy (\n{query}\n) to {database.literal(str(path))} ({options})"
        database.interruptible(connection, lambda: connection.execute(copy))
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


@app.command()
def history(port: PortArgument, as_json: JsonOption = False) -> None:
    """List the published snapshots and the rollbacks of a port, newest first."""
    from kit.storage import Store

    context = load_context()
    product, _, name = port.partition(".")
    store = Store(context.config.storage)
    snapshots = [snapshot for snapshot in store.history(product) if name in snapshot.manifest["ports"]]
    if not snapshots:
        context.mesh.port(port)
    pointer = store.read_pointer(product)
    rows = [_published(context.config, snapshot, name, pointer) for snapshot in snapshots]
    rows += [{"event": "rollback", "current": False, **move.to_json()} for move in (pointer.rollbacks if pointer else ())]
    rows.sort(key=lambda row: row["at"], reverse=True)
    if as_json:
        terminal.print_json(rows)
    elif snapshots:
        columns = ["", "snapshot", "published", "rows", "contract", "checks", "commit"]
        terminal.print_rows(columns, [_history_row(row) for row in rows if row["event"] == "publish"])
        for move in reversed(pointer.rollbacks if pointer else ()):
            console.print(Text(f"{move.version}: {move.describe()}", style="yellow"))
    else:
        console.print(f"{port} has no published snapshot yet; build it with `kit run {product}`")


def _published(config: Config, snapshot: "Snapshot", port: str, pointer: "Pointer | None") -> dict[str, Any]:
    from kit.storage import outdated_inputs, outdated_partitions

    entry = snapshot.port(port)
    current = pointer is not None and snapshot.version == pointer.version
    return {
        "event": "publish",
        "at": snapshot.created_at.isoformat(),
        "version": snapshot.version,
        "current": current,
        "published": snapshot.created_at.isoformat(timespec="seconds"),
        "rows": entry["rows"],
        "contract": entry["contract_version"],
        "checks": entry["checks"],
        "taken_over": entry.get("taken_over"),
        "judged": entry.get("judged", {}),
        "commit": snapshot.manifest["git_commit"],
        "inputs": {name: pin["version"] for name, pin in snapshot.manifest["inputs"].items()},
        "outdated_partitions": list(outdated_partitions(config, snapshot)) if current else [],
        "outdated_inputs": list(outdated_inputs(config, snapshot))
        if current and not snapshot.manifest.get("partitions")
        else [],
    }


def _history_row(row: dict[str, Any]) -> tuple[Any, ...]:
    checks = ", ".join(f"{count} {kind}" for kind, count in row["checks"].items() if count)
    digest, dash, dirty = (row["commit"] or "").partition("-")
    current = "current" if row["current"] else ""
    if outdated := row["outdated_partitions"]:
        current += f", {counted(len(outdated), 'partition')} outdated"
    elif row["outdated_inputs"]:
        current += ", outdated"
    if taken := row["taken_over"]:
        current = ", ".join(filter(None, [current, f"rows of {taken['version']}"]))
    return current, row["version"], row["published"], row["rows"], row["contract"], checks, f"{digest[:8]}{dash}{dirty}"


@app.command()
def report(
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; by default report.html in the storage folder.")
    ] = None,
) -> None:
    """Write one self-contained HTML page about the mesh: catalog, contracts, checks, lineage, runs."""
    from kit.catalog import write_report

    context = load_context()
    with Spinner(f"writing about {counted(len(context.mesh.products), 'data product')}"):
        path = write_report(context, output or context.config.storage / "report.html")
    console.print(f"written: {short(path.resolve())} ({path.stat().st_size / 1e6:.1f} MB)")
