"""`kit contract draft`: a first contract on the terminal or in its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kit.build import preview_model
from kit.cli.options import PortArgument
from kit.core import IDENTIFIER, Config, KitError, make_folder, short, write_durably
from kit.mesh import Mesh
from kit.storage import Store

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
    """Propose a contract from the data of a port: types, key, ranges, values. What it means is yours to say (`TODO`).

    Of a port without a snapshot its dbt model is run, and what it makes thrown away.
    """
    from kit.scaffold import draft

    config = Config.load()
    product, _, name = port.partition(".")
    if not IDENTIFIER.fullmatch(product) or not IDENTIFIER.fullmatch(name):
        raise KitError(f"'{port}' is no port; write PRODUCT.PORT")
    with _rows(config, product, name, file) as files:
        text = draft(files, port)
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


@contextmanager
def _rows(config: Config, product: str, name: str, given: list[Path] | None) -> Iterator[list[Path]]:
    """The Parquet files to look at: those given, else those published, else what the model of that name makes."""
    snapshot = None if given else Store(config.storage).current(product)
    if files := given or (sorted((snapshot.folder / name).glob("*.parquet")) if snapshot else []):
        yield files
        return
    mesh = Mesh.load(config.domains, config.cache)
    with TemporaryDirectory(prefix="kit-") as folder:
        try:
            made = preview_model(config, mesh.product(product), name, Path(folder))
        except KitError as error:
            first = "declare the port after that, " if product in (item.name for item in mesh.broken) else ""
            problem = f"'{product}.{name}' has no snapshot to look at, and {error}"
            raise KitError(f"{problem}; {first}or name Parquet files with --file") from None
        yield [made]
