"""Commands that check the files of the mesh: `kit check`, `kit sync`, `kit diff`, `kit doctor`."""

from typing import Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli import diff_text
from kit.cli.console import console, errors
from kit.cli.options import JsonOption
from kit.core import merge_base_mesh
from kit.governance import diff as compare
from kit.governance import examine, problems, scores
from kit.mesh import Context
from kit.sync import drifts, refused
from kit.sync import sync as sync_files

app = typer.Typer()


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Check every domain folder without building it: files, contracts, ports, graph, suites, notebooks, policy."""
    context = Context.load()
    mesh = context.mesh
    found = problems(context.config, mesh)
    if as_json:
        listed = [{"product": name, "problem": message} for name, message in found]
        terminal.print_json({"problems": listed, "score_card": [score.to_json() for score in scores(context.config, mesh)]})
    else:
        for name, message in found:
            console.print(Text(f"{name}: {message}", style="red"))
        if not found:
            console.print(f"{len(mesh.products)} data products, {len(mesh.ports)} ports: nothing wrong", style="green")
        terminal.print_scores(scores(context.config, mesh))
    if found:
        raise typer.Exit(1)


@app.command()
def sync(
    as_json: JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; print the differences and fail when there are any.")
    ] = False,
) -> None:
    """Write the generated files that are committed: dbt YAML, suites and tables of contracts, catalogs, the lineage picture."""
    context = Context.load()
    config, mesh = context.config, context.mesh
    if check:
        differences = drifts(config, mesh) + refused(mesh) + [item.message for item in mesh.broken]
        if as_json:
            terminal.print_json({"differs": differences})
        else:
            for text in differences:
                typer.echo(text)
        raise typer.Exit(1 if differences else 0)
    written = [str(path.relative_to(config.root)) for path in sync_files(config, mesh)]
    if as_json:
        terminal.print_json({"written": written, "broken": {item.name: item.message for item in mesh.broken}})
    else:
        for name in written:
            console.print(f"written: {name}")
        for item in mesh.broken:
            errors.print(Text(f"{item.name} is broken: {item.message}", style="red"))
        for problem in refused(mesh):
            errors.print(Text(problem, style="red"))
        if not written and not mesh.broken and not refused(mesh):
            console.print("all generated files are up to date", style="green")
    if mesh.broken or refused(mesh):
        raise typer.Exit(1)


@app.command()
def diff(
    against: Annotated[str, typer.Option("--against", help="A branch, tag or commit.")] = "main",
    strict: Annotated[bool, typer.Option("--strict", help="Also fail while a change needs the judgement of a person.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a pull request.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare contracts with a branch: changes, affected consumers and columns; fails until the versions are bumped."""
    config = Context.load().config
    with merge_base_mesh(config, against) as old:
        products = compare(old, config)
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
def doctor(as_json: JsonOption = False) -> None:
    """Find problems of this machine and this mesh, and print how to fix each."""
    findings = examine(Context.load)
    if as_json:
        terminal.print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            mark = Text("wrong", style="red") if finding.fix else Text("ok   ", style="green")
            console.print(Text.assemble(mark, f"  {finding.what:<16} {finding.seen}"))
            if finding.fix:
                console.print(f"       fix: {finding.fix}")
    if any(finding.fix for finding in findings):
        raise typer.Exit(1)
