"""Arguments and options of several commands, the mesh they work on, and the names that the shell completes them with."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kit.core import KitError

if TYPE_CHECKING:
    from kit.mesh import Context, Mesh, OutputPort

_Named = TypeVar("_Named")

VERSIONS = "a version or its beginning, a day such as 2024-05-01, yesterday, or -1 for the one before"
"""Texts that name a snapshot, for the help of options."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JunitOption = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report for a CI system.")]


def load_context() -> "Context":
    """Return the context of the mesh that a command works on, see `Context.load`; `kit --help` imports no mesh."""
    from kit.mesh import Context

    return Context.load()


Completion = tuple[str, str]
"""A word that completes what was typed, and what the shell prints beside it."""


def complete_products(incomplete: str) -> list[Completion]:
    """Return the names of products and ports that begin with the text."""
    products = [(name, "") for name in _names(lambda mesh: mesh.names) if name.startswith(incomplete)]
    return products + complete_ports(incomplete)


def complete_ports(incomplete: str) -> list[Completion]:
    """Return the names of ports that begin with the text, with the status of those that other products may not read."""
    ports = _names(lambda mesh: mesh.ports)
    return [(port.id, _limit(port)) for port in ports if port.id.startswith(incomplete)]


def complete_offered(context: typer.Context, incomplete: str) -> list[Completion]:
    """Return the names of ports that the product of a new port may read: its own, and those that others offer."""
    product = str(context.params.get("target") or "").partition(".")[0]
    ports = _names(lambda mesh: [port for port in mesh.ports if port.contract.is_offered or port.id.startswith(f"{product}.")])
    return [(port.id, _limit(port)) for port in ports if port.id.startswith(incomplete)]


def _limit(port: "OutputPort") -> str:
    from kit.contracts import NOT_OFFERED

    status = port.contract.status
    return "" if port.contract.is_offered else f"{status}, {NOT_OFFERED[status]}"


def complete_sources(incomplete: str) -> list[str]:
    """Return the names of sources that begin with the text."""
    sources = _names(lambda mesh: [f"{item.name}.{source.name}" for item in mesh.products for source in item.sources])
    return [name for name in sources if name.startswith(incomplete)]


def _names(names_of: "Callable[[Mesh], Iterable[_Named]]") -> "list[_Named]":
    try:
        return list(names_of(load_context().mesh))
    except KitError:
        return []  # outside a mesh nothing is completed, and completion cannot show a message


PortArgument = Annotated[str, typer.Argument(help="A port, such as orders.daily_sales.", autocompletion=complete_ports)]
