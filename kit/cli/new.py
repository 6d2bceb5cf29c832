"""`kit new`: makes a data product, a port or a notebook that runs at once."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.console import console, errors
from kit.cli.options import complete_offered, load_context
from kit.cli.prompts import ask, is_interactive
from kit.core import KitError, short

if TYPE_CHECKING:
    from kit.mesh import Context
    from kit.scaffold import Scaffolded

app = typer.Typer()
_CONNECTOR = "postgres:SHOP_DSN?table=sales.orders"


@app.command()
def new(
    what: Annotated[
        str | None, typer.Argument(metavar="NAME | port | notebook | source", help="A new product, or what to add.")
    ] = None,
    target: Annotated[
        str | None, typer.Argument(metavar="PRODUCT.PORT", help="What is new, after port, notebook or source.")
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Its source: a .csv, .parquet or .ipynb file, a port, a raw source, or for a new source a connector such as "
            f"{_CONNECTOR}",
            autocompletion=complete_offered,
        ),
    ] = None,
    reads: Annotated[
        list[str] | None, typer.Option("--reads", help="Ports a new notebook reads.", autocompletion=complete_offered)
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="'Name <mail>'; by default user.name and user.email of git.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", help="The business domain of a product; by default its name.")
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option("--port", help="Name of the port of a new product; with --from-dbt a model that becomes one, repeatable."),
    ] = None,
    from_dbt: Annotated[
        Path | None, typer.Option("--from-dbt", metavar="FOLDER", help="An existing dbt project that a new product takes over.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="SOURCE=FILE", help="The data of a source of that project, or its port. Repeatable."),
    ] = None,
    csv: Annotated[
        list[str] | None,
        typer.Option("--csv", metavar="KEY=VALUE", help="How a CSV file is written, such as encoding=latin-1. Repeatable."),
    ] = None,
) -> None:
    """Make a data product, or add a port, notebook or source to one, that runs at once. A terminal asks for missing arguments.

    Without a terminal a missing argument is an error. No file is overwritten.
    """
    details = _Details(owner, domain, tuple(port or ()), from_dbt, tuple(source or ()))
    try:
        created = _make(load_context(), what, target, origin, tuple(reads or ()), tuple(csv or ()), details)
        _print(created, (target or "").partition(".")[2] if what == "source" else "")
    except (KeyboardInterrupt, typer.Abort):
        errors.print("\ninterrupted; nothing was written")
        raise typer.Exit(130) from None


@dataclass(frozen=True)
class _Details:
    """What only a new product takes."""

    owner: str | None
    domain: str | None
    port: tuple[str, ...]
    from_dbt: Path | None
    source: tuple[str, ...]


def _make(
    context: "Context",
    what: str | None,
    target: str | None,
    origin: str | None,
    reads: tuple[str, ...],
    csv: tuple[str, ...],
    details: "_Details",
) -> "Scaffolded":
    from kit.scaffold import new as scaffold

    mesh = context.mesh

    def check_name(text: str) -> str:
        scaffold.check_new_product(context.config, text)
        return text

    usage = "say what to make: kit new NAME, or kit new port PRODUCT.PORT"
    what = what or ask("Name of the data product", usage, check_name)
    if what in scaffold.COMMANDS:
        kind = "SOURCE" if what == "source" else "PORT"
        if target is None:
            raise KitError(f"'kit new {what}' takes the new {kind.lower()}; write kit new {what} PRODUCT.{kind}")
        if unused := [name for name, value in vars(details).items() if value]:
            raise KitError(f"--{unused[0].replace('_', '-')} is for a new product; '{target}' belongs to one that has it")
        if what == "notebook":
            _refuse_csv(csv, "a notebook")
            if origin:
                product, _, port = target.partition(".")
                raise KitError(f"an existing notebook is promoted: kit promote {origin} --product {product} --port {port}")
            return scaffold.new_notebook(context, target, reads)
        _refuse_reads(reads)
        if what == "source":
            question = f"Made from (a .csv or .parquet file, or a connector such as {_CONNECTOR})"
            usage = f"say what '{target}' is made from: --from FILE, or a connector such as --from '{_CONNECTOR}'"
            return scaffold.new_source(context, target, origin or ask(question, usage, str), csv)
        scaffold.check_new_port(mesh, target)
        origin = origin or ask(
            "Made from (a .csv or .parquet file, or a port)",
            f"say what '{target}' is made from: --from FILE or --from PORT",
            lambda text: scaffold.check_origin(mesh, text),
        )
        return scaffold.new_port(context, target, origin, csv)
    _refuse_reads(reads)
    if target is not None:
        raise KitError(f"'{what} {target}' is not understood; write kit new NAME, or kit new port, source or notebook …")
    check_name(what)
    parse = scaffold.Owner.parse
    no_owner = "the owner is missing; write --owner 'Name <mail>', or set user.name and user.email in git"
    owner = parse(details.owner) if details.owner else ask("Owner, as Name <mail>", no_owner, parse, _git_user())
    domain = details.domain or ask("Business domain", "", str, what)
    if details.from_dbt:
        if origin:
            raise KitError("--from and --from-dbt are both given; a product is made from one of them")
        return scaffold.new_product_from_dbt(context, what, owner, domain, details.from_dbt, details.port, details.source, csv)
    if details.source:
        raise KitError("--source is for --from-dbt, whose project declares it; use --from, or kit new source PRODUCT.SOURCE")
    if len(details.port) > 1:
        raise KitError(
            f"--port {details.port[1]}: a new product has one port; add it with kit new port {what}.{details.port[1]}"
        )
    if origin is None and details.owner is None and is_interactive():
        question = "Made from (a file or a port; nothing for a small example)"
        origin = ask(question, "", lambda text: scaffold.check_origin(mesh, text) if text else None, "")
    if origin is None:
        _refuse_csv(csv, "the small example")
    return scaffold.new_product(context, what, owner, domain, origin, next(iter(details.port), None), csv)


def _refuse_reads(reads: tuple[str, ...]) -> None:
    if reads:
        raise KitError("--reads is for 'kit new notebook'; use --from PORT")


def _refuse_csv(csv: tuple[str, ...], made: str) -> None:
    if csv:
        raise KitError(f"--csv is for a CSV file, named by --from; {made} is made from none")


def _git_user() -> str | None:
    """Return `Name <mail>` from the settings of git, None when it has none."""
    values = []
    for name in ("user.name", "user.email"):
        try:
            done = subprocess.run(["git", "config", name], capture_output=True, text=True, check=False, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        values.append(done.stdout.strip())
    return f"{values[0]} <{values[1]}>" if all(values) else None


def _csv_options(questions: Iterable[str]) -> list[str]:
    """Return the options of `kit new` for what the questions ask to declare of a CSV file, as a shell takes them."""
    text = "\n".join(questions)
    markers = dict.fromkeys(marker for found in re.findall(r"nullMarkers: (\[.*?\])", text) for marker in json.loads(found))
    options = [f"nullMarkers={','.join(markers)}"] if markers else []
    options += ["decimalComma=true"] if "decimalComma: true" in text else []
    return [f"--csv {quote(option)}" for option in options]


def _print(created: "Scaffolded", source: str) -> None:
    """Print the files that were written, and the next steps, after a new `source` the one to a port of it."""
    from kit.mesh import RAW

    for path in created.files:
        console.print(f"written: {short(path)}")
    product = created.folder.name
    for title, lines in (
        ("Worth knowing", [str(finding) for finding in created.remarks]),
        ("Tests that fail; nothing is published until they pass", [str(check) for check in created.failing]),
    ):
        if lines:
            console.print(f"\n{title}", style="bold")
            for line in lines:
                console.print(f"  {line}")
    if created.questions:
        console.print("\nQuestions", style="bold")
        for column, question in created.questions.items():
            console.print(f"  {column} is text: {question}")
        if options := _csv_options(created.questions.values()):
            console.print(f"  To declare it from the start, remove these files and add {' '.join(options)}")
    for variable in created.variables:
        console.print(f"\nSet {variable} in the environment of builds: its value is in no file", style="bold")
    console.print("\nNext", style="bold")
    console.print(f"  1. replace each TODO below {short(created.folder)}; `kit check` lists them")
    if source:
        source = source.removeprefix(f"{RAW}.")
        console.print(f"  2. kit new port {product}.{source} --from {product}.{RAW}.{source}, unless models read it already")
    console.print(f"  {3 if source else 2}. kit run {product}")
    if created.port:
        console.print(f"  3. kit read {created.port}")
