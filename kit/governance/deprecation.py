"""The end of deprecated ports: who still reads them, and what is to be done when their last day is over."""

from collections.abc import Iterator
from datetime import datetime

from kit.core import read_yaml
from kit.mesh import DESCRIPTOR, DataProduct, Mesh, OutputPort


def problems(mesh: Mesh, clock: datetime) -> Iterator[tuple[str, str]]:
    """What is left of ports whose last day is before `clock`, as pairs of product name and message. Builds go on."""
    for product in mesh.products:
        for port in product.ports:
            if port.contract.end_of_life and port.contract.end_of_life < clock.date():
                readers = mesh.readers(port.id)
                yield product.name, _over(port, readers)
                newer = product.port(port.contract.major_of or "")
                for reader in readers:
                    yield reader.name, _still_read(reader, port, newer)


def _over(port: OutputPort, readers: tuple[DataProduct, ...]) -> str:
    ended = f"'{port.id}' ended on {port.contract.end_of_life}"
    makes = "notebook" if port.notebook else "model"
    if readers:
        names = ", ".join(f"{reader.name} ({reader.owner}, {reader.owner_contact})" for reader in readers)
        todo = f"it is still read by {names}; let them move, then delete the port, its {makes} and this contract"
    else:
        todo = f"delete the port, its {makes} and this contract"
    return str(read_yaml(port.contract.path).error(["slaProperties"], f"{ended}: {todo}"))


def _still_read(reader: DataProduct, port: OutputPort, newer: OutputPort | None) -> str:
    item = next(item for item in reader.inputs if item.port == port.id)
    document = read_yaml(reader.folder / DESCRIPTOR)
    names = [entry.get("name") for entry in document.data["inputPorts"]]
    move = f"move to {newer.id} {newer.contract.version}" if newer else "stop reading it"
    problem = f"'{item.name}' {item.version} is served by '{port.id}', which" if item.name != item.port else f"'{port.id}'"
    return str(
        document.error(["inputPorts", names.index(item.name)], f"{problem} ended on {port.contract.end_of_life}; {move}")
    )
