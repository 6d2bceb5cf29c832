"""`kit contract draft`: prints or writes a first contract for a port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kit.build import preview_model
from kit.cli.options import PortArgument
from kit.core import IDENTIFIER, KitError, make_folder, short, write_durably
from kit.ingest import RawFile
from kit.mesh import Context
from kit.storage import Store

app = typer.Typer(help="Write contracts.", no_args_is_help=True)


@app.callback()
def contract() -> None:
    """Write contracts."""


@app.command("draft")
def draft_contract(
    port: PortArgument,
    file: Annotated[list[Path] | None, typer.Option(help="Parquet file to use instead of the current snapshot.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write it into the contracts folder of the product.")] = False,
) -> None:
    """Draft a contract from the data of a port: types, nulls, key, sign; the rest is proposed or left to you (`TODO`).

    A port without a snapshot is drafted from the result of its dbt model, which is run and discarded.
    """
    from kit.scaffold import draft

    context = Context.load()
    domains = context.config.domains
    product, _, name = port.partition(".")
    if not IDENTIFIER.fullmatch(product) or not IDENTIFIER.fullmatch(name):
        raise KitError(f"'{port}' is no port; write PRODUCT.PORT")
    with _parquet(context, product, name, file or []) as files:
        text = draft(files, port)
    if not write:
        typer.echo(text, nl=False)
        return
    if not (domains / product).is_dir():
        raise KitError(f"{short(domains / product)}: there is no such product; make its folder first")
    path = domains / product / "contracts" / f"{name}.odcs.yaml"
    if path.exists() or path.is_symlink():
        raise KitError(f"{short(path)}: exists already; a draft never replaces a contract")
    make_folder(path.parent)
    write_durably(path, text)
    typer.echo(f"written: {short(path)}")


@contextmanager
def _parquet(context: Context, product: str, name: str, files: list[Path]) -> Iterator[list[Path]]:
    """Yield the Parquet files to draft from: `files`, else those of the current snapshot, else the model's result."""
    with TemporaryDirectory(prefix="kit-") as folder:
        if files:
            yield [_typed(path, Path(folder) / f"{number}.parquet") for number, path in enumerate(files)]
            return
        snapshot = Store(context.config.storage).current(product)
        if published := sorted((snapshot.folder / name).glob("*.parquet")) if snapshot else []:
            yield published
            return
        mesh = context.mesh
        try:
            preview = preview_model(context.config, mesh.product(product), name, Path(folder))
        except KitError as error:
            advice = "declare the port after that, " if product in (item.name for item in mesh.broken) else ""
            problem = f"'{product}.{name}' has no snapshot, and {error}"
            raise KitError(f"{problem}; {advice}or name Parquet files with --file") from None
        yield [preview]


def _typed(path: Path, target: Path) -> Path:
    """Write the rows of a Parquet file in the types in which a source would land them; raises `KitError`."""
    if path.suffix.lower() != ".parquet":
        raise KitError(f"{path} is no Parquet file; `kit new port PRODUCT.PORT --from FILE` drafts a contract for a CSV file")
    raw = RawFile.from_path(path)
    if renamed := [name for proposed, name in raw.names.items() if proposed != name]:
        raise KitError(
            f"{path}: the column '{renamed[0]}' cannot be promised; rename it with a-z, 0-9 and _, a letter first, at most 63"
        )
    raw.write(target)
    return target
