"""The `kit` command, put together from its groups of commands."""

import io
import sys
from contextlib import suppress
from typing import Annotated

import typer
from rich.text import Text

from kit.cli import build, check, contract, erase, export, new, notebook, promote, read, serve, source, worker
from kit.cli.console import console, errors
from kit.cli.help_texts import with_plain_help
from kit.core import PLAIN, Config, KitError, Secrets, __version__, machine_problem, mask_key_hidden, scrubbed_streams

EXIT_CODES = "Exit codes: 0 done, 1 something failed or is wrong, 2 wrong usage or nothing to compare with, 130 interrupted."

app = typer.Typer(
    help="Build, publish and read the data products of this mesh.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (new.app, promote.app, build.app, erase.app, read.app, check.app, serve.app):
    app.add_typer(group)
app.add_typer(contract.app, name="contract")
app.add_typer(export.app, name="export")
app.add_typer(notebook.app, name="notebook")
app.add_typer(source.app, name="source")
app.add_typer(worker.app, name="worker")
with_plain_help(app)


def _print_version(requested: bool) -> None:
    if requested:
        console.print(f"kit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Build, publish and read the data products of this mesh."""


def main() -> None:
    """Run the command line; an error that its user can act on is one message and its exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)  # the texts of help and usage errors are not those of `console`
    try:
        with mask_key_hidden(), scrubbed_streams() as scrub:
            with suppress(KitError):  # outside of a mesh nothing names secrets
                scrub(Secrets.from_environment(Config.load()))
            app()
    except KitError as error:
        errors.print(Text(f"error: {error}", style="red"))
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if not (problem := machine_problem(error)):
            raise
        errors.print(Text(f"error: {problem}", style="red"))
        raise SystemExit(1) from None
