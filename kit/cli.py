"""The command line. Each command prints what it did; `--json` gives scripts the same as data."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kit.config import Config
from kit.errors import Busy, KitError
from kit.mesh import Mesh

if TYPE_CHECKING:
    from kit.build import Outcome, Progress
    from kit.status import PortStatus

EXIT_CODES = "Exit codes: 0 done, 1 something failed or is wrong, 2 wrong usage, 130 interrupted."
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
)
_STYLES = {"fresh": "green", "stale": "red", "late": "yellow", "unpublished": "yellow", "broken": "red"}

app = typer.Typer(
    help="Build, publish and read the data products of this mesh.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_is_terminal = sys.stdout.isatty()
console = Console(highlight=False, soft_wrap=not _is_terminal, width=None if _is_terminal else 160)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def main() -> None:
    """The `kit` command: an error a person can act on is one message and exit code 1, never a traceback."""
    try:
        app()
    except KitError as error:
        errors.print(Text(f"error: {error}", style="red"))
        raise SystemExit(1) from None


def _complete_products(incomplete: str) -> list[str]:
    return [name for name in _names(lambda mesh: mesh.names) + _complete_ports(incomplete) if name.startswith(incomplete)]


def _complete_ports(incomplete: str) -> list[str]:
    return [name for name in _names(lambda mesh: [port.id for port in mesh.ports]) if name.startswith(incomplete)]


def _names(of: Callable[[Mesh], Iterable[str]]) -> list[str]:
    try:
        return list(of(Mesh.load(Config.load().domains)))
    except KitError:
        return []  # outside a mesh there is nothing to complete, and no place for a message


PortArgument = Annotated[str, typer.Argument(help="A port, such as orders.daily_sales.", autocompletion=_complete_ports)]


@app.command()
def run(
    selection: Annotated[
        list[str] | None, typer.Argument(help="Products or ports; all without.", autocompletion=_complete_products)
    ] = None,
    downstream: Annotated[bool, typer.Option("--downstream", help="Also build what reads them.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", help="Also build what they read.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Build even when nothing changed.")] = False,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--param", help="NAME=VALUE for their notebooks.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build products and publish them if they keep their contracts; what is up to date is skipped."""
    config = Config.load()
    mesh = Mesh.load(config.domains)
    products = mesh.select(selection or (), upstream=upstream, downstream=downstream)
    parameters = dict(_pair(text) for text in parameter or ())
    if not as_json:
        console.print(f"{len(products)} data products: {', '.join(product.name for product in products)}", style="bold")
    try:
        outcomes = _build_all(config, products, force, parameters, quiet=as_json)
    except KeyboardInterrupt:
        errors.print("interrupted; readers keep the snapshots they had")
        raise typer.Exit(130) from None
    broken = () if selection else mesh.broken
    if as_json:
        _print_json([_outcome_json(outcome) for outcome in outcomes])
    else:
        for item in broken:
            errors.print(Text(f"{item.name} is broken: {item.message}", style="red"))
        if not selection:
            console.print()
            _print_status(config, mesh)
            _print_next(mesh, outcomes)
    if broken or any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _build_all(config: Config, products: Any, force: bool, parameters: dict[str, str], *, quiet: bool) -> "list[Outcome]":
    """Build in order. A product that fails does not stop the others: its readers stay on its last snapshot."""
    from kit.build import Outcome, build

    outcomes = []
    for product in products:
        with _progress(quiet) as progress:
            try:
                outcome = build(config, product, force=force, parameters=parameters, progress=progress)
            except Busy as error:
                outcome = Outcome(product.name, "failed", 0, None, str(error))
        outcomes.append(outcome)
        if not quiet:
            _print_outcome(outcome)
    return outcomes


@contextmanager
def _progress(quiet: bool) -> "Iterator[Progress]":
    """A spinner for the step at work, and a line for each that is done."""
    from kit.build import Progress

    if quiet:
        yield Progress()
        return
    with console.status("") as spinner:

        def begin(product: str, step: str) -> None:
            spinner.update(f"{product}: {step}")

        def end(product: str, step: str, result: str, seconds: float) -> None:
            console.print(f"  {product:<12} {step:<10} {result:<44} {seconds:6.1f} s", style="dim")

        yield Progress(begin=begin, end=end)


