"""Arguments and options that several commands take, and what the shell completes them with."""

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from kit.core import Config, KitError
from kit.mesh import Mesh

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def complete_products(incomplete: str) -> list[str]:
    """Names of products and ports that begin so."""
    return [name for name in _names(lambda mesh: mesh.names) + complete_ports(incomplete) if name.startswith(incomplete)]


def complete_ports(incomplete: str) -> list[str]:
    """Names of ports that begin so."""
    return [name for name in _names(lambda mesh: [port.id for port in mesh.ports]) if name.startswith(incomplete)]


def _names(of: Callable[[Mesh], Iterable[str]]) -> list[str]:
    try:
        config = Config.load()
        return list(of(Mesh.load(config.domains, config.cache)))
    except KitError:
        return []  # outside a mesh there is nothing to complete, and no place for a message


PortArgument = Annotated[str, typer.Argument(help="A port, such as orders.daily_sales.", autocompletion=complete_ports)]
