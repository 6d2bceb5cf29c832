"""`kit promote`: an exploration notebook becomes a port, on the terminal or as data for the form in a notebook."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kit.build import BuildRequest, Outcome
from kit.cli import console as terminal
from kit.cli.console import console, errors
from kit.cli.options import JsonOption, complete_products
from kit.core import Config
from kit.mesh import DataProduct, Mesh
from kit.orchestration.executor import execute

if TYPE_CHECKING:
    from kit.scaffold import Promotion

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def promote(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="The notebook that was explored in, a file .ipynb.")],
    product: Annotated[str, typer.Option("--product", help="The data product it goes to.", autocompletion=complete_products)],
    port: Annotated[
        str | None, typer.Option("--port", help="How the port is called; by default as in kit.output, or as the file.")
    ] = None,
    frame: Annotated[
        str | None, typer.Option("--frame", help="The name of the table it makes; by default what its last cell ends in.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run the notebook, show what would change, write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a notebook a port: find what it reads, draft its contract, write all files, build the product once.

    It says what is missing when it cannot; no file is changed then.
    """
    from kit.scaffold import plan_promotion, promote

    config = Config.load()

    def say(text: str) -> None:
        (errors if as_json else console).print(Text(f"  {text} …", style="" if as_json else "dim"))

    def run(mesh: Mesh, product: DataProduct) -> Outcome:
        say(f"builds {product.name}")
        return execute(config, mesh, [product], {product.name: BuildRequest()}, lambda: terminal.progress(as_json), tell)[0]

    def tell(outcome: Outcome) -> None:
        if not outcome.failed and not as_json:
            terminal.print_outcome(outcome)

    try:
        promotion = plan_promotion(config, Mesh.load(config.domains, config.cache), notebook, product, port, frame, say)
        if not as_json:
            _show(promotion)
        outcome = None if dry_run else promote(config, promotion, run)
    except KeyboardInterrupt:
        errors.print("\ninterrupted; nothing was written")
        raise typer.Exit(130) from None
    if as_json:
        terminal.print_json({**promotion.to_json(), "version": outcome.version if outcome else None})
        return
    if promotion.open_points:
        console.print("\nStill to be written or decided", style="bold")
        for point in promotion.open_points:
            console.print(Text(f"  {point}"), soft_wrap=True)
    if outcome is None:
        console.print("\nnothing was written")
    else:
        console.print(Text(f"\n{promotion.port} is published: kit read {promotion.port}", style="green"))


def _show(promotion: "Promotion") -> None:
    """What was found, and what changes."""
    given = ", ".join(f"{item.name}: {item.type} = {item.default!r}" for item in promotion.parameters)
    console.print(Text(f"\n{promotion.port}", style="bold"))
    console.print(Text(f"  reads       {', '.join(promotion.reads) or 'nothing'}"))
    console.print(Text(f"  parameters  {given or 'none'}\n"))
    for line in promotion.diff():
        header = line.startswith(("---", "+++"))
        console.print(Text(line, style="bold" if header else _STYLES.get(line[:1], "")), soft_wrap=True)
    console.print("\nWritten by kit sync")
    for line in promotion.generated():
        console.print(Text(f"  {line}"))
    console.print()
