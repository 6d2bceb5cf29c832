"""The commands for who writes products and contracts; `kit.cli` has those that run them."""

import subprocess
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli import console as terminal
from kit.cli import contract, diff_text, notebook, promote
from kit.cli.console import console, errors
from kit.cli.options import JsonOption, complete_ports
from kit.cli.prompts import ask, is_interactive
from kit.core import Config, KitError, merge_base_mesh, short
from kit.governance import diff as compare
from kit.mesh import Mesh

if TYPE_CHECKING:
    from kit.scaffold import Scaffolded

app = typer.Typer()
app.add_typer(contract.app, name="contract")
app.add_typer(notebook.app, name="notebook")
app.command()(promote.promote)


@app.command()
def diff(
    against: Annotated[str, typer.Option("--against", help="A branch, tag or commit.")] = "main",
    strict: Annotated[bool, typer.Option("--strict", help="Also fail while a person has to judge a change.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a pull request.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what the contracts promise otherwise than on another branch, whom it hits, and whether their versions say so."""
    config = Config.load()
    with merge_base_mesh(config, against) as then:
        products = compare(then, config)
    if as_json:
        terminal.print_json([product.to_json() for product in products])
    elif as_markdown:
        typer.echo(diff_text.markdown(products), nl=False)
    else:
        for line in diff_text.lines(products):
            console.print(line)
    if any(product.problems or (strict and product.reviews) for product in products):
        raise typer.Exit(1)


@app.command()
def new(
    what: Annotated[str | None, typer.Argument(metavar="NAME | port | notebook", help="A new product, or what to add.")] = None,
    target: Annotated[str | None, typer.Argument(metavar="PRODUCT.PORT", help="The new port, after port or notebook.")] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="What it is made from: a .csv, .parquet or .ipynb file, or a port. A product without it is a small example.",
            autocompletion=complete_ports,
        ),
    ] = None,
    reads: Annotated[
        list[str] | None, typer.Option("--reads", help="Ports a new notebook reads.", autocompletion=complete_ports)
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="'Name <mail>'; by default who git says you are.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="The business domain of a product; its name without.")] = None,
    port: Annotated[str | None, typer.Option("--port", help="How a product's port is called.")] = None,
) -> None:
    """Make a data product, or add a port or notebook to one, that runs at once. In a terminal it asks for what is missing.

    Elsewhere it says what is missing. It never overwrites a file.
    """
    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    try:
        _new(config, mesh, what, target, origin, tuple(reads or ()), {"owner": owner, "domain": domain, "port": port})
    except (KeyboardInterrupt, typer.Abort):
        errors.print("\ninterrupted; nothing was written")
        raise typer.Exit(130) from None


def _new(
    config: Config,
    mesh: Mesh,
    what: str | None,
    target: str | None,
    origin: str | None,
    reads: tuple[str, ...],
    about: dict[str, str | None],
) -> None:
    from kit.scaffold import new as scaffold

    def name(text: str) -> str:
        scaffold.check_new(config, text)
        return text

    what = what or ask("Name of the data product", "say what to make: kit new NAME, or kit new port PRODUCT.PORT", name)
    if what in scaffold.COMMANDS:
        if target is None:
            raise KitError(f"'kit new {what}' takes the new port; write kit new {what} PRODUCT.PORT")
        if given := [name for name, value in about.items() if value is not None]:
            raise KitError(f"--{given[0]} is for a new product; '{target}' belongs to one that has it")
        if what == "notebook":
            if origin:
                product, _, port = target.partition(".")
                raise KitError(f"a notebook that is there is promoted: kit promote {origin} --product {product} --port {port}")
            made = scaffold.new_notebook(config, mesh, target, reads)
        else:
            _no_reads(reads)
            scaffold.check_new_port(mesh, target)
            origin = origin or ask(
                "Made from (a .csv or .parquet file, or a port)",
                f"say what '{target}' is made from: --from FILE or --from PORT",
                lambda text: scaffold.check_origin(mesh, text),
            )
            made = scaffold.new_port(config, mesh, target, origin)
    else:
        _no_reads(reads)
        if target is not None:
            raise KitError(f"'{what} {target}' is not understood; write kit new NAME, kit new port … or kit new notebook …")
        name(what)
        parse = scaffold.Owner.parse
        nobody = "nobody says who owns it; write --owner 'Name <mail>', or set user.name and user.email in git"
        owner = parse(about["owner"]) if about["owner"] else ask("Owner, as Name <mail>", nobody, parse, _git_user())
        domain = about["domain"] or ask("Business domain", "", str, what)
        if origin is None and about["owner"] is None and is_interactive():
            question = "Made from (a file or a port; nothing for a small example)"
            origin = ask(question, "", lambda text: scaffold.check_origin(mesh, text) if text else None, "")
        made = scaffold.new_domain(config, mesh, what, owner, domain, origin, about["port"])
    _print(made)


def _no_reads(reads: tuple[str, ...]) -> None:
    if reads:
        raise KitError("--reads is for 'kit new notebook'; say --from PORT")


def _git_user() -> str | None:
    """`Name <mail>` of who git thinks is at work."""
    found = []
    for name in ("user.name", "user.email"):
        try:
            done = subprocess.run(["git", "config", name], capture_output=True, text=True, check=False, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        found.append(done.stdout.strip())
    return f"{found[0]} <{found[1]}>" if all(found) else None


def _print(made: "Scaffolded") -> None:
    """What was written, and what to do next."""
    for path in made.files:
        console.print(f"written: {short(path)}")
    product = made.port.partition(".")[0]
    console.print("\nNext", style="bold")
    console.print(f"  1. write what begins with TODO below {short(made.folder)}; `kit check` names each place")
    console.print(f"  2. kit run {product}")
    console.print(f"  3. kit read {made.port}")
