"""Commands that give the mesh to other systems: `kit export …`."""

from typing import Annotated

import typer
from rich.text import Text

from kit.cli.console import console, errors
from kit.mesh import Context

app = typer.Typer(help="Give lineage, metadata or tables to other systems.", no_args_is_help=True)


@app.callback()
def export() -> None:
    """Give lineage, metadata or tables to other systems."""


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
    from kit.exchange import export_openlineage

    console.print(Text(export_openlineage(Context.load(), to, preset, every_run=every_run, warn=_warn)))


def _warn(line: str) -> None:
    errors.print(Text(line, style="yellow"))
