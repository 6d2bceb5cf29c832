"""The command line. Each command prints what it did; `--json` gives scripts the same as data."""

import errno
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from kit.build import Outcome, Verdict, trials
from kit.cli import console as terminal
from kit.cli.api import requests
from kit.cli.author import app as authoring
from kit.cli.console import console, errors
from kit.cli.options import JsonOption, PortArgument, complete_products
from kit.core import Config, KitError, NotebookError, database, short
from kit.governance import examine, problems, scores
from kit.mesh import DataProduct, Mesh
from kit.notebooks import open_port
from kit.orchestration.executor import execute
from kit.storage import Store, index, statuses
from kit.storage import prune as prune_mesh
from kit.sync import drifts, refused
from kit.sync import sync as sync_files

EXIT_CODES = "Exit codes: 0 done, 1 something failed or is wrong, 2 wrong usage, 130 interrupted."

app = typer.Typer(
    help="Build, publish and read the data products of this mesh.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(authoring)


def main() -> None:
    """The `kit` command: an error a person can act on is one message and exit code 1, never a traceback."""
    try:
        app()
    except KitError as error:
        errors.print(Text(f"error: {error}", style="red"))
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC) or error.filename is None:
            raise
        place = short(Path(error.filename).parent)  # files are written beside their place first
        errors.print(Text(f"error: {place}: a file there cannot be read or written: {error.strerror}", style="red"))
        raise SystemExit(1) from None


