"""Commands that change snapshots: `kit run`, `kit rollback`, `kit prune`.

Each imports what it calls, as in all modules of commands: every command loads them.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kit.cli import console as terminal
from kit.cli.console import console, errors
from kit.cli.options import VERSIONS, JsonOption, JunitOption, complete_products, load_context
from kit.core import Interruption, NotebookError, UnknownName, ended_after_signal, interrupt_reason

if TYPE_CHECKING:
    from kit.build import Listener
    from kit.mesh import Context

app = typer.Typer()

_END_SECONDS = 1


@app.command()
def run(
    selection: Annotated[
        list[str] | None, typer.Argument(help="Products or ports; all without.", autocompletion=complete_products)
    ] = None,
    downstream: Annotated[bool, typer.Option("--downstream", help="Also build the products that read them.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", help="Also build the products that they read.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Build even when nothing changed.")] = False,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--param", help="NAME=VALUE for their notebooks.")] = None,
    partition: Annotated[list[str] | None, typer.Option("--partition", help="Build only this partition.")] = None,
    trial: Annotated[
        bool, typer.Option("--trial", help="Build one product with every combination of the given values, publish nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another run that builds the same product.")] = False,
    older_code: Annotated[
        bool, typer.Option("--older-code", help="Replace snapshots made by newer code, or by that of another branch.")
    ] = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Read all rows of sources again, and make all rows of incremental models.")
    ] = False,
    discard_history: Annotated[
        bool, typer.Option("--discard-history", help="Begin the history of dbt snapshots anew.")
    ] = False,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Neither use nor start the process that has imported all.")
    ] = False,
    as_json: JsonOption = False,
    junit_file: JunitOption = None,
) -> None:
    """Build products and publish them if they keep their contracts; products that are up to date are skipped."""
    from kit.orchestration import worker

    if _answers_call():
        return
    values, partitions = _values(parameter or ()), tuple(partition or ())
    if trial and junit_file:
        raise typer.BadParameter("a trial has no JUnit report", param_hint="--junit")
    if trial:
        _try(load_context(), selection or (), values, partitions, as_json, upstream=upstream, downstream=downstream)
        return
    with _ending_when_interrupted():
        from kit.cli.reporter import reporter
        from kit.orchestration.run import run as run_selection
        from kit.orchestration.run_origin import RunOrigin
        from kit.storage import statuses

        context = load_context()
        if several := next((name for name, texts in values.items() if len(texts) > 1), None):
            raise NotebookError(
                f"'{several}' is given {len(values[several])} values, and a product is published with one; "
                "leave one, or try them all with --trial"
            )
        result = run_selection(
            context, selection or (), upstream=upstream, downstream=downstream, force=force,
            parameters={name: texts[0] for name, texts in values.items()}, partitions=partitions,
            wait=wait, older_code=older_code, full_refresh=full_refresh, discard_history=discard_history,
            reporter=reporter(as_json), at_once=True, origin=RunOrigin.from_command_line(),
        )  # fmt: skip
    if not no_worker:
        worker.start(context.config.worker_idle_minutes)  # now: while the builds ran, it would have taken time from them
    if junit_file:
        from kit.cli import junit

        junit.write(junit_file, "kit run", junit.run_cases(result))
    for item in result.broken:
        errors.print(Text(f"{item.name} is broken: {item.finding}", style="red"))
    if as_json:
        terminal.print_json(result.to_json())
    elif not selection:
        console.print()
        terminal.print_status(statuses(context))
        terminal.print_next(context.mesh, [outcome.product for outcome in result.failed if not outcome.busy])
    if result.busy:
        errors.print(Text(result.busy, style="red"))
    if not result.succeeded:
        raise typer.Exit(1)


def _answers_call() -> bool:
    """Execute the run of a `kit.run()` that started this process; returns whether one did."""
    from kit.orchestration import worker

    with _ending_when_interrupted():
        from kit.orchestration import run_apart

        if caller := run_apart.called():
            context = run_apart.answer(caller)
    if caller:
        worker.start(context.config.worker_idle_minutes)
    return caller is not None


@contextmanager
def _ending_when_interrupted() -> Iterator[None]:
    """End this process within seconds after a signal, whatever the block does then; nothing is published after it."""
    received: list[int] = []
    with Interruption() as interruption:
        try:
            with terminal.direct_output(), ended_after_signal(_END_SECONDS, _print_interrupted) as received:
                yield
        except (KeyboardInterrupt, Exception) as error:
            for number in received:  # Dagster has handlers of its own during a step, and does not say which signal it was
                interruption.note(number)
            # A library may swallow the interrupt, and then fail by what it broke off: an import, a build.
            if isinstance(error, Exception) and not interruption.requested:
                raise
            interruption.ignore()
            _print_interrupted(str(error) if isinstance(error, KeyboardInterrupt) else "")
            if interruption.requested:  # a thread of a library may hold this process up
                end = threading.Timer(_END_SECONDS, os._exit, (interruption.code,))
                end.daemon = True
                end.start()
            raise typer.Exit(interruption.code) from None


def _print_interrupted(reason: str = "") -> None:
    errors.print(f"{reason or interrupt_reason() or 'interrupted'}; readers keep the snapshots they had")


def _values(parameter: Iterable[str]) -> dict[str, list[str]]:
    """Return the distinct values of each parameter; raises `BadParameter` for text that is not NAME=VALUE."""
    values: dict[str, list[str]] = {}
    for text in parameter:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"'{text}' is not NAME=VALUE", param_hint="-p")
        if value not in values.setdefault(name, []):
            values[name].append(value)
    return values


def _try(
    context: "Context", selection: Iterable[str], values: dict[str, list[str]], partitions: tuple[str, ...], as_json: bool, *,
    upstream: bool, downstream: bool,
) -> None:  # fmt: skip
    """Try one product with each combination of values, and print the result of each."""
    from kit.build import trials
    from kit.cli.reporter import reporter

    products = context.mesh.select(selection, upstream=upstream, downstream=downstream)
    finished = []
    try:
        for trial in trials(context.config, products, values, partitions, reporter(as_json).progress):
            finished.append(trial)
            if trial.message and not as_json:
                parameters = ", ".join(f"{name}={value}" for name, value in trial.parameters.items())
                errors.print(Text(f"{parameters}: {trial.message}" if parameters else trial.message, style="red"))
    except KeyboardInterrupt:
        errors.print("interrupted; nothing was published")
        raise typer.Exit(130) from None
    if as_json:
        terminal.print_json([trial.to_json() for trial in finished])
    else:
        terminal.print_trials(finished)
    if any(not trial.passed for trial in finished):
        raise typer.Exit(1)


@app.command(context_settings={"ignore_unknown_options": True})  # -1 is a version
def rollback(
    product: Annotated[str, typer.Argument(help="A product.", autocompletion=complete_products)],
    version: Annotated[str, typer.Argument(help=f"The snapshot: {VERSIONS}.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; `kit history`, `kit status` and the catalog show it.")] = "",
) -> None:
    """Make another published snapshot of a product the current one, for all its ports at once."""
    from kit.storage import Store, current_user, index

    context = load_context()
    store = Store(context.config.storage)
    name, dot, port = product.partition(".")
    if dot and (store.read_pointer(name) or name in context.mesh.names):
        raise UnknownName(f"'{port}' moves with all ports of its product: `kit rollback {name} {version}`")
    if store.read_pointer(product) is None:
        context.mesh.product(product)
    snapshot = store.rollback(product, version, user=current_user(), reason=" ".join(reason.split()))
    index.write(context)
    _notify(context, lambda listener: listener.moved(context.config, product))
    hours = (datetime.now(UTC) - snapshot.created_at).total_seconds() / 3600
    console.print(f"{product} now serves {snapshot.version}, published {hours:.1f} hours ago", style="green")


@app.command()
def prune(
    selection: Annotated[
        list[str] | None, typer.Argument(help="Products; all of the mesh without.", autocompletion=complete_products)
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", help="How many snapshots and runs of each product to keep.", min=1)
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--everything", help="Delete all that the storage and Dagster hold of products without a domain folder."),
    ] = False,
    personal: Annotated[
        bool,
        typer.Option("--personal", help="Delete what is older than the build that first hid a personal or masked column."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete old snapshots and runs; never the current snapshot nor one that is being read."""
    from kit.orchestration.instance import forget_product, prune_runs
    from kit.storage import index, remains
    from kit.storage import prune as prune_products

    if personal:
        if keep is not None or everything:
            raise typer.BadParameter("--personal excludes --keep and --everything")
        _prune_personal(selection or [], dry_run=dry_run, as_json=as_json)
        return
    if (keep is None) != everything:
        raise typer.BadParameter("Missing option '--keep'" if keep is None else "--keep and --everything exclude each other")
    context = load_context()
    config, mesh = context.config, context.mesh
    names = remains.select(config, mesh.names, selection or ())
    runs = 0
    if keep is None:
        if not names:
            raise typer.BadParameter("name the products whose domain was removed", param_hint="--everything")
        if present := next((name for name in names if name in mesh.names), None):
            raise typer.BadParameter(f"'{present}' has a folder below domains; remove that first", param_hint="--everything")
        result = {name: remains.remove(config, name, dry_run=dry_run) for name in names}
        if not dry_run:
            runs = sum(forget_product(config, name) for name in names if not result[name].problem)
            index.write(context)
    else:
        result = prune_products(context, keep, names, dry_run=dry_run)
        runs = prune_runs(config, keep, names, dry_run=dry_run)
    for name, pruned in result.items():
        if not dry_run and (pruned.deleted or keep is None):
            _notify(context, lambda listener, name=name: listener.pruned(config, name))  # type: ignore[misc]
    if as_json:
        terminal.print_json({name: [vars(item) for item in pruned.snapshots] for name, pruned in result.items()})
    else:
        terminal.print_pruned(result, runs, dry_run=dry_run)
    problems = {name: pruned.problem for name, pruned in result.items() if pruned.problem}
    for name, problem in problems.items():
        errors.print(Text(f"{name} was not pruned: {problem}", style="red"))
    if not names and (others := remains.without_domain(config, mesh.names)):
        errors.print(Text(f"not touched, since this repository has no domain of them: {', '.join(others)}; "
                          f"`kit prune {' '.join(others)} --everything` removes all of them", style="yellow"))  # fmt: skip
    if problems:
        raise typer.Exit(1)


