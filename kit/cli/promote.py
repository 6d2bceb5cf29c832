"""`kit promote`: turns an exploration notebook into a port of a data product."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console, errors
from kit.cli.options import JsonOption, complete_products, load_context
from kit.core import short

if TYPE_CHECKING:
    from kit.build import Outcome
    from kit.mesh import Context
    from kit.scaffold import Promotion

app = typer.Typer()

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@app.command()
def promote(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="The exploration notebook, a file .ipynb.")],
    product: Annotated[
        str, typer.Option("--product", help="The data product that gets the port.", autocompletion=complete_products)
    ],
    port: Annotated[
        str | None, typer.Option("--port", help="Name of the port; by default that in kit.output, or of the file.")
    ] = None,
    frame: Annotated[
        str | None, typer.Option("--frame", help="Name of the table to publish; by default the result of the last cell.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a notebook of the port that was written or edited by hand.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Run the notebook and print the changes, write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a notebook a port: find its inputs, draft its contract, write all files, build the product once.

    A notebook that was promoted before gives its port the present code, and its contract new columns. When it fails no file is
    changed.
    """
    from kit.cli.reporter import PromotionReporter
    from kit.orchestration.run import RunReporter, run
    from kit.orchestration.run_origin import RunOrigin
    from kit.scaffold import plan_promotion
    from kit.scaffold import promote as write_and_build

    def report(step: str) -> None:
        (errors if as_json else console).print(Text(f"  {step} …", style="" if as_json else "dim"))

    def build(context: "Context", product: str) -> "Outcome":
        report(f"builds {product}")
        with terminal.direct_output():
            shown = RunReporter() if as_json else PromotionReporter()
            return run(context, [product], reporter=shown, origin=RunOrigin.from_command_line()).outcomes[0]

    context = load_context()
    try:
        promotion = plan_promotion(context, notebook, product, port, frame, report, replace_edited=replace)
        if not as_json and not promotion.is_unchanged:
            _print(promotion)
        outcome = None if dry_run or promotion.is_unchanged else write_and_build(context.config, promotion, build)
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
    if promotion.is_unchanged:
        text = f"{short(promotion.path)} has not changed since {promotion.port} was made of it; nothing was written"
        console.print(Text(text, style="green"), soft_wrap=True)
    elif outcome is None:
        console.print("\nnothing was written")
    else:
        console.print(Text(f"\n{promotion.port} is published: kit read {promotion.port}", style="green"))
    if outcome and (limit := promotion.describe_offer()):
        console.print(Text(limit, style="yellow"), soft_wrap=True)


def _print(promotion: "Promotion") -> None:
    """Print inputs and parameters of the new port, and the changes of files."""
    parameters = ", ".join(f"{item.name}: {item.type} = {item.default!r}" for item in promotion.parameters)
    console.print(Text(f"\n{promotion.port}", style="bold"))
    console.print(Text(f"  reads       {', '.join(promotion.reads) or 'nothing'}"))
    console.print(Text(f"  parameters  {parameters or 'none'}\n"))
    for line in promotion.diff():
        header = line.startswith(("---", "+++"))
        console.print(Text(line, style="bold" if header else _STYLES.get(line[:1], "")), soft_wrap=True)
    console.print("\nWritten by kit sync")
    for line in promotion.generated():
        console.print(Text(f"  {line}"))
    console.print()
