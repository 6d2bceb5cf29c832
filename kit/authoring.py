"""The commands for who writes products and contracts; `kit.cli` has those that run them."""

from typing import Annotated

import typer

from kit import announcement, terminal
from kit.config import Config
from kit.diff import diff as compare
from kit.options import JsonOption
from kit.revision import at
from kit.terminal import console

app = typer.Typer()


@app.command()
def diff(
    against: Annotated[str, typer.Option("--against", help="A branch, tag or commit.")] = "main",
    strict: Annotated[bool, typer.Option("--strict", help="Also fail while a person has to judge a change.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a pull request.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what the contracts promise otherwise than on another branch, whom it hits, and whether their versions say so."""
    config = Config.load()
    with at(config, against) as then:
        products = compare(then, config)
    if as_json:
        terminal.print_json([product.to_json() for product in products])
    elif as_markdown:
        typer.echo(announcement.markdown(products), nl=False)
    else:
        for line in announcement.lines(products):
            console.print(line)
    if any(product.problems or (strict and product.reviews) for product in products):
        raise typer.Exit(1)
