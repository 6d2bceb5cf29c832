"""Commands for asset notebooks: their parameters, their executed copies, differences of two runs."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console
from kit.cli.options import JsonOption, complete_products, load_context
from kit.core import Config, KitError, UnknownName, short, there_are

if TYPE_CHECKING:
    from kit.notebooks import Difference, Executed

app = typer.Typer(help="Inspect asset notebooks and their runs.", no_args_is_help=True)

PortOption = Annotated[str | None, typer.Option("--port", help="Only the notebook of this port; all without.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, a snapshot, or a path to an .ipynb file.")]


@app.command()
def parameters(
    target: Annotated[
        str, typer.Argument(metavar="PRODUCT[.PORT]", help="A product, or one of its ports.", autocompletion=complete_products)
    ],
    as_json: JsonOption = False,
) -> None:
    """List the parameters of a product's notebooks, for `kit run PRODUCT -p NAME=VALUE`."""
    from kit.mesh import parameters as declared

    name, _, port = target.partition(".")
    product = load_context().mesh.product(name)
    notebooks = {item.name: item.notebook for item in product.ports if item.notebook and port in ("", item.name)}
    if not notebooks:
        known = there_are(target, (item.id for item in product.ports if item.notebook))
        raise UnknownName(f"'{target}' is made by no notebook; {known}")
    listed = [(f"{name}.{port_name}", item) for port_name, path in notebooks.items() for item in declared(path).values()]
    if as_json:
        terminal.print_json([{"port": port_id, **item.to_json()} for port_id, item in listed])
    else:
        rows = [(port_id, item.name, item.type, repr(item.default), item.help) for port_id, item in listed]
        terminal.print_rows(["port", "parameter", "type", "default", "meaning"], rows)


@app.command()
def show(
    run: RunArgument,
    port: Annotated[str | None, typer.Option("--port", help="The port, if the run has several notebooks.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; by default beside the executed copy.")
    ] = None,
) -> None:
    """Write an executed notebook as a self-contained HTML page without scripts; a terminal opens it."""
    from kit.notebooks import copy, notebook_html

    executed = copy(load_context().config, run, port)
    page = output or executed.with_suffix(".html")
    text = notebook_html(executed)
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise KitError(f"{short(page)}: cannot be written: {error.strerror}; name another file with --output") from None
    console.print(f"written: {short(page)}")
    if output is None and sys.stdout.isatty():
        typer.launch(str(page))


@app.command()
def diff(first: RunArgument, second: RunArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Compare two runs of a notebook: parameters, inputs, code, cell outputs, time."""
    from kit.notebooks import Executed, differences

    config = load_context().config
    pairs = [(Executed.read(left), Executed.read(right)) for left, right in _pairs(config, first, second, port)]
    if as_json:
        terminal.print_json(
            [
                {
                    "first": _to_json(left),
                    "second": _to_json(right),
                    "differences": [d.to_json() for d in differences(left, right)],
                }
                for left, right in pairs
            ]
        )
        return
    for left, right in pairs:
        console.print(Text(left.title, "bold"))
        for item in (left, right):
            seconds = "" if item.seconds is None else f"{item.seconds:.1f} s"
            console.print(f"  {item.run_id or short(item.path):<24} {seconds:>8}  {item.error or 'ran to its end'}")
        _print(differences(left, right))


def _pairs(config: Config, first: str, second: str, port: str | None) -> list[tuple[Path, Path]]:
    """Return the pairs of executed copies of the same port, or the pair of `port`."""
    from kit.notebooks import copies, copy

    if port or first.endswith(".ipynb") or second.endswith(".ipynb"):
        return [(copy(config, first, port), copy(config, second, port))]
    left, right = copies(config, first), copies(config, second)
    common = [name for name in left if name in right]
    if not common:
        raise UnknownName(f"'{first}' has the notebooks {', '.join(left)}, '{second}' {', '.join(right)}; none is in both")
    return [(left[name], right[name]) for name in common]


def _to_json(executed: "Executed") -> dict[str, object]:
    return {
        "run": executed.run_id, "port": executed.port, "path": str(executed.path), "parameters": executed.parameters,
        "seconds": executed.seconds, "error": executed.error,
    }  # fmt: skip


def _print(changes: "Iterable[Difference]") -> None:
    """Print short differences as a table, changes of text line by line."""
    from kit.notebooks import lines

    rows: list[tuple[object, ...]] = []
    longer = []
    for item in changes:
        if item.kind in ("parameter", "input", "end", "table", "picture"):
            rows.append((item.kind, item.where, item.first, item.second, item.change))
        else:
            longer.append(item)
    if rows:
        terminal.print_rows(["", "", "first", "second", "change"], rows)
    for item in longer:
        console.print(f"{item.kind} of {item.where}")
        for line in lines(item):
            console.print(Text(f"  {line}", "red" if line.startswith("-") else "green"))
    if not rows and not longer:
        console.print("  no difference", style="green")
