"""`kit export`: the mesh for catalogs, lineage servers and open tables of other systems."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from kit.cli.console import console, errors
from kit.cli.options import complete_products
from kit.core import counted, short, to_json, write_durably
from kit.exchange.iceberg import export as export_iceberg
from kit.mesh import Context

app = typer.Typer(help="Send the mesh to other systems.", no_args_is_help=True)

Products = Annotated[list[str] | None, typer.Argument(help="Products; all without.", autocompletion=complete_products)]


@app.callback()
def options() -> None:
    """Send the mesh to other systems."""


@app.command()
def iceberg(
    to: Annotated[str, typer.Option("--to", help="The name of a catalog in PyIceberg's own settings.")],
    products: Products = None,
) -> None:
    """Commit the current snapshots to an Apache Iceberg catalog; their files stay where they are."""
    context = Context.load()
    names = [product.name for product in context.mesh.select(products or [])]
    for table in export_iceberg(context.config, names, to):
        console.print(table)


@app.command()
def openlineage(
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Address of the server; by default that in OPENLINEAGE_URL.")
    ] = None,
    every_run: Annotated[
        bool, typer.Option("--all", help="Events of every run that is kept, not only of the current snapshots.")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help="Kind of server: marquez, datahub, openmetadata or egeria."),
    ] = None,
) -> None:
    """Send the OpenLineage events of the current snapshots to a server; OPENLINEAGE_API_KEY is its token.

    Builds write them, and send them by themselves where OPENLINEAGE_URL is set. An event that is sent twice is the same event.
    """
    from kit.exchange.openlineage_export import export_openlineage

    console.print(Text(export_openlineage(Context.load(), to, preset, every_run=every_run, warn=_warn)))


@app.command()
def datahub(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write; without it the text is printed.")
    ] = None,
    env: Annotated[str, typer.Option("--env", help="Environment of the datasets in DataHub.")] = "PROD",
) -> None:
    """Write the mesh as a metadata file of DataHub: products, tables, lineage, profiles, assertions and contracts.

    DataHub takes it in by its source `file`, or by `datahub put`. No values of personal or masked columns are in it.
    """
    from kit.exchange.datahub import datahub_records

    records = datahub_records(Context.load(), env)
    if out is None:
        typer.echo(to_json(records), nl=False)
        return
    write_durably(out, to_json(records))
    console.print(Text(f"{counted(len(records), 'record')} in {short(out)}"))


def _warn(line: str) -> None:
    errors.print(Text(line, style="yellow"))
