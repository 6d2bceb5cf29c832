"""Where contracts promise less than the readers of their ports state they need."""

from collections.abc import Iterator, Mapping
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
    rules = (rule for rule in need.contract.rules if rule.severity == "error" and not _promised(rule, contract))
    needed = replace(need.contract, rules=tuple(rules))
    return tuple(change for change in compare(needed, contract) if change.verdict == "major")


def wanted(port: OutputPort, uses: Mapping[str, frozenset[str] | None]) -> dict[str, frozenset[str] | None]:
    """The columns of a port that each consumer counts as needing: those it states, else those it uses; None for all."""
    return {**uses, **{need.consumer: need.columns for need in port.needs}}


def _problem(port: OutputPort, need: Need, change: Change) -> str:
    return (
        f"{short(port.contract.path)}: promises less than '{need.consumer}' needs: {change.where}: {change.text}; "
        f"promise it, or agree with {need.owner} ({need.contact}) on {short(need.contract.path)}"
    )


def _promised(rule: Rule, contract: Contract) -> bool:
    return any(subject(other) == subject(rule) and implies(other, rule) for other in contract.rules)
