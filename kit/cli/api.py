"""`kit.run`: builds from Python, with progress in the notebook cell or the terminal."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from kit.core import KitError
from kit.mesh import Context
from kit.notebooks import RUN_FILE
from kit.orchestration import handover
from kit.orchestration.run import RunReporter, RunResult
from kit.orchestration.run import run as run_selection
from kit.orchestration.run_apart import run_apart
from kit.orchestration.run_origin import RunOrigin


def run(
    *selection: str,
    upstream: bool = False,
    downstream: bool = False,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    partitions: Iterable[str] = (),
    wait: bool = False,
    older_code: bool = False,
    full_refresh: bool = False,
    discard_history: bool = False,
) -> RunResult:
    """Build products (or owners of ports), all of them for no name, and publish them if they keep their contracts.

    Products that are up to date are skipped, unless forced. `parameters` go, by name, to the notebooks that declare them.
    `wait`, `older_code`, `full_refresh` and `discard_history` are the options of `kit run`. Steps are shown while they run, in
    a notebook below the cell. Raises `KitError` when a product fails, after all others are built: no later cell of a notebook
    runs, and readers keep the snapshots they had.

    >>> kit.run("orders", downstream=True)
    >>> kit.run("demand", parameters={"horizon": 14})
    """
    if RUN_FILE in os.environ:
        raise KitError("a build cannot start another one; declare as input what this notebook reads, and it is built before")
    # Where there may be a worker it builds, since it has imported all; the process of a notebook cannot be forked.
    result = (run_apart if handover.wanted() else run_selection)(
        Context.load(), selection=selection, upstream=upstream, downstream=downstream, force=force, parameters=parameters,
        partitions=tuple(partitions), wait=wait, older_code=older_code, full_refresh=full_refresh,
        discard_history=discard_history, reporter=_reporter(),
        origin=RunOrigin("Python", f"kit.run({', '.join(map(repr, selection))})"),
    )  # fmt: skip
    if not result.succeeded:
        messages = [outcome.message for outcome in result.failed if not outcome.busy]
        messages += [f"{item.name} is broken: {item.finding}" for item in result.broken]
        raise KitError("\n".join([*messages, *filter(None, [result.busy])]))
    return result


def _reporter() -> RunReporter:
    """Return the reporter that writes into the current cell, or to the terminal outside a notebook."""
    from kit.cli.reporter import TerminalReporter
    from kit.jupyter import progress

    return progress.CellProgress() if progress.in_notebook() else TerminalReporter()
