"""`kit export`: the mesh for catalogs, lineage servers and open tables of other systems."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from kit.cli.console import console, errors
from kit.cli.options import complete_products, load_context
from kit.core import counted, short, to_json, write_durably

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
    from kit.exchange.iceberg import export_iceberg

    context = load_context()
    names = [product.name for product in context.mesh.select(products or [])]
    for table in export_iceberg(context.config, names, to):
        console.print(Text(table))


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

    console.print(Text(export_openlineage(load_context(), to, preset, every_run=every_run, warn=_warn)))


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

    _write(datahub_records(load_context(), env), out, "record")


@app.command()
def openmetadata(
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Address of the server; without it the requests are written.")
    ] = None,
    token_env: Annotated[
        str, typer.Option("--token-env", metavar="NAME", help="Environment variable with the token of a bot.")
    ] = "OPENMETADATA_TOKEN",  # noqa: S107  the name of a variable
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File for the requests; without it they are printed.")
    ] = None,
    service: Annotated[str, typer.Option("--service", help="Name of the database service in OpenMetadata.")] = "data-mesh",
) -> None:
    """Send the mesh to OpenMetadata: products, tables, profiles, test results, contracts and lineage; again changes nothing.

    Without --server it writes the requests as JSON. No values of personal or masked columns are in them.
    """
    from kit.exchange.openmetadata import openmetadata_calls
    from kit.exchange.openmetadata_export import export_openmetadata

    context = load_context()
    calls = openmetadata_calls(context, service)
    if server:
        console.print(Text(export_openmetadata(context, calls, server, token_env, warn=_warn)))
        return
    _write([call.to_json() for call in calls], out, "request")


def _write(values: list[dict[str, Any]], out: Path | None, noun: str) -> None:
    """Write JSON values to a file, or print them."""
    if out is None:
        typer.echo(to_json(values), nl=False)
        return
    write_durably(out, to_json(values))
    console.print(Text(f"{counted(len(values), noun)} in {short(out)}"))


def _warn(line: str) -> None:
    errors.print(Text(line, style="yellow"))
