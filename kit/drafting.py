"""`kit contract draft`: a first contract on the terminal or in its place."""

from pathlib import Path
from typing import Annotated

import typer

from kit.config import Config
from kit.errors import KitError
from kit.files import IDENTIFIER, make_folder, short, write_durably
from kit.options import PortArgument
from kit.store import Store

app = typer.Typer(help="Write contracts.", no_args_is_help=True)


@app.callback()
def contract() -> None:
    """Write contracts."""


@app.command("draft")
def draft_contract(
    port: PortArgument,
    file: Annotated[list[Path] | None, typer.Option(help="Parquet to look at instead of the current snapshot.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put it into the product's contracts folder.")] = False,
) -> None:
    """Propose a contract from the data of a port: types, key, ranges, values. What it means is yours to say (`TODO`)."""
    from kit.draft import draft

    config = Config.load()
    product, _, name = port.partition(".")
    if not IDENTIFIER.fullmatch(product) or not IDENTIFIER.fullmatch(name):
        raise KitError(f"'{port}' is no port; write PRODUCT.PORT")
    text = draft(file or _published(config, product, name), port)
    if not write:
        typer.echo(text, nl=False)
        return
    if not (config.domains / product).is_dir():
        raise KitError(f"{short(config.domains / product)}: there is no such product; make its folder first")
    path = config.domains / product / "contracts" / f"{name}.odcs.yaml"
    if path.exists() or path.is_symlink():
        raise KitError(f"{short(path)}: is there already; a draft never replaces a contract")
    make_folder(path.parent)
    write_durably(path, text)
    typer.echo(f"written: {short(path)}")


def _published(config: Config, product: str, name: str) -> list[Path]:
    snapshot = Store(config.storage).current(product)
    files = sorted((snapshot.folder / name).glob("*.parquet")) if snapshot else []
    if not files:
        raise KitError(f"'{product}.{name}' has no snapshot to look at; name Parquet files with --file")
    return files
