"""Commands for the process that shortens `kit run`: `kit worker status`, `start` and `stop`."""

import typer

from kit.cli.console import console
from kit.cli.options import load_context
from kit.core import KitError, counted

app = typer.Typer(
    help="The process of this environment that has imported what builds need; `kit run` starts it and uses it.",
    no_args_is_help=True,
)


@app.callback()
def options() -> None:
    """The process of this environment that has imported what builds need; `kit run` starts it and uses it."""


@app.command()
def status() -> None:
    """Print whether the worker of this environment runs."""
    from kit.orchestration import handover
    from kit.orchestration import worker as processes

    found = processes.running()
    if found is None:
        console.print("no worker runs; the next `kit run` starts one" if handover.wanted() else _off())
    else:
        process, ready = found
        console.print(f"process {process}" + ("" if ready else ", which imports what builds need; until then `kit run` does"))


@app.command()
def start() -> None:
    """Start the worker of this environment, unless it runs."""
    from kit.orchestration import handover
    from kit.orchestration import worker as processes

    if not handover.wanted():
        raise KitError(_off())
    processes.start(load_context().config.worker_idle_minutes)
    status()


@app.command()
def stop() -> None:
    """End the workers of all environments of this user, each after the builds that it executes."""
    from kit.orchestration.worker import stop as stop_all

    ended = stop_all()
    console.print(f"{counted(len(ended), 'worker')} ended" if ended else "no worker runs")


def _off() -> str:
    return "no worker is used: it needs Linux, and the environment variables KIT_WORKER and CI must not forbid it"
