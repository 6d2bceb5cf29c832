"""`kit source`: access to the source of a product, the streams of its connector, and its first rows."""

from typing import Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console
from kit.cli.options import JsonOption, complete_sources, load_context

app = typer.Typer(help="Look at the sources of products.", no_args_is_help=True)

_SourceArgument = Annotated[
    str,
    typer.Argument(metavar="PRODUCT.SOURCE", help="A source, such as orders.transactions.", autocompletion=complete_sources),
]


@app.callback()
def source() -> None:
    """Look at the sources of products."""


@app.command()
def check(source: _SourceArgument, as_json: JsonOption = False) -> None:
    """Check that a source can be read, and that its columns are those of its contract; no row is landed."""
    from kit.scaffold import check_source

    checked = check_source(load_context(), source)
    if as_json:
        terminal.print_json({"source": checked.id, "kind": checked.kind, "differences": list(checked.differences)})
    else:
        kind = f" ({checked.kind})" if checked.kind else ""
        for difference in checked.differences:
            console.print(Text(f"{checked.id}{kind}: {difference}", style="red"))
        if not checked.differences:
            console.print(f"{checked.id}{kind}: can be read, and its columns are those of the contract", style="green")
    if checked.differences:
        raise typer.Exit(1)


@app.command()
def discover(source: _SourceArgument, as_json: JsonOption = False) -> None:
    """List what the connector of a source can read: streams with columns, types, key, and columns that may be a cursor."""
    from kit.scaffold import discover_source

    found = discover_source(load_context(), source)
    if as_json:
        terminal.print_json([stream.to_json() for stream in found])
        return
    for number, stream in enumerate(found):
        if number:
            console.print()
        console.print(Text(stream.name, style="bold"))
        if stream.description:
            console.print(Text(stream.description, style="dim"))
        rows = [
            (
                column.name, column.type or column.problem, "yes" if column.required else "",
                str(stream.key.index(column.name) + 1) if column.name in stream.key else "",
                "yes" if column.name in stream.cursors else "", column.description,
            )
            for column in stream.columns
        ]  # fmt: skip
        terminal.print_rows(["column", "type", "required", "key", "cursor", "description"], rows)


@app.command()
def preview(
    source: _SourceArgument,
    rows: Annotated[int, typer.Option("--rows", help="How many rows to show.", min=1, max=1000)] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the first rows of a source as it delivers them, without the values of personal and masked columns."""
    from kit.scaffold import preview_source

    columns, found = preview_source(load_context(), source, rows)
    if as_json:
        terminal.print_json([dict(zip(columns, row, strict=True)) for row in found])
    else:
        terminal.print_rows(columns, found)
