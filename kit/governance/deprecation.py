"""The end of deprecated ports: their remaining readers, and the files to delete after the last day."""

from collections.abc import Iterator
from datetime import datetime

from kit.contracts import Finding
from kit.core import read_yaml
from kit.mesh import DESCRIPTOR, DataProduct, Mesh, OutputPort


def check_deprecation(mesh: Mesh, clock: datetime) -> Iterator[Finding]:
    """Find the ports whose last day is before `clock`, and the products that still read them. Builds go on."""
    for product in mesh.products:
        for port in product.ports:
            if port.contract.end_of_life and port.contract.end_of_life < clock.date():
                readers = mesh.readers(port.id)
                yield _ended(product, port, readers)
                newer = product.port(port.contract.major_of or "")
                for reader in readers:
                    yield _still_read(reader, port, newer)


def _ended(product: DataProduct, port: OutputPort, readers: tuple[DataProduct, ...]) -> Finding:
    message = f"'{port.id}' ended on {port.contract.end_of_life}"
    fix = f"delete the port, its {'notebook' if port.notebook else 'model'} and this contract"
    if readers:
        names = ", ".join(f"{reader.name} ({reader.owner}, {reader.owner_contact})" for reader in readers)
        message, fix = f"{message}, and is still read by {names}", f"let them move, then {fix}"
    return Finding.from_error(product.name, read_yaml(port.contract.path).error(["slaProperties"], message), fix)


def _still_read(reader: DataProduct, port: OutputPort, newer: OutputPort | None) -> Finding:
    item = next(item for item in reader.inputs if item.port == port.id)
    document = read_yaml(reader.folder / DESCRIPTOR)
    names = [entry.get("name") for entry in document.data["inputPorts"]]
    fix = f"move to {newer.id} {newer.contract.version}" if newer else "stop reading it"
    version = f"'{item.name}' {item.version} is served by '{port.id}', which" if item.name != item.port else f"'{port.id}'"
    message = f"{version} ended on {port.contract.end_of_life}"
    return Finding.from_error(reader.name, document.error(["inputPorts", names.index(item.name)], message), fix)
