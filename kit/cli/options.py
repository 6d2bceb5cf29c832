"""Arguments and options of several commands, the mesh they work on, and the names that the shell completes them with."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.core import KitError

if TYPE_CHECKING:
    from kit.mesh import Context, Mesh

VERSIONS = "a version or its beginning, a day such as 2024-05-01, yesterday, or -1 for the one before"
"""Texts that name a snapshot, for the help of options."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JunitOption = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report for a CI system.")]


def load_context() -> "Context":
    """Return the context of the mesh that a command works on, see `Context.load`; `kit --help` imports no mesh."""
    from kit.mesh import Context

    return Context.load()


def complete_products(incomplete: str) -> list[str]:
    """Return the names of products and ports that begin with the text."""
    return [name for name in _names(lambda mesh: mesh.names) + complete_ports(incomplete) if name.startswith(incomplete)]


def complete_ports(incomplete: str) -> list[str]:
    """Return the names of ports that begin with the text."""
    return [name for name in _names(lambda mesh: [port.id for port in mesh.ports]) if name.startswith(incomplete)]


def complete_sources(incomplete: str) -> list[str]:
    """Return the names of sources that begin with the text."""
    sources = _names(lambda mesh: [f"{item.name}.{source.name}" for item in mesh.products for source in item.sources])
    return [name for name in sources if name.startswith(incomplete)]


def _names(names_of: "Callable[[Mesh], Iterable[str]]") -> list[str]:
    try:
        return list(names_of(load_context().mesh))
    except KitError:
        return []  # outside a mesh nothing is completed, and completion cannot show a message


PortArgument = Annotated[str, typer.Argument(help="A port, such as orders.daily_sales.", autocompletion=complete_ports)]
