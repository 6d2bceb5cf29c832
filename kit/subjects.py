"""The tables a build judges, each with all that is asked of it."""

from kit.audit import Subject
from kit.contract import Contract
from kit.product import RAW, DataProduct


def subjects(product: DataProduct) -> tuple[list[Subject], list[Subject]]:
    """All tables a build audits: raw sources before it transforms anything, ports before it publishes."""
    raw = [Subject(f"{RAW}.{source.name}", source.contract) for source in product.sources]
    return raw, [Subject(port.name, port.contract, port.suite, port.needs) for port in product.ports]


def quarantining(product: DataProduct) -> dict[str, Contract]:
    """The contracts that set rows aside, by the name of their table."""
    raw, ports = subjects(product)
    return {subject.table: subject.contract for subject in raw + ports if subject.contract.quarantining}
