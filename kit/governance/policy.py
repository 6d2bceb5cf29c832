"""The policy of the mesh: rules that the descriptors and contracts of all products must keep."""

import re
from collections.abc import Iterator
from dataclasses import replace

from kit.contracts import Column, Contract, Finding, is_date_part, is_measure
from kit.core import Policy, Where, read_yaml
from kit.mesh import DESCRIPTOR, DataProduct, Mesh

_Violation = tuple[Where, str, str]  # place in a contract, message, fix
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def check_policy(policy: Policy | None, mesh: Mesh) -> Iterator[Finding]:
    """Find all violations of the policy, and its exemptions that exempt nothing, as warnings; none without a policy."""
    if policy is None:
        return
    for product in mesh.products:
        if policy.owner_email and not has_email(product):
            error = read_yaml(product.folder / DESCRIPTOR).error(["team"], f"'{product.owner_contact}' is no e-mail address")
            yield Finding.from_error(product.name, error, "write the owner's as username")
        contracts = [(source.contract, _unclassified(source.contract)) for source in product.sources if policy.classified]
        contracts += [(port.contract, _port(policy, port.contract)) for port in product.ports]
        for contract, violations in contracts:
            document = read_yaml(contract.path)
            for where, message, fix in violations:
                yield Finding.from_error(product.name, document.error(where, message), fix)
        for port in product.ports:
            yield from _names(policy, product.name, port.contract)
    personal = [f"{port.id}.{column.name}" for port in mesh.ports for column in port.contract.columns if is_unmasked(column)]
    used = {policy.exemption(column) for column in personal}
    unusual = {policy.name_exemption(name) for port in mesh.ports for name, *_ in _unusual_names(policy, port.contract)}
    # A broken product may be the one an exemption is for.
    for setting, patterns, needed, kind in (
        ("unmasked", policy.unmasked, used, "no column that is personal and not masked"),
        ("other_names", policy.other_names, unusual, "no name that differs from `names`"),
    ):
        for pattern in patterns if not mesh.broken else ():
            if pattern not in needed:
                message = f"[tool.kit.policy] {setting}: '{pattern}' exempts {kind}"
                yield Finding("pyproject.toml", None, None, message, "delete it when no product needs it", severity="warning")


def relaxations(old: Policy | None, new: Policy | None) -> list[str]:
    """Return how a policy asks for less than the old one, where no entry `policy.SETTING` of `lowered` approves it."""
    if old is None:
        return []
    if new is None:
        return ["[tool.kit.policy] is gone; keep it, and relax single settings with a reason and a date"]
    relaxed = {
        **{name: getattr(old, name) and not getattr(new, name) for name in ("owner_email", "classified", "keys")},
        "described": new.described < old.described,
        "service_levels": not {*old.service_levels} <= {*new.service_levels},
    }
    names = [name for name, is_less in relaxed.items() if is_less and not new.lowered_by(f"policy.{name}")]
    fix = 'approve it with [tool.kit.policy.lowered] "policy.{}" = {{ reason = "why", date = 2026-01-31 }}'
    return [f"'{name}' is relaxed; {fix.format(name)}" for name in names]


def has_email(product: DataProduct) -> bool:
    """Return whether the contact of the owner is an e-mail address."""
    return _EMAIL.fullmatch(product.owner_contact) is not None


def is_unmasked(column: Column) -> bool:
    """Return whether a column publishes personal values without a mask."""
    return column.classification == "personal" and column.mask is None


def _port(policy: Policy, contract: Contract) -> Iterator[_Violation]:
    columns = contract.columns
    empty = [column.name for column in columns if not column.description]
    if len(empty) > (1 - policy.described) * len(columns) + 1e-9:
        share = f"{len(columns) - len(empty)} of {len(columns)} columns have a description, the policy asks for"
        yield [*_AT, _position(contract, empty[0])], f"{share} {policy.described:.0%}", f"describe: {', '.join(empty)}"
    if policy.classified:
        yield from _unclassified(contract)
    if policy.keys and not contract.key:
        yield _AT, "no column is marked as its key", "write 'primaryKey: true' at the columns that identify a row"
    for level in policy.service_levels:
        if getattr(contract.sla, level) is None:
            yield ["slaProperties"], f"states no {level}", f"add '{{property: {level}, value: 1, unit: d}}' with the true value"
    for position, column in enumerate(columns):
        if column.type == "bigint" and column.name in contract.key and is_measure(column.name):
            message = f"'{column.name}' is in the key, but named as a measure, which identifies no row"
            yield [*_AT, position, "name"], message, "write 'primaryKey: true' at the columns that identify a row, and not here"
        name = f"{contract.id}.{column.name}"
        if is_unmasked(column) and policy.exemption(name) is None:
            fix = "mask it with customProperties: [{property: mask, value: hmac}], or let the platform exempt it with a reason"
            yield [*_AT, position], f"'{column.name}' is personal and published without a mask", fix


_AT: Where = ["schema", 0, "properties"]


def _position(contract: Contract, name: str) -> int:
    return [column.name for column in contract.columns].index(name)


def _unclassified(contract: Contract) -> Iterator[_Violation]:
    names = [column.name for column in contract.columns if column.classification is None]
    if names:
        where = [*_AT, _position(contract, names[0])]
        yield where, f"without a classification: {', '.join(names)}", "write public, internal, confidential or personal"


def _names(policy: Policy, product: str, contract: Contract) -> Iterator[Finding]:
    """Propose other names; a team may have reasons for its own."""
    document = read_yaml(contract.path)
    for name, where, message in _unusual_names(policy, contract):
        if policy.name_exemption(name) is None:
            fix = f'rename it, or add \'"{name}" = "why"\' to [tool.kit.policy.other_names] in pyproject.toml'
            yield replace(Finding.from_error(product, document.error(where, message), fix), severity="warning")


def _unusual_names(policy: Policy, contract: Contract) -> Iterator[tuple[str, Where, str]]:
    """Yield the names of a port and its columns that match no pattern, in full, each with its place and a message."""
    if not re.fullmatch(policy.names["port"], contract.table):
        message = f"'{contract.table}' does not match {policy.names['port']}, as the names of ports do"
        yield contract.id, ["schema", 0, "name"], message
    for position, column in enumerate(contract.columns):
        kind = "key" if column.type == "bigint" and column.name in contract.key else column.type.partition(" ")[0]
        pattern = policy.names.get(kind, "")
        is_named = kind == "key" and (is_date_part(column.name) or is_measure(column.name))
        if pattern and not re.fullmatch(pattern, column.name) and not is_named:
            names = "names of keys" if kind == "key" else f"names of {kind} columns"
            message = f"'{column.name}' does not match {pattern}, as {names} do"
            yield f"{contract.id}.{column.name}", [*_AT, position, "name"], message
