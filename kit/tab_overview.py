"""What a port is, who stands for it, what it promises and who relies on it."""

from collections import Counter

from kit import markup
from kit.contract import Contract
from kit.markup import Html
from kit.mesh import Mesh
from kit.opened import Opened


def html(opened: Opened) -> Html:
    """The facts of the port in words; of a broken product those that its last snapshot knows."""
    entry, mesh, contract = opened.entry, opened.mesh(), opened.contract()
    facts: dict[str, object] = {name: markup.states(text) for name, text in entry.facts().items() if name != "read it"}
    if contract is not None:
        facts["classification"] = _classification(contract)
        facts["made from"] = _made_from(mesh, entry.id)
    facts["read by"] = _read_by(mesh, entry.id)
    return markup.joined((markup.paragraph(entry.port.description), markup.facts(facts)))


def _classification(contract: Contract) -> str:
    counts = Counter(column.classification or "not classified" for column in contract.columns)
    masked = [column.name for column in contract.columns if column.mask]
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"columns: {told}" + (f"; masked: {', '.join(masked)}" if masked else "")


def _made_from(mesh: Mesh, port_id: str) -> str:
    product = mesh.product(port_id.partition(".")[0])
    port = mesh.port(port_id)
    reads = port.reads if port.notebook else product.inputs
    raw = () if port.notebook else (f"raw data {source.name}" for source in product.sources)
    return f"{', '.join((*raw, *(item.port for item in reads))) or 'nothing'}; by {'a notebook' if port.notebook else 'dbt'}"


def _read_by(mesh: Mesh, port_id: str) -> str:
    readers = [f"{reader.name} ({reader.owner})" for reader in mesh.readers(port_id)]
    return ", ".join(readers) or "no other product"
