"""`kit contract draft`: prints or writes a contract for a port or a source, or adds to it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from kit.cli.console import errors
from kit.cli.options import PortArgument, load_context
from kit.core import IDENTIFIER, KitError, make_folder, short, write_durably

app = typer.Typer(help="Write contracts.", no_args_is_help=True)


@app.callback()
def contract() -> None:
    """Write contracts."""


@app.command("draft")
def draft_contract(
    port: PortArgument,
    file: Annotated[list[Path] | None, typer.Option(help="Parquet file to use instead of the current data.")] = None,
    csv: Annotated[
        list[str] | None,
        typer.Option("--csv", metavar="KEY=VALUE", help="How the CSV file of a source is written. Repeatable."),
    ] = None,
    reads: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE", help="File or folder outside of the domain that a source may read. Repeatable."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write it into the product, or add new columns to it there.")] = False,
) -> None:
    """Draft a contract from the data of a port, or of a source PRODUCT.raw.SOURCE: types, nulls, key, sign.

    The rest is proposed or left to you (`TODO`). A port that is not built yet, or whose code has changed since, is drafted from
    the result of its model or notebook, which is run and discarded. Nothing that people wrote is replaced.
    """
    from kit.mesh import RAW
    from kit.scaffold import draft_of, redraft

    context = load_context()
    folder = context.config.domains / port.partition(".")[0]
    _, _, name = port.partition(".")
    kind, name = ("sources", name.removeprefix(f"{RAW}.")) if name.startswith(f"{RAW}.") else ("contracts", name)
    if not IDENTIFIER.fullmatch(folder.name) or not IDENTIFIER.fullmatch(name):
        raise KitError(f"'{port}' is no port; write PRODUCT.PORT, or PRODUCT.{RAW}.SOURCE for raw data")
    if csv and (file or kind == "contracts"):
        raise KitError(f"--csv is for the CSV file of a source; '{port}' is made from none")
    if reads and (file or kind == "contracts"):
        raise KitError(f"--reads is for the function of a source; '{port}' is made from none")
    text = draft_of(context, port, file or (), csv or (), reads or ())
    if not write:
        typer.echo(text, nl=False)
        return
    if not folder.is_dir():
        raise KitError(f"{short(folder)}: there is no such product; make its folder first")
    path = folder / kind / f"{name}.odcs.yaml"
    if path.is_symlink():
        raise KitError(f"{short(path)}: is a link; put a file in its place")
    is_new = not path.exists()
    made = redraft(path, text)
    for difference in made.differences:
        errors.print(Text(str(difference), style="yellow"))
    if not is_new and not made.added:
        typer.echo(f"{short(path)}: has every column of the data; nothing was written")
        return
    make_folder(path.parent)
    write_durably(path, made.text)
    typer.echo(f"written: {short(path)}" + ("" if is_new else f", with {', '.join(made.added)}"))
