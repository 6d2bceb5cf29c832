"""`kit export`: the mesh for catalogs, lineage servers and open tables of other systems."""

from typing import Annotated

import typer

from kit.cli.console import console
from kit.cli.options import complete_products
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
