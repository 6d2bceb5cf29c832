"""Classification along column lineage: what is made from a column is classified no lower, unless something hides its values."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from kit.contracts import CLASSIFICATIONS, Column, Contract, Finding, level, weakened
from kit.core import KitError, Policy, Where, read_yaml
from kit.lineage import Flow, column_flows, notebook_flows, weaker
from kit.mesh import RAW, Context, DataProduct, OutputPort
from kit.storage import Store

_SENSITIVE = CLASSIFICATIONS.index("confidential")
_AT: Where = ["schema", 0, "properties"]


@dataclass(frozen=True)
class _Origin:
    """A column of a contract that another one comes from; `copied` when it has the very values."""

    name: str
    column: Column
    copied: bool


def check_classification(context: Context) -> Iterator[Finding]:
    """Find columns classified lower than what they are made from, and columns of sources lower than their copies in ports.

    A mask, a summary of many values and an exemption of the policy, with reason and date, permit a lower classification. Ways
    that cannot be followed, as through a model whose columns cannot be resolved, are not judged.
    """
    contracts = {source.contract.id: source.contract for product in context.mesh.products for source in product.sources}
    contracts |= {port.id: port.contract for port in context.mesh.ports}
    columns = {f"{key}.{column.name}": column for key, contract in contracts.items() for column in contract.columns}
    if not any(level(column) for column in columns.values()):
        return
    flows = column_flows(context)
    policy = context.config.policy
    for product in context.mesh.products:
        raised: dict[str, tuple[str, Column]] = {}
        for port in product.ports:
            made = flows if port.notebook is None else _of_notebook(context, product, port)
            for position, column in enumerate(port.contract.columns):
                name = f"{port.id}.{column.name}"
                for origin in _origins(name, columns, made):
                    if _raises(product, column, origin):
                        raised.setdefault(origin.name, (name, column))
                    elif _lowers(product, column, origin) and not (policy and policy.lowered_by(name)):
                        yield _lowered(product, port.contract, position, column, origin)
                        break
        for source in product.sources:
            for position, column in enumerate(source.contract.columns):
                if found := raised.get(f"{source.contract.id}.{column.name}"):
                    name, copy = found
                    message = f"'{column.name}' is {_word(column)}, but its copy {name} is {copy.classification}"
                    fix = f"classify it as {copy.classification} here too, so that no message, sample or quarantine quotes it"
                    yield _finding(product, source.contract, position, message, fix)


def check_weakened(context: Context) -> Iterator[Finding]:
    """Find columns that a contract protects less than that of the published snapshot, without an approval of the policy."""
    store = Store(context.config.storage)
    for product in context.mesh.products:
        snapshot = None
        with suppress(KitError):  # other checks say what is wrong with it
            snapshot = store.current(product.name)
        for port in product.ports:
            path = snapshot.contract(port.name) if snapshot else None
            if path is None or path.read_bytes() == port.contract.path.read_bytes():
                continue
            with suppress(KitError):  # a kit with other rules wrote it
                for message in unapproved(context.config.policy, port.id, Contract.load(path), port.contract):
                    yield Finding(
                        product.name, port.contract.path, None, f"{message}, compared with the published version", APPROVE
                    )


APPROVE = 'keep it, or approve it with [tool.kit.policy.lowered] "PRODUCT.PORT.COLUMN" = { reason = "why", date = 2026-01-31 }'


def unapproved(policy: Policy | None, port: str, old: Contract, new: Contract) -> Iterator[str]:
    """Yield how a new contract protects columns less than the old one, where the policy does not approve it."""
    for name, text in weakened(old, new):
        if not (policy and policy.lowered_by(f"{port}.{name}")):
            yield f"'{name}' is protected less: {text}"


def _word(column: Column) -> str:
    return column.classification or "not classified"


def _is_open(column: Column) -> bool:
    """Whether a person still has to classify a column, which another check reports."""
    return bool(column.classification) and column.classification not in CLASSIFICATIONS


def _raises(product: DataProduct, column: Column, origin: _Origin) -> bool:
    """Whether a source of the product has the values of a sensitive column, and says less about them."""
    own = origin.name.startswith(f"{product.name}.{RAW}.")
    return own and origin.copied and level(column) >= _SENSITIVE and level(origin.column) < level(column)


def _lowers(product: DataProduct, column: Column, origin: _Origin) -> bool:
    """Whether a column says less than its origin, whose values it has in clear."""
    # Masks of ports are applied after all models of their product; those of raw data and of other products before.
    before = not origin.name.startswith(f"{product.name}.") or origin.name.startswith(f"{product.name}.{RAW}.")
    hidden = column.mask is not None or (before and origin.column.mask is not None)
    least = level(origin.column) if column.classification or level(origin.column) >= _SENSITIVE else 0
    return not hidden and not _is_open(column) and level(column) < least


def _lowered(product: DataProduct, contract: Contract, position: int, column: Column, origin: _Origin) -> Finding:
    wanted = origin.column.classification
    message = f"'{column.name}' is {_word(column)}, but comes from {origin.name}, which is {wanted}"
    fix = (
        f"classify it as {wanted}, mask or summarise it, or let the platform exempt it with reason and date in "
        "[tool.kit.policy.lowered]"
    )
    return _finding(product, contract, position, message, fix)


def _origins(name: str, columns: Mapping[str, Column], flows: Mapping[str, tuple[Flow, ...]]) -> Iterator[_Origin]:
    """Yield the nearest columns of contracts that a column has values of, whatever models are between."""
    todo, seen = [Flow(name, "copy")], {name}
    while todo:
        current, way = todo.pop()
        for origin, how in flows.get(current, ()):
            kept = weaker(way, how)
            if kept == "summary" or origin in seen:
                continue
            seen.add(origin)
            if origin in columns:
                yield _Origin(origin, columns[origin], kept == "copy")
            else:
                todo.append(Flow(origin, kept))


def _of_notebook(context: Context, product: DataProduct, port: OutputPort) -> dict[str, tuple[Flow, ...]]:
    """Return the flows into the columns of a port that a notebook makes."""
    inputs = {}
    for item in port.reads:
        with suppress(KitError):  # of a broken product
            inputs[item.name] = item.port, context.mesh.port(item.port).contract
    assert port.notebook is not None
    columns = {name: [column.name for column in contract.columns] for name, (_, contract) in inputs.items()}
    levels = {(name, column.name): level(column) for name, (_, contract) in inputs.items() for column in contract.columns}
    flows: dict[str, tuple[Flow, ...]] = {}
    found = notebook_flows(port.notebook, columns, [column.name for column in port.contract.columns])
    for table, origin, name, how in sorted(found):
        if levels[table, origin] < _SENSITIVE:
            continue  # where it comes from is guessed by names: too little for a column that need not be protected
        flows[f"{port.id}.{name}"] = (*flows.get(f"{port.id}.{name}", ()), Flow(f"{inputs[table][0]}.{origin}", how))
    return flows


def _finding(product: DataProduct, contract: Contract, position: int, message: str, fix: str) -> Finding:
    return Finding.from_error(product.name, read_yaml(contract.path).error([*_AT, position], message), fix)
