"""Where contracts promise less than the readers of their ports state they need, and where a change takes that away."""

from collections.abc import Iterator
from dataclasses import replace

from kit.contract import Contract
from kit.evolution import Change, compare
from kit.files import short
from kit.implication import implies, subject
from kit.mesh import Mesh
from kit.needs import Need
from kit.product import OutputPort
from kit.rules import Rule


def problems(mesh: Mesh) -> Iterator[tuple[str, str]]:
    """What each provider would have to promise, as pairs of its name and a message."""
    for product in mesh.products:
        for port in product.ports:
            for need in port.needs:
                for change in unmet(need, port.contract):
                    yield product.name, _problem(port, need, change)


def unmet(need: Need, contract: Contract) -> tuple[Change, ...]:
    """What is taken away on the way from what is needed to what is promised; a rule that only warns is no more than a wish."""
    return tuple(change for change in _way(need, contract, contract) if change.verdict == "major")


def lost(need: Need, old: Contract, new: Contract) -> tuple[Change, ...]:
    """What a change of a contract takes away of what is needed, or may; what was not promised before is not lost by it."""
    lacked = _way(need, old, old)
    return tuple(change for change in _way(need, new, old) if change.verdict in ("major", "review") and change not in lacked)


def _way(need: Need, contract: Contract, known: Contract) -> tuple[Change, ...]:
    """From what is needed to what is promised; who says nothing of the mask of a column means the one that was `known`."""
    masks = {column.name: column.mask for column in known.columns}
    columns = (replace(column, mask=column.mask or masks.get(column.name)) for column in need.contract.columns)
    rules = (rule for rule in need.contract.rules if rule.severity == "error" and not _promised(rule, contract))
    return compare(replace(need.contract, columns=tuple(columns), rules=tuple(rules)), contract)


def _problem(port: OutputPort, need: Need, change: Change) -> str:
    return (
        f"{short(port.contract.path)}: promises less than '{need.consumer}' needs: {change.where}: {change.text}; "
        f"promise it, or agree with {need.owner} ({need.contact}) on {short(need.contract.path)}"
    )


def _promised(rule: Rule, contract: Contract) -> bool:
    return any(subject(other) == subject(rule) and implies(other, rule) for other in contract.rules)