@app.command()
def run(
    selection: Annotated[
        list[str] | None, typer.Argument(help="Products or ports; all without.", autocompletion=complete_products)
    ] = None,
    downstream: Annotated[bool, typer.Option("--downstream", help="Also build what reads them.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", help="Also build what they read.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Build even when nothing changed.")] = False,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--param", help="NAME=VALUE for their notebooks.")] = None,
    partition: Annotated[list[str] | None, typer.Option("--partition", help="Only this partition of theirs.")] = None,
    trial: Annotated[
        bool, typer.Option("--trial", help="Publish nothing; try every combination of the values given to one product.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build products and publish them if they keep their contracts; what is up to date is skipped."""
    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    products = mesh.select(selection or (), upstream=upstream, downstream=downstream)
    values = _values(parameter or ())
    if trial:
        _try(config, products, values, tuple(partition or ()), as_json)
        return
    if several := next((name for name, texts in values.items() if len(texts) > 1), None):
        raise NotebookError(
            f"'{several}' is given {len(values[several])} values, and a product is published with one; "
            "leave one, or try them all with --trial"
        )
    given = {name: texts[0] for name, texts in values.items()}
    asked = requests(config, products, given, tuple(partition or ()), force)
    if not as_json:
        console.print(f"{len(products)} data products: {', '.join(product.name for product in products)}", style="bold")
    try:
        tell = (lambda outcome: None) if as_json else terminal.print_outcome
        outcomes = execute(config, mesh, products, asked, lambda: terminal.progress(as_json), tell)
    except KeyboardInterrupt:
        errors.print("interrupted; readers keep the snapshots they had")
        raise typer.Exit(130) from None
    if not selection:
        index.write(config, mesh)
    broken = () if selection else mesh.broken
    failed = [outcome.product for outcome in outcomes if outcome.failed]
    if as_json:
        terminal.print_json([_outcome_json(outcome) for outcome in outcomes])
    else:
        for item in broken:
            errors.print(Text(f"{item.name} is broken: {item.message}", style="red"))
        if not selection:
            console.print()
            terminal.print_status(statuses(config, mesh))
            terminal.print_next(mesh, failed)
    if broken or failed:
        raise typer.Exit(1)


def _values(parameter: Iterable[str]) -> dict[str, list[str]]:
    """The values given to each parameter, none twice."""
    values: dict[str, list[str]] = {}
    for name, value in map(_pair, parameter):
        if value not in values.setdefault(name, []):
            values[name].append(value)
    return values


def _try(
    config: Config, products: Sequence[DataProduct], values: dict[str, list[str]], partition: tuple[str, ...], as_json: bool
) -> None:
    """Try a product with each combination of values, and say how each of them went."""
    done = []
    try:
        for found in trials(config, products, values, partition, lambda: terminal.progress(as_json)):
            done.append(found)
            if found.message and not as_json:
                tried = ", ".join(f"{name}={value}" for name, value in found.parameters.items())
                errors.print(Text(f"{tried}: {found.message}" if tried else found.message, style="red"))
    except KeyboardInterrupt:
        errors.print("interrupted; nothing was published")
        raise typer.Exit(130) from None
    if as_json:
        terminal.print_json([found.to_json() for found in done])
    else:
        terminal.print_trials(done)
    if any(found.verdict != Verdict.PASSED for found in done):
        raise typer.Exit(1)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "product": outcome.product,
        "status": outcome.status,
        "version": outcome.version,
        "seconds": round(outcome.seconds, 3),
        "message": outcome.message,
        "checks": [check.to_json() for check in outcome.checks],
    }


@app.command()
def dev(
    port: Annotated[int, typer.Option("--port", help="Where the web UI listens, on loopback.", min=1, max=65535)] = 3000,
) -> None:
    """Start Dagster over the mesh: web UI, schedules and automation, until Ctrl-C."""
    from kit.orchestration.dev_server import servers

    config = Config.load()
    console.print("Starting Dagster (code server, web server, daemon) …")
    try:
        with servers(config, port) as running:
            console.print(Text(f"\n  {running.address}\n", style="bold green"))
            console.print(f"Ctrl-C ends all of it. Logs: {running.logs}", style="dim")
            running.watch()
    except KeyboardInterrupt:
        console.print("stopped", style="dim")


@app.command()
def lab(
    port: Annotated[int, typer.Option("--port", help="Where it listens, on loopback.", min=1, max=65535)] = 8888,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Start JupyterLab over the mesh, until Ctrl-C; when it runs already, say where."""
    from kit.jupyter import lab as jupyterlab

    config = Config.load()
    if address := jupyterlab.place(config).told:
        console.print("JupyterLab runs already for this mesh:")
        console.print(Text(f"\n  {address}\n", style="bold green"))
        return
    console.print("Starting JupyterLab …")
    try:
        with jupyterlab.lab(config, port, browser=not no_browser) as running:
            console.print(Text(f"\n  {running.address}\n", style="bold green"))
            console.print(f"Ctrl-C ends all of it. Log: {running.log}", style="dim")
            running.watch()
    except KeyboardInterrupt:
        console.print("stopped", style="dim")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show every port: owner, rows, snapshot, freshness against its SLA, checks."""
    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    if as_json:
        terminal.print_json([row.to_json() for row in statuses(config, mesh)])
    else:
        terminal.print_status(statuses(config, mesh))


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Check every domain folder without building it: files, contracts, ports, graph, suites, notebooks, policy."""
    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    found = problems(config, mesh)
    if as_json:
        listed = [{"product": name, "problem": message} for name, message in found]
        terminal.print_json({"problems": listed, "score_card": [score.to_json() for score in scores(config, mesh)]})
    else:
        for name, message in found:
            console.print(Text(f"{name}: {message}", style="red"))
        if not found:
            console.print(f"{len(mesh.products)} data products, {len(mesh.ports)} ports: nothing wrong", style="green")
        terminal.print_scores(scores(config, mesh))
    if found:
        raise typer.Exit(1)


@app.command()
def sync(
    as_json: JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show what would change, and fail if anything.")
    ] = False,
) -> None:
    """Write what is generated and committed: from the contracts the dbt YAML, suites and tables; catalogs, the picture."""
    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    if check:
        found = drifts(config, mesh) + refused(mesh) + [item.message for item in mesh.broken]
        if as_json:
            terminal.print_json({"differs": found})
        else:
            for text in found:
                typer.echo(text)
        raise typer.Exit(1 if found else 0)
    written = [str(path.relative_to(config.root)) for path in sync_files(config, mesh)]
    if as_json:
        terminal.print_json({"written": written, "broken": {item.name: item.message for item in mesh.broken}})
    else:
        for name in written:
            console.print(f"written: {name}")
        for item in mesh.broken:
            errors.print(Text(f"{item.name} is broken: {item.message}", style="red"))
        for problem in refused(mesh):
            errors.print(Text(problem, style="red"))
        if not written and not mesh.broken and not refused(mesh):
            console.print("everything is in step", style="green")
    if mesh.broken or refused(mesh):
        raise typer.Exit(1)


@app.command()
def history(port: PortArgument, as_json: JsonOption = False) -> None:
    """List the published snapshots of a port, newest first."""
    config = Config.load()
    product, _, name = port.partition(".")
    store = Store(config.storage)
    snapshots = store.history(product)
    if not any(name in snapshot.manifest["ports"] for snapshot in snapshots):
        Mesh.load(config.domains, config.cache).port(port)
    pointer = store.read_pointer(product)
    current = pointer.version if pointer else None
    rows = [
        {
            "version": snapshot.version,
            "current": snapshot.version == current,
            "published": snapshot.created_at.isoformat(timespec="seconds"),
            "rows": snapshot.port(name)["rows"],
            "contract": snapshot.port(name)["contract_version"],
            "checks": snapshot.port(name)["checks"],
            "commit": snapshot.manifest["git_commit"],
            "inputs": {port: entry["version"] for port, entry in snapshot.manifest["inputs"].items()},
        }
        for snapshot in snapshots
        if name in snapshot.manifest["ports"]
    ]
    if as_json:
        terminal.print_json(rows)
        return
    if not rows:
        console.print(f"{port} has no published snapshot yet; build it with `kit run {product}`")
        return
    columns = ["", "snapshot", "published", "rows", "contract", "checks", "commit"]
    terminal.print_rows(columns, [_history_row(row) for row in rows])


def _history_row(row: dict[str, Any]) -> tuple[Any, ...]:
    checks = ", ".join(f"{count} {kind}" for kind, count in row["checks"].items() if count)
    digest, dash, dirty = (row["commit"] or "").partition("-")
    current = "current" if row["current"] else ""
    return current, row["version"], row["published"], row["rows"], row["contract"], checks, f"{digest[:8]}{dash}{dirty}"


@app.command()
def rollback(
    product: Annotated[str, typer.Argument(help="A product.", autocompletion=complete_products)],
    version: Annotated[str, typer.Argument(help="A snapshot, as `kit history` names it.")],
) -> None:
    """Move a product's readers to another published snapshot, all ports at once."""
    config = Config.load()
    store = Store(config.storage)
    if store.read_pointer(product) is None:
        Mesh.load(config.domains, config.cache).product(product)
    snapshot = store.rollback(product, version)
    index.write(config, Mesh.load(config.domains, config.cache))
    age = datetime.now(UTC) - snapshot.created_at
    console.print(f"{product} now serves {version}, published {age.total_seconds() / 3600:.1f} hours ago", style="green")


@app.command()
def prune(
    keep: Annotated[int, typer.Option("--keep", help="How many snapshots of each product to keep.", min=1)],
    as_json: JsonOption = False,
) -> None:
    """Delete old snapshots; never the current one nor one that is being read."""
    config = Config.load()
    result = prune_mesh(config, Mesh.load(config.domains, config.cache), keep)
    if as_json:
        terminal.print_json(
            {
                name: [{"version": item.version, "kept_because": item.kept_because} for item in items]
                for name, items in result.items()
            }
        )
        return
    for name, items in result.items():
        gone = [item for item in items if item.kept_because is None]
        kept = "".join(f"; kept {item.version}, {item.kept_because}" for item in items if item.kept_because)
        console.print(f"{name}: {len(gone)} snapshots deleted{kept}")


@app.command()
def read(
    port: PortArgument,
    sql: Annotated[str | None, typer.Option("--sql", help="A query; the port is a table under its own name.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="An older snapshot instead of the current one.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="Rows to print.", min=1)] = 20,
    as_json: JsonOption = False,
) -> None:
    """Print a published port, or a query over it."""
    import duckdb

    name = port.partition(".")[2]
    with open_port(port, version) as snapshot, database.connect() as connection:
        names = [name] if "." in name else [name, port]  # of rows set aside of raw data SQL knows no longer name
        database.add_views(connection, dict.fromkeys(names, snapshot.files(name)))
        try:
            query = sql or f"select * from {database.quoted(name)}"
            relation = connection.sql(f"select * from (\n{query.strip().rstrip('; ')}\n)")
            # One row more than asked for tells whether there is more.
            rows = relation.limit(limit + 1).fetchall()
        except (duckdb.Error, AttributeError) as error:
            raise KitError(f"the query failed: {error}") from None
    if as_json:
        terminal.print_json([dict(zip(relation.columns, row, strict=True)) for row in rows[:limit]])
        return
    terminal.print_rows(relation.columns, rows[:limit])
    more = f", first {limit} rows" if len(rows) > limit else ""
    console.print(f"{port} {snapshot.version}{more}", style="dim")


@app.command()
def report(
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; by default report.html in the storage.")
    ] = None,
) -> None:
    """Write the whole mesh as one HTML page: catalog, contracts, checks, lineage, runs; it loads and runs nothing."""
    from kit.catalog import write_report

    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    with console.status(f"writing about {len(mesh.products)} data products"):
        path = write_report(config, mesh, output or config.storage / "report.html")
    console.print(f"written: {short(path.resolve())} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Look for whatever is missing or wrong on this machine and in this mesh, and say how to fix it."""
    findings = examine()
    if as_json:
        terminal.print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            mark = Text("wrong", style="red") if finding.fix else Text("ok   ", style="green")
            console.print(Text.assemble(mark, f"  {finding.what:<16} {finding.seen}"))
            if finding.fix:
                console.print(f"       fix: {finding.fix}")
    if any(finding.fix for finding in findings):
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"'{text}' is not NAME=VALUE", param_hint="-p")
    return name, value
