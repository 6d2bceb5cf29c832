"""Where data products break the policy of the mesh: each place in one sentence with its fix."""

import re
from collections.abc import Iterator

from kit.contracts import Column, Contract
from kit.core import Policy, Where, read_yaml
from kit.mesh import DESCRIPTOR, DataProduct, Mesh

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def problems(policy: Policy | None, mesh: Mesh) -> Iterator[tuple[str, str]]:
    """All violations, as pairs of product (or file) name and message; none without a policy."""
    if policy is None:
        return
    for product in mesh.products:
        if policy.owner_email and not has_email(product):
            contact = f"'{product.owner_contact}' is no e-mail address; write the owner's as username"
            yield product.name, str(read_yaml(product.folder / DESCRIPTOR).error(["team"], contact))
        for source in product.sources:
            if policy.classified:
                yield from _told(product, source.contract, _unclassified(source.contract))
        for port in product.ports:
            yield from _told(product, port.contract, _port(policy, port.contract))
    personal = [f"{port.id}.{column.name}" for port in mesh.ports for column in port.contract.columns if plain(column)]
    used = {policy.exemption(column) for column in personal}
    # A broken product may be the one an exemption is for.
    for pattern in policy.unmasked if not mesh.broken else ():
        if pattern not in used:
            told = f"[tool.kit.policy] unmasked: '{pattern}' exempts no column that is personal and not masked; delete it"
            yield "pyproject.toml", told


def has_email(product: DataProduct) -> bool:
    """Whether the owner can be written to."""
    return _EMAIL.fullmatch(product.owner_contact) is not None


def plain(column: Column) -> bool:
    """Whether a column would show personal values to readers."""
    return column.classification == "personal" and column.mask is None


def _told(product: DataProduct, contract: Contract, found: Iterator[tuple[Where, str]]) -> Iterator[tuple[str, str]]:
    for where, problem in found:
        yield product.name, str(read_yaml(contract.path).error(where, problem))


def _port(policy: Policy, contract: Contract) -> Iterator[tuple[Where, str]]:
    columns = contract.columns
    empty = [column.name for column in columns if not column.description]
    if len(empty) > (1 - policy.described) * len(columns) + 1e-9:
        share = f"{len(columns) - len(empty)} of {len(columns)} columns have a description, the policy asks for"
        yield [*_AT, _position(contract, empty[0])], f"{share} {policy.described:.0%}; describe: {', '.join(empty)}"
    if policy.classified:
        yield from _unclassified(contract)
    if policy.keys and not contract.key:
        yield _AT, "no column is marked as its key; write 'primaryKey: true' at those that tell rows apart"
    for level in policy.service_levels:
        if getattr(contract.sla, level) is None:
            yield ["slaProperties"], f"states no {level}; add '{{property: {level}, value: 1, unit: d}}' with what is true"
    yield from _names(policy, contract)
    for position, column in enumerate(columns):
        name = f"{contract.id}.{column.name}"
        if plain(column) and policy.exemption(name) is None:
            todo = "mask it with customProperties: [{property: mask, value: hmac}], or let the platform exempt it with a reason"
            yield [*_AT, position], f"'{column.name}' is personal and published as it is; {todo}"


_AT: Where = ["schema", 0, "properties"]


def _position(contract: Contract, name: str) -> int:
    return [column.name for column in contract.columns].index(name)


def _unclassified(contract: Contract) -> Iterator[tuple[Where, str]]:
    names = [column.name for column in contract.columns if column.classification is None]
    if names:
        allowed = "public, internal, confidential or personal"
        yield [*_AT, _position(contract, names[0])], f"without a classification: {', '.join(names)}; write {allowed}"


def _names(policy: Policy, contract: Contract) -> Iterator[tuple[Where, str]]:
    if not re.fullmatch(policy.names["port"], contract.table):
        yield ["schema", 0, "name"], f"'{contract.table}' does not match {policy.names['port']}, as the names of ports do"
    for position, column in enumerate(contract.columns):
        kind = "key" if column.type == "bigint" and column.name in contract.key else column.type.partition(" ")[0]
        pattern = policy.names.get(kind, "")
        if pattern and not re.fullmatch(pattern, column.name):
            what = f"the name of a {kind} column" if kind != "key" else "the name of a key"
            yield [*_AT, position, "name"], f"'{column.name}' does not match {pattern}, as {what} does; rename it"
