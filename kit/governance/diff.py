"""What the contracts of a mesh promise otherwise than those of another tree, whom it hits, and which version says so."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kit.contracts import Contract, ContractChange, DocumentReader, Version, bumped, compare, document_changes, required_bump
from kit.core import Config, KitError, mappings, read_yaml
from kit.governance.consumer_contracts import lost, stated
from kit.lineage import column_use
from kit.mesh import DESCRIPTOR, Context, Mesh, folders, versions

_KIND = ".odcs.yaml"
_GRAVE = ("major", "review")


@dataclass(frozen=True)
class Consumer:
    """A product that reads a port before and after, and the changed columns it needs: None for all, or nobody can tell.

    `notebooks` are those of its ports that a notebook makes from it. What it needs is what it states, columns and rules,
    else the columns it uses. A consumer is not `hit` when none of that changed, or when it is served what it asks for all
    the same.
    """

    name: str
    owner: str
    contact: str
    notebooks: tuple[str, ...]
    columns: tuple[str, ...] | None
    hit: bool


@dataclass(frozen=True)
class PortDiff:
    """What became of one port; `old` or `new` is None where it does not exist, `problem` says what must be put right.

    `needs` is what its readers state otherwise than before, which asks for no version.
    """

    port: str
    old: Version | None
    new: Version | None
    changes: tuple[ContractChange, ...]
    consumers: tuple[Consumer, ...]
    problem: str = ""
    needs: tuple[ContractChange, ...] = ()

    @property
    def wanted(self) -> Version | None:
        """The lowest version that says the changes; None where there are not two to compare."""
        return bumped(self.old, required_bump(self.changes)) if self.old and self.new else None

    @property
    def hit(self) -> tuple[Consumer, ...]:
        """The consumers that notice."""
        return tuple(consumer for consumer in self.consumers if consumer.hit)

    @property
    def grave(self) -> bool:
        """Whether its changes may break a reader, if anybody uses what changed."""
        return any(change.verdict in _GRAVE for change in self.changes)


@dataclass(frozen=True)
class ProductDiff:
    """A product with ports that changed; its own version must say what the gravest of their changes says."""

    product: str
    ports: tuple[PortDiff, ...]
    problem: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """What must be put right, in sentences."""
        return tuple(text for text in (*(port.problem for port in self.ports), self.problem) if text)

    @property
    def reviews(self) -> int:
        """How many changes a person has to judge."""
        return sum(change.verdict == "review" for port in self.ports for change in port.changes)

    def to_json(self) -> dict[str, Any]:
        """The changes as JSON values."""
        ports = [
            {
                **asdict(port),
                **{name: str(value) if value else None for name, value in vars(port).items() if name in ("old", "new")},
                "wanted": str(port.wanted) if port.wanted else None,
                "changes": [_to_json(change) for change in port.changes],
                "needs": [_to_json(change) for change in port.needs],
            }
            for port in self.ports
        ]
        return {"product": self.product, "problem": self.problem, "ports": ports}


def _to_json(change: ContractChange) -> dict[str, Any]:
    return {**vars(change), "columns": None if change.columns is None else sorted(change.columns)}


def diff(old: Config, new: Config) -> tuple[ProductDiff, ...]:
    """Every product whose contracts differ between two trees; files that are equal to the byte are not understood at all."""
    return tuple(_Trees(old, new).products())


class _Trees:
    def __init__(self, old: Config, new: Config) -> None:
        self.old, self.new = old, new
        self.documents = DocumentReader(new.cache)
        self.before, self.after = _contracts(old), _contracts(new)
        self.stated = stated(old, new, self.documents)

    def products(self) -> Iterator[ProductDiff]:
        names = sorted({*self.before, *self.after})
        changed = [
            name for name in names if name in self.stated or _bytes(self.before.get(name)) != _bytes(self.after.get(name))
        ]
        found: dict[str, list[PortDiff]] = {}
        for port in (replace(self.port(name), needs=self.stated.get(name, ())) for name in changed):
            if port.changes or port.needs or port.problem or port.old != port.new:
                found.setdefault(port.port.partition(".")[0], []).append(port)
        for product, ports in found.items():
            yield ProductDiff(product, tuple(ports), self.product_problem(product, ports))

    def port(self, port: str) -> PortDiff:
        path = self.after.get(port)
        old = self.was(port)
        if path is None:
            changes = (ContractChange("port", "removed", "major"),)
            consumers = tuple(self.consumers(port, port, old, None, changes))
            readers = ", ".join(f"{item.name} ({item.contact})" for item in consumers if item.hit)
            problem = f"{port} is gone, but still read by {readers}; keep it until they have moved" if readers else ""
            return PortDiff(port, old.version if old else None, None, changes, consumers, problem)
        try:
            new = Contract.load(path, self.documents)
        except KitError as error:
            return PortDiff(port, old.version if old else None, None, (), (), str(error))
        if port not in self.before:
            return self.added(port, new)
        if old is None:
            change = ContractChange("contract", "was not valid before, so that it cannot be compared", "review")
            return PortDiff(port, None, new.version, (change,), ())
        weighed = (*compare(old, new), *document_changes(read_yaml(old.path).data, read_yaml(path).data))
        found = PortDiff(port, old.version, new.version, weighed, tuple(self.consumers(port, port, old, new, weighed)))
        if found.wanted is None or new.version >= found.wanted:
            return found
        problem = f"{port} is version {new.version}, after {old.version}; its changes need {found.wanted} or higher"
        return PortDiff(port, old.version, new.version, weighed, found.consumers, problem)

    def added(self, port: str, new: Contract) -> PortDiff:
        product = port.partition(".")[0]
        newer = f"{product}.{new.major_of}"
        old = self.was(newer) if new.major_of else None
        if old is None or old.version.major != new.version.major:
            twin = next((name for name, gone in self.lost.items() if gone.columns == new.columns), None)
            text = f"added; it is {twin} under another name" if twin else "added"
            return PortDiff(port, None, new.version, (ContractChange("port", text, "minor"),), ())
        kept = ContractChange("port", f"added; keeps version {old.version.major} of {newer} until {new.end_of_life}", "minor")
        taken = tuple(change for change in compare(old, new) if change.verdict in _GRAVE)
        consumers = tuple(self.consumers(newer, port, old, new, taken))
        broken = [f"{change.where} {change.text}" for change in taken if change.verdict == "major"]
        problem = f"{port} must keep what {newer} {old.version} promised: {'; '.join(broken)}" if broken else ""
        return PortDiff(port, None, new.version, (kept, *taken), consumers, problem)

    def product_problem(self, name: str, ports: list[PortDiff]) -> str:
        old, new = (Version.parse(_descriptor(config, name).get("version")) for config in (self.old, self.new))
        if old is None or new is None:
            return ""
        wanted = bumped(old, required_bump(change for port in ports for change in port.changes))
        if new >= wanted:
            return ""
        return f"the product {name} is version {new}, after {old}; the changes of its ports need {wanted} or higher"

    def consumers(
        self, was: str, now: str, old: Contract | None, new: Contract | None, changes: tuple[ContractChange, ...]
    ) -> Iterator[Consumer]:
        """Who read the port `was`, and whether they notice the changes of the port `now` that may break a reader."""
        grave = tuple(change for change in changes if change.verdict in _GRAVE)
        if old is None or not grave:
            return
        product, _, name = now.partition(".")
        offered = _versions(_descriptor(self.new, product), "outputPorts")
        needs = {need.consumer: need for need in self.mesh.port(was).needs}
        for reader in self.mesh.readers(was):
            item = next(item for item in reader.inputs if item.port == was)
            wanted = _versions(_descriptor(self.new, reader.name), "inputPorts").get(item.name)
            if wanted is None:
                continue
            serving = versions.resolve_version(item.name.partition(".")[2], wanted, offered)
            if need := needs.get(reader.name):
                used = _touched(lost(need, old, new) if new else grave, need.columns)
            else:
                used = _touched(grave, self.uses[was][reader.name])
            # Who asks for what only the new version offers has moved already; others the older version goes on to serve.
            hit = used != () and old.version.serves(wanted) and serving in (None, name)
            notebooks = tuple(port.name for port in reader.ports if was in (read.port for read in port.reads))
            yield Consumer(reader.name, reader.owner, reader.owner_contact, notebooks, used, hit)

    def was(self, port: str) -> Contract | None:
        """The contract a port had; None for none, and for one that was not valid and so promised nothing."""
        with suppress(KitError):
            return Contract.load(self.before[port], self.documents) if port in self.before else None
        return None

    @cached_property
    def lost(self) -> dict[str, Contract]:
        """The contracts of the ports that are gone."""
        gone = {port: self.was(port) for port in sorted({*self.before} - {*self.after})}
        return {port: contract for port, contract in gone.items() if contract}

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh as it was: who reads what has changed may be broken by that now."""
        return Context(self.old).mesh

    @cached_property
    def uses(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        """The columns of each port that every consuming product used; None for all."""
        return column_use(self.old, self.mesh)


def _contracts(config: Config) -> dict[str, Path]:
    """The contract files of a tree by the port they are of."""
    return {
        f"{folder.name}.{path.name.removesuffix(_KIND)}": path
        for folder in folders(config.domains)
        for path in (folder / "contracts").glob(f"*{_KIND}")
    }


def _bytes(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


def _touched(changes: Iterable[ContractChange], used: frozenset[str] | None) -> tuple[str, ...] | None:
    """The used columns by which the changes are noticed; None for all, whichever they are."""
    found: set[str] = set()
    for change in changes:
        if change.columns is None and used is None:
            return None
        if change.columns is None or used is None:
            found |= (change.columns if used is None else used) or set()
        else:
            found |= change.columns & used
    return tuple(sorted(found))


def _descriptor(config: Config, name: str) -> dict[str, Any]:
    """The descriptor of a product as it is written; empty when it cannot be read."""
    with suppress(KitError):
        return read_yaml(config.domains / name / DESCRIPTOR).data
    return {}


def _versions(descriptor: dict[str, Any], kind: str) -> dict[str, Version]:
    """The ports of a descriptor that have a version, as it is written."""
    ports = ((str(item.get("name")), Version.parse(item.get("version"))) for item in mappings(descriptor.get(kind)))
    return {name: version for name, version in ports if version}
