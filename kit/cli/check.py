"""Commands that check the files of the mesh: `kit check`, `kit sync`, `kit diff`, `kit doctor`."""

from typing import Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console, errors
from kit.cli.options import JsonOption, JunitOption, complete_products, load_context
from kit.core import counted, merge_base_mesh

app = typer.Typer()
_MARKS = {"info": ("ok", "green"), "warning": ("note", "yellow"), "error": ("wrong", "red")}


@app.command()
def check(as_json: JsonOption = False, junit_file: JunitOption = None) -> None:
    """Check every domain folder without building it: files, contracts, ports, graph, suites, notebooks, policy."""
    from kit.governance import check_mesh, scores

    context = load_context()
    mesh = context.mesh
    findings = check_mesh(context)
    wrong = [finding for finding in findings if finding.severity == "error"]
    if junit_file:
        from kit.cli import junit

        junit.write(junit_file, "kit check", junit.check_cases(mesh, wrong))
    if as_json:
        problems = [finding.to_json() for finding in findings]
        terminal.print_json({"problems": problems, "score_card": [score.to_json() for score in scores(context)]})
    else:
        for finding in findings:
            console.print(Text(f"{finding.product}: {finding}", style="red" if finding in wrong else "yellow"))
        if not wrong:
            size = f"{counted(len(mesh.products), 'data product')}, {counted(len(mesh.ports), 'port')}"
            proposals = f", {counted(len(findings), 'proposal')}" if findings else ""
            console.print(f"{size}: nothing wrong{proposals}", style="green")
        terminal.print_scores(scores(context))
    if wrong:
        raise typer.Exit(1)


@app.command()
def sync(
    as_json: JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; print the differences and fail when there are any.")
    ] = False,
) -> None:
    """Write the generated files that are committed: dbt YAML, suites and tables of contracts, catalogs, the lineage picture."""
    from kit.sync import check_writable, drifts
    from kit.sync import sync as sync_files

    context = load_context()
    mesh = context.mesh
    refused = check_writable(context)
    if check:
        differences = drifts(context) + [str(finding) for finding in (*refused, *(item.finding for item in mesh.broken))]
        if as_json:
            terminal.print_json({"differs": differences})
        else:
            for text in differences:
                typer.echo(text)
        raise typer.Exit(1 if differences else 0)
    written = [str(path.relative_to(context.config.root)) for path in sync_files(context)]
    if as_json:
        terminal.print_json({"written": written, "broken": {item.name: str(item.finding) for item in mesh.broken}})
    else:
        for name in written:
            console.print(f"written: {name}")
        for item in mesh.broken:
            errors.print(Text(f"{item.name} is broken: {item.finding}", style="red"))
        for finding in refused:
            errors.print(Text(str(finding), style="red"))
        if not written and not mesh.broken and not refused:
            console.print("all generated files are up to date", style="green")
    if mesh.broken or refused:
        raise typer.Exit(1)


@app.command()
def diff(
    against: Annotated[str, typer.Option("--against", help="A branch, tag or commit.")] = "main",
    strict: Annotated[bool, typer.Option("--strict", help="Also fail while a change needs the judgement of a person.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a pull request.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare contracts with a branch: changes, affected consumers and columns; fails until the versions are bumped."""
    from kit.cli import diff_text
    from kit.governance import diff as compare

    config = load_context().config
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
def verify(
    products: Annotated[
        list[str] | None, typer.Argument(help="Products; all without.", autocompletion=complete_products)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Compare every snapshot, not only the current one.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare published and raw data with the checksums they were written with, and read the records of the storage."""
    from kit.governance import Verification

    context = load_context()
    verification = Verification(context.config)
    for name in products or context.mesh.names:
        if name not in context.mesh.names:
            context.mesh.product(name)
        verification.product(name, every=every)
    if not products:
        verification.storage()
    if as_json:
        problems = [finding.to_json() for finding in verification.findings]
        terminal.print_json({"files": verification.files, "problems": problems})
    else:
        for finding in verification.findings:
            console.print(Text(f"{finding.product}: {finding}", style="red"))
        if not verification.findings:
            console.print(f"{counted(verification.files, 'file')}: as published", style="green")
    if verification.findings:
        raise typer.Exit(1)


@app.command()
def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Repair pointers, catalogs, run records, the index and Dagster's home first."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find problems of this machine and this mesh, and print how to fix each."""
    from kit.governance import examine, repair

    findings = [*(repair(load_context()) if fix else ()), *examine(load_context)]
    if as_json:
        terminal.print_json(
            [{"what": item.product, "seen": item.located, "fix": item.fix, "severity": item.severity} for item in findings]
        )
    else:
        for finding in findings:
            word, style = _MARKS[finding.severity]
            console.print(Text.assemble(Text(f"{word:<5}", style=style), f"  {finding.product:<16} {finding.located}"))
            if finding.fix:
                console.print(f"       fix: {finding.fix}")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)
