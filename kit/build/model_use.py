"""The language models that the notebooks of a product ask, and the ports whose rows they may send."""

from collections.abc import Iterator, Mapping

from kit.contracts import Contract
from kit.core import Config, KitError, ModelSettings
from kit.language_models import SentPort
from kit.lineage import InputRead, notebook_reads
from kit.mesh import DataProduct, OutputPort
from kit.storage import Pin


def model_questions(product: DataProduct, port: OutputPort) -> tuple[InputRead, ...]:
    """Return where the notebook of a port asks language models, by name; none of a notebook that cannot be read."""
    if port.notebook is None:
        return ()
    try:
        return notebook_reads(port.notebook, product.name, product.folder, {}).asks
    except KitError:  # a finding of `safety_findings`
        return ()


def asked_models(config: Config, product: DataProduct, port: OutputPort) -> list[ModelSettings]:
    """Return the models that the notebook of a port may ask, by their names in its text."""
    asks = model_questions(product, port) if config.models else ()
    return [settings for name, settings in sorted(config.models.items()) if any(ask.matches(name) for ask in asks)]


def model_code(config: Config, product: DataProduct) -> dict[str, list[str]]:
    """Return, for each port whose notebook asks models, what determines their answers: another model makes other rows."""
    asked = {port.name: [model.digest() for model in asked_models(config, product, port)] for port in product.ports}
    return {name: digests for name, digests in asked.items() if digests}


def sent_ports(product: DataProduct, port: OutputPort, pins: Mapping[str, Pin], key: str | None) -> Iterator[SentPort]:
    """Yield the ports whose rows the notebook of `port` may send to a model, with the contracts under which they are read.

    Of an input that is not cut by partition, and of a product without partitions, these are all rows.
    """
    cut = product.partitions.inputs if product.partitions and key else {}
    for item in port.reads:
        own = product.port(item.port.partition(".")[2]) if item.product == product.name else None
        if own:
            masked = tuple(column.name for column in own.contract.masked_columns)
            yield SentPort(item.name, own.contract.model_endpoints, key, masked)
        else:
            yield pinned_port(item.name, pins[item.name], key if item.name in cut else None)


def pinned_port(name: str, pin: Pin, key: str | None = None) -> SentPort:
    """Return an input as it may be sent, under the contract that it was published with."""
    path = pin.snapshot.contract(pin.port.partition(".")[2])
    try:
        return SentPort(name, Contract.load(path).model_endpoints if path else None, key)
    except KitError:  # a kit with other rules wrote it
        return SentPort(name, None, key)