def _prune_personal(selection: list[str], *, dry_run: bool, as_json: bool) -> None:
    """Delete what may show values of columns that were classified later; exit with 1 when something stays."""
    from kit.governance import check_value_lists
    from kit.orchestration.late_removal import remove_shown, unhidden
    from kit.storage import shown_before

    context = load_context()
    names = frozenset(context.mesh.product(name).name for name in selection)
    if dry_run:
        found = [(item, unhidden(item)) for item in shown_before(context) if not names or item.product in names]
    else:
        found = list(remove_shown(context, names))
    lists = [finding for finding in check_value_lists(context) if not names or finding.product in names]
    if as_json:
        terminal.print_json([{**vars(item), "problem": problem} for item, problem in found])
    for item, problem in found:
        columns = ", ".join(item.columns)
        if item.since and not as_json:
            verb = "would be deleted" if dry_run else "not all deleted" if problem else "deleted"
            console.print(f"{item.product}: {item} {verb}, older than the hiding of {columns}")
        if problem:
            errors.print(Text(f"{item.product}: {problem}", style="red"))
    for finding in lists:
        errors.print(Text(f"{finding.product}: not edited: {finding}", style="yellow"))
    if not found and not lists and not as_json:
        console.print("nothing is left from before a column was classified", style="green")
    if any(problem for _, problem in found):
        raise typer.Exit(1)


def _notify(context: "Context", event: "Callable[[Listener], None]") -> None:
    """Call the listeners; one that fails is a line on standard error."""
    from kit.build import notify

    for line in notify(context.config, event):
        errors.print(Text(line, style="yellow"))