def _print_outcome(outcome: "Outcome") -> None:
    style = {"failed": "red", "published": "green"}.get(outcome.status, "")
    console.print(
        Text(f"  {outcome.product:<12} {outcome.status:<10} {outcome.version or '':<44} {outcome.seconds:6.1f} s", style=style)
    )
    if outcome.message:
        (errors if outcome.status == "failed" else console).print(Text(outcome.message, style=style))


def _outcome_json(outcome: "Outcome") -> dict[str, Any]:
    return {
        "product": outcome.product,
        "status": outcome.status,
        "version": outcome.version,
        "seconds": round(outcome.seconds, 3),
        "message": outcome.message,
        "checks": [check.to_json() for check in outcome.checks],
    }


def _print_next(mesh: Mesh, outcomes: "list[Outcome]") -> None:
    failed = [outcome.product for outcome in outcomes if outcome.status == "failed"]
    models = [port for product in mesh.products for port in product.ports if mesh.consumers(product.name) and not port.notebook]
    notebooks = [port for port in mesh.ports if port.notebook]
    steps = [f"kit run {name}" for name in failed] + [f"kit read {port.id}" for port in (notebooks or mesh.ports)[-1:]]
    for port in models[-1:]:
        product = port.id.partition(".")[0]
        steps.append(f'kit read {port.id} --sql "select count(*) as n from {port.name}"')
        steps.append(f"edit domains/{product}/models/marts/{port.name}.sql, then: kit run {product} --downstream")
    console.print("\nThree things to try next", style="bold")
    for step in steps[:3]:
        console.print(f"  {step}", markup=False)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show every port: owner, rows, snapshot, freshness against its SLA, checks."""
    config = Config.load()
    mesh = Mesh.load(config.domains)
    if as_json:
        from kit.status import status as read_status

        _print_json([row.to_json() for row in read_status(config, mesh)])
    else:
        _print_status(config, mesh)


def _print_status(config: Config, mesh: Mesh) -> None:
    from kit.status import status as read_status

    rows = read_status(config, mesh)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, options in (
        ("product", {"no_wrap": True}), ("port", {"no_wrap": True}), ("owner", {}), ("rows", {"justify": "right"}),
        ("snapshot", {"no_wrap": True}), ("freshness against SLA", {}), ("checks", {"no_wrap": True}),
    ):  # fmt: skip
        table.add_column(name, **options)
    for row in rows:
        freshness = Text(row.freshness(), style=_STYLES[row.state])
        table.add_row(
            row.product,
            row.port,
            row.owner,
            f"{row.rows:,}" if row.rows is not None else "",
            row.version or "",
            freshness,
            _checks(row),
        )
    console.print(table)
    for note in dict.fromkeys(f"{row.product}: {row.note}" for row in rows if row.note):
        console.print(Text(note, style="red"))


def _checks(row: "PortStatus") -> Text:
    if row.version is None and not row.failed:
        return Text("")
    text = Text(f"{row.passed} passed")
    if row.failed:
        text.append(f", {row.failed} failed", style="red")
    if row.warned:
        text.append(f", {row.warned} warned", style="yellow")
    return text


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Check every domain folder without building it: files, contracts, ports, graph, suites, notebooks."""
    from kit.lint import problems

    mesh = Mesh.load(Config.load().domains)
    found = problems(mesh)
    if as_json:
        _print_json([{"product": name, "problem": message} for name, message in found])
    else:
        for name, message in found:
            console.print(Text(f"{name}: {message}", style="red"))
        if not found:
            console.print(f"{len(mesh.products)} data products, {len(mesh.ports)} ports: nothing wrong", style="green")
    if found:
        raise typer.Exit(1)


