"""Commands that run servers until Ctrl-C: `kit dev` and `kit lab`."""

from contextlib import AbstractContextManager
from typing import Annotated

import typer
from rich.text import Text

from kit.cli.console import console
from kit.cli.options import load_context
from kit.core import Config, Server

app = typer.Typer()
serve = typer.Typer(help="Serve published ports by other systems.", no_args_is_help=True)
app.add_typer(serve, name="serve")


@serve.callback()
def options() -> None:
    """Serve published ports by other systems."""


@serve.command()
def postgres(
    to: Annotated[str, typer.Option("--to", help="The environment variable with the address of the database.")],
    ports: Annotated[list[str] | None, typer.Argument(help="Products or ports; all without.")] = None,
) -> None:
    """Make tables of a PostgreSQL database of the current snapshots, as far as they have changed."""
    from kit.exchange.postgres import push

    context = load_context()
    context.mesh.select(ports or [])
    for line in push(context.config, to, ports or ()):
        console.print(Text(line))


@app.command()
def dev(
    port: Annotated[int, typer.Option("--port", help="Port of the web UI, on loopback; 0 for any.", min=0, max=65535)] = 3000,
) -> None:
    """Run Dagster for the mesh: web UI, schedules and automation, until Ctrl-C."""
    from kit.orchestration.dev_server import dagster

    config = load_context().config
    server = dagster(config, port)
    console.print("Starting Dagster (code server, web server, daemon) …")
    _serve(server, config)


@app.command()
def lab(
    port: Annotated[int, typer.Option("--port", help="Port of JupyterLab, on loopback; 0 for any.", min=0, max=65535)] = 8888,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Run JupyterLab for the mesh until Ctrl-C; prints the address when it runs already."""
    from kit.jupyter import lab as jupyterlab

    config = load_context().config
    if address := jupyterlab.place(config).address:
        console.print(f"JupyterLab runs already for this mesh ({jupyterlab.place(config).owner}):")
        _print_address(address)
        return
    console.print("Starting JupyterLab …")
    _serve(jupyterlab.lab(config, port, browser=not no_browser), config)


def _serve(server: AbstractContextManager[Server], config: Config) -> None:
    """Run a server until it is interrupted, and beside it the worker, for the builds that people start."""
    from kit.orchestration import worker

    try:
        with server as running:
            worker.start(config.worker_idle_minutes)
            _print_address(running.address)
            console.print(f"Ctrl-C stops it. Logs: {running.processes.logs}", style="dim")
            running.watch()
    except KeyboardInterrupt:
        console.print("stopped", style="dim")


def _print_address(address: str) -> None:
    console.print(Text(f"\n  {address}\n", style="bold green"))
