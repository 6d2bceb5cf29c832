"""The command `kit erase`: removes the rows of one person from the mesh."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console, errors
from kit.cli.options import JsonOption, complete_products, load_context
from kit.core import KitError, short, take_keys

app = typer.Typer()


@app.command()
def erase(
    key: Annotated[
        str,
        typer.Argument(metavar="KEY=VALUE", help="A column and the value that identifies a person; `KEY=-` reads the value."),
    ],
    product: Annotated[
        list[str] | None,
        typer.Option("--product", help="Begin with the columns of this product only.", autocompletion=complete_products),
    ] = None,
    earlier_keys: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="An environment variable with earlier masking keys, whose tokens are found too."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print where the rows are, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase the rows of a person from raw data, ports, quarantine, records, executed notebooks and Dagster's history."""
    from kit.cli.reporter import reporter
    from kit.orchestration import erasure
    from kit.orchestration.erased_places import ErasureKey, find_places, unsearched

    context = load_context()
    column, equals, value = key.partition("=")
    value = _from_input() if value == "-" else value
    if not equals or not column or not value:
        raise typer.BadParameter("write a column and a value, such as customer_id=4711", param_hint="KEY=VALUE")
    if not value.isascii() and value != value.encode(errors="ignore").decode():
        raise typer.BadParameter("the value is no text in UTF-8, which all published texts are", param_hint="KEY=VALUE")
    for name in product or ():
        context.mesh.product(name)
    secrets = take_keys(earlier_keys) if earlier_keys else ()
    if earlier_keys and not secrets:
        raise KitError(f"the environment variable {earlier_keys} has no keys; set it to earlier ones, with blanks between them")
    places, erasure_key = find_places(context, ErasureKey.of(context, column, value, product or (), secrets))
    hidden = list(unsearched(context, erasure_key))
    for text in (*erasure.unfinished(context), *hidden):
        errors.print(Text(text, style="yellow"))
    if not as_json:
        terminal.print_places(places, context.config.root)
        if not erasure_key.searched:
            console.print("the value is too short to be searched in texts: in records, notebooks and Dagster's history")
    if dry_run or not (places or erasure.has_begun(context, erasure_key)):
        if as_json:
            terminal.print_json({"found": terminal.places_json(places, context.config.root), "not_searched": hidden})
        elif not places:
            console.print(f"no row with this {column} was found{' in what can be searched' if hidden else ''}")
        if hidden and not dry_run:
            raise typer.Exit(1)
        return
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise KitError("nothing was erased; add --yes to erase without a question, or --dry-run to look only")
        typer.confirm("Build these products again without the rows, and delete all older data with them?", abort=True)
    done = erasure.erase(context, erasure_key, places, reporter(as_json))
    for problem in done.problems:
        errors.print(Text(problem, style="red"))
    if as_json:
        terminal.print_json(
            {
                "found": terminal.places_json(places, context.config.root),
                "left": terminal.places_json(done.left, context.config.root),
                "problems": done.problems, "not_reached": erasure.UNREACHED, "complete": done.complete,
                "record": str(done.record),
            }
        )  # fmt: skip
    else:
        console.print("still found:" if done.left else "a search of the whole storage finds nothing any more")
        terminal.print_places(done.left, context.config.root)
        console.print("not reached:")
        for text in erasure.UNREACHED:
            console.print(f"  {text}")
        console.print(f"record: {short(done.record)}")
    if not done.complete:
        errors.print(Text("the erasure has not finished; run it again after this is corrected", style="red"))
        raise typer.Exit(1)


def _from_input() -> str:
    """Return the first line of standard input, without its end; bytes that are no UTF-8 become surrogates, as in arguments."""
    line = sys.stdin.buffer.readline() if sys.stdin else b""
    return line.decode(errors="surrogateescape").rstrip("\r\n")