@app.command()
def history(port: PortArgument, as_json: JsonOption = False) -> None:
    """List the published snapshots of a port, newest first."""
    from kit.store import Store

    config = Config.load()
    product, _, name = port.partition(".")
    store = Store(config.storage)
    snapshots = store.history(product)
    if not snapshots:
        Mesh.load(config.domains).port(port)
    pointer = store.pointer(product)
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
        _print_json(rows)
        return
    if not rows:
        console.print(f"{port} has no published snapshot yet; build it with `kit run {product}`")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("", "snapshot", "published", "rows", "contract", "checks", "commit"):
        table.add_column(column, justify="right" if column == "rows" else "left", no_wrap=True)
    for row in rows:
        checks = ", ".join(f"{count} {kind}" for kind, count in row["checks"].items() if count)
        table.add_row(
            "current" if row["current"] else "", row["version"], row["published"], f"{row['rows']:,}", row["contract"], checks,
            _short_commit(row["commit"]),
        )  # fmt: skip
    console.print(table)


def _short_commit(commit: str | None) -> str:
    digest, dash, dirty = (commit or "").partition("-")
    return f"{digest[:8]}{dash}{dirty}"


@app.command()
def rollback(
    product: Annotated[str, typer.Argument(help="A product.", autocompletion=_complete_products)],
    version: Annotated[str, typer.Argument(help="A snapshot, as `kit history` names it.")],
) -> None:
    """Move a product's readers to another published snapshot, all ports at once."""
    from kit.store import Store

    config = Config.load()
    store = Store(config.storage)
    if store.pointer(product) is None:
        Mesh.load(config.domains).product(product)
    snapshot = store.rollback(product, version)
    age = datetime.now(UTC) - snapshot.created_at
    console.print(f"{product} now serves {version}, published {age.total_seconds() / 3600:.1f} hours ago", style="green")


@app.command()
def prune(
    keep: Annotated[int, typer.Option("--keep", help="How many snapshots of each product to keep.", min=1)],
    as_json: JsonOption = False,
) -> None:
    """Delete old snapshots; never the current one nor one that is being read."""
    from kit.retention import prune as prune_mesh

    config = Config.load()
    result = prune_mesh(config, Mesh.load(config.domains), keep)
    if as_json:
        _print_json(
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

    from kit import work
    from kit.reading import open_port

    name = port.partition(".")[2]
    with open_port(port, version) as snapshot, work.connect() as connection:
        work.add_views(connection, {name: snapshot.files(name), port: snapshot.files(name)})
        try:
            query = sql or f"select * from {work.quoted(name)}"
            relation = connection.sql(f"select * from ({query.rstrip('; ')})")
            # One row more than asked for tells whether there is more.
            rows = relation.limit(limit + 1).fetchall()
        except (duckdb.Error, AttributeError) as error:
            raise KitError(f"the query failed: {error}") from None
        columns, kinds = relation.columns, [str(kind) for kind in relation.types]
    if as_json:
        _print_json([dict(zip(columns, row, strict=True)) for row in rows[:limit]])
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, kind in zip(columns, kinds, strict=True):
        table.add_column(column, justify="right" if kind.startswith(_NUMBERS) else "left")
    for row in rows[:limit]:
        table.add_row(*("" if value is None else _cell(value) for value in row))
    console.print(table)
    console.print(f"{port} {snapshot.version}" + (f", first {limit} rows" if len(rows) > limit else ""), style="dim")


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Look for whatever is missing or wrong on this machine and in this mesh, and say how to fix it."""
    from kit.doctor import examine

    findings = examine()
    if as_json:
        _print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            mark = Text("wrong", style="red") if finding.fix else Text("ok   ", style="green")
            console.print(Text.assemble(mark, f"  {finding.what:<16} {finding.seen}"))
            if finding.fix:
                console.print(f"       fix: {finding.fix}", markup=False)
    if any(finding.fix for finding in findings):
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"'{text}' is not NAME=VALUE", param_hint="-p")
    return name, value


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, default=str, ensure_ascii=False))


if __name__ == "__main__":
    main()
