"""Tying products together: each input to the port that serves it."""

from collections.abc import Mapping
from dataclasses import replace

from kit import majors
from kit.needs import Need
from kit.product import DataProduct, InputPort


def served(item: InputPort, provider: DataProduct) -> str | None:
    """The id of the provider's port that serves an input, perhaps the one that keeps an older version; None for none."""
    offered = {port.name: port.contract.version for port in provider.ports}
    name = majors.serving(item.name.partition(".")[2], item.version, offered)
    return f"{provider.name}.{name}" if name else None


def resolved(product: DataProduct, products: Mapping[str, DataProduct]) -> DataProduct:
    """The product with the ports that serve it as its inputs; those of a provider in error stay as they are declared."""

    def port(item: InputPort) -> InputPort:
        found = served(item, products[item.product]) if item.product in products else None
        return replace(item, port=found, called=item.port) if found and found != item.port else item

    ports = tuple(replace(made, reads=tuple(map(port, made.reads))) for made in product.ports)
    return replace(product, inputs=tuple(map(port, product.inputs)), ports=ports)


def needed(products: Mapping[str, DataProduct]) -> dict[str, DataProduct]:
    """The products with, at each of their ports, what the readers it serves state they need of it."""
    stated: dict[str, list[Need]] = {}
    for product in products.values():
        for item in product.inputs:
            stated.setdefault(item.port, []).extend(need for need in product.needs if need.port == item.name)

    def told(product: DataProduct) -> DataProduct:
        ports = tuple(replace(port, needs=tuple(stated.get(port.id, ()))) for port in product.ports)
        return replace(product, ports=ports) if ports != product.ports else product

    return {name: told(product) for name, product in products.items()}
