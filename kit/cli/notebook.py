"""The commands around asset notebooks: what they can be given, what a run made of them, how two runs differ."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console
from kit.cli.options import JsonOption, complete_products
from kit.core import Config, KitError, UnknownName, short
from kit.mesh import Mesh
from kit.mesh import parameters as declared
from kit.notebooks import Difference, Executed, copies, copy, differences, lines

app = typer.Typer(help="Look at asset notebooks and their runs.", no_args_is_help=True)

PortOption = Annotated[str | None, typer.Option("--port", help="Which of its notebooks; all without.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, a snapshot, or a path to an .ipynb file.")]


@app.command()
def parameters(
    target: Annotated[str, typer.Argument(metavar="PRODUCT[.PORT]", help="Whose notebooks.", autocompletion=complete_products)],
    as_json: JsonOption = False,
) -> None:
    """List what the notebooks of a product can be given with `kit run PRODUCT -p NAME=VALUE`."""
    config = Config.load()
    name, _, port = target.partition(".")
    product = Mesh.load(config.domains, config.cache).product(name)
    notebooks = {item.name: item.notebook for item in product.ports if item.notebook and port in ("", item.name)}
    if not notebooks:
        there = ", ".join(item.id for item in product.ports if item.notebook) or "none"
        raise UnknownName(f"'{target}' is made by no notebook; those of '{name}' that are: {there}")
    found = [(f"{name}.{made}", item) for made, path in notebooks.items() for item in declared(path).values()]
    if as_json:
        terminal.print_json([{"port": made, **item.to_json()} for made, item in found])
    else:
        rows = [(made, item.name, item.type, repr(item.default), item.help) for made, item in found]
        terminal.print_rows(["port", "parameter", "type", "default", "meaning"], rows)


@app.command()
def show(
    run: RunArgument,
    port: Annotated[str | None, typer.Option("--port", help="Which of its notebooks, if it has several.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it; beside the executed copy without.")
    ] = None,
) -> None:
    """Write an executed notebook as a page that runs nothing and loads nothing, and open it at a terminal."""
    from kit.notebooks import notebook_html

    executed = copy(Config.load(), run, port)
    page = output or executed.with_suffix(".html")
    text = notebook_html(executed)
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise KitError(f"{short(page)}: cannot be written: {error.strerror}; say where with --output") from None
    console.print(f"written: {short(page)}")
    if output is None and sys.stdout.isatty():
        typer.launch(str(page))


@app.command()
def diff(first: RunArgument, second: RunArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Compare two runs of a notebook: parameters, inputs, code, what cells show, time."""
    config = Config.load()
    pairs = [(Executed.read(mine), Executed.read(theirs)) for mine, theirs in _pairs(config, first, second, port)]
    if as_json:
        terminal.print_json(
            [
                {"first": _about(a), "second": _about(b), "differences": [d.to_json() for d in differences(a, b)]}
                for a, b in pairs
            ]
        )
        return
    for one, other in pairs:
        console.print(Text(one.title, "bold"))
        for item in (one, other):
            seconds = "" if item.seconds is None else f"{item.seconds:.1f} s"
            console.print(f"  {item.run_id or short(item.path):<24} {seconds:>8}  {item.error or 'ran to its end'}")
        _print(differences(one, other))


def _pairs(config: Config, first: str, second: str, port: str | None) -> list[tuple[Path, Path]]:
    """The notebooks two runs have in common, or the one that was asked for."""
    if port or first.endswith(".ipynb") or second.endswith(".ipynb"):
        return [(copy(config, first, port), copy(config, second, port))]
    mine, theirs = copies(config, first), copies(config, second)
    common = [name for name in mine if name in theirs]
    if not common:
        raise UnknownName(f"'{first}' has the notebooks {', '.join(mine)}, '{second}' {', '.join(theirs)}; none is in both")
    return [(mine[name], theirs[name]) for name in common]


def _about(executed: Executed) -> dict[str, object]:
    about = {"run": executed.run_id, "port": executed.port, "path": str(executed.path)}
    return {**about, "parameters": executed.parameters, "seconds": executed.seconds, "error": executed.error}


def _print(found: Iterable[Difference]) -> None:
    rows: list[tuple[object, ...]] = []
    longer = []
    for item in found:
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
