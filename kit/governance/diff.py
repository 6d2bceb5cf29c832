"""The diff of a mesh's contracts against another revision: changes, affected consumers, and the versions they require."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from kit.contracts import (
    FOLDER,
    Contract,
    ContractChange,
    DocumentReader,
    Version,
    bumped,
    compare,
    document_changes,
    required_bump,
)
from kit.core import Config, KitError, mappings, read_yaml
from kit.governance.classification import APPROVE, unapproved
from kit.governance.policy import relaxations
from kit.lineage import affected_columns, column_use
from kit.mesh import DESCRIPTOR, Context, Mesh, folders, owner_in, resolve_version

_SUFFIX = ".odcs.yaml"
PYPROJECT = "pyproject.toml"
_BREAKING = ("major", "review")
_NEED_CHANGES = {"major": "needs less: ", "minor": "needs more: "}


@dataclass(frozen=True)
class Consumer:
    """A product that reads a port in both revisions.

    `notebooks` are its ports that a notebook makes from the port. `columns` are the changed columns it needs: those of its
    consumer contract or, without one, those it reads; None for all columns. It is `affected` unless it needs none of
    them, or another port still serves the version it declares.
    """

    name: str
    owner: str
    contact: str
    notebooks: tuple[str, ...]
    columns: tuple[str, ...] | None
    affected: bool


@dataclass(frozen=True)
class PortDiff:
    """The changes of one port; `old` or `new` is None where it has no valid contract, `problem` says what to correct.

    `needs` are the changes of consumer contracts of the port, which require no version. `possible_consumers` were broken
    before, so that it is not known whether the changes affect them.
    """

    port: str
    old: Version | None
    new: Version | None
    changes: tuple[ContractChange, ...]
    consumers: tuple[Consumer, ...]
    problem: str = ""
    needs: tuple[ContractChange, ...] = ()
    possible_consumers: tuple[str, ...] = ()

    @property
    def required(self) -> Version | None:
        """The lowest version that the changes allow; None without two contracts to compare."""
        return bumped(self.old, required_bump(self.changes)) if self.old and self.new else None

    @property
    def affected(self) -> tuple[Consumer, ...]:
        """The consumers that the changes affect."""
        return tuple(consumer for consumer in self.consumers if consumer.affected)

    @property
    def is_breaking(self) -> bool:
        """Whether a change may break a consumer that needs what changed."""
        return any(change.verdict in _BREAKING for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """The changes as JSON values."""
        return {
            "port": self.port,
            "old": _to_text(self.old),
            "new": _to_text(self.new),
            "changes": [_change_to_json(change) for change in self.changes],
            "consumers": [_consumer_to_json(consumer) for consumer in self.consumers],
            "problem": self.problem,
            "possible_consumers": list(self.possible_consumers),
            "needs": [_change_to_json(change) for change in self.needs],
            "wanted": _to_text(self.required),
        }


@dataclass(frozen=True)
class ProductDiff:
    """A product with ports or an owner that changed; its own version must follow the most severe change of a port.

    `changes` are those of its descriptor, which need no version. One named `pyproject.toml` is the policy of the mesh.
    """

    product: str
    ports: tuple[PortDiff, ...]
    problem: str = ""
    changes: tuple[ContractChange, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems to correct, in sentences."""
        return tuple(text for text in (*(port.problem for port in self.ports), self.problem) if text)

    @property
    def reviews(self) -> int:
        """The number of changes that need the judgement of a person."""
        changes = (*self.changes, *(change for port in self.ports for change in port.changes))
        return sum(change.verdict == "review" for change in changes)

    def to_json(self) -> dict[str, Any]:
        """The changes as JSON values."""
        changes = {"changes": [_change_to_json(change) for change in self.changes]} if self.changes else {}
        return {"product": self.product, "problem": self.problem, "ports": [port.to_json() for port in self.ports], **changes}


def _to_text(version: Version | None) -> str | None:
    return str(version) if version else None


def _consumer_to_json(consumer: Consumer) -> dict[str, Any]:
    """The consumer as JSON values; `hit` is the published name of `affected`."""
    values = asdict(consumer)
    values["hit"] = values.pop("affected")
    return values


def _change_to_json(change: ContractChange) -> dict[str, Any]:
    return {**vars(change), "columns": None if change.columns is None else sorted(change.columns)}


def diff(old: Config, new: Config) -> tuple[ProductDiff, ...]:
    """Return every product whose contracts differ between two revisions; files with equal bytes are not parsed."""
    return tuple(_Comparison(old, new).products())


class _Comparison:
    def __init__(self, old: Config, new: Config) -> None:
        self.old, self.new = old, new
        self.before, self.after = ({".".join(key): path for key, path in _files(c, "contracts")} for c in (old, new))

    def products(self) -> Iterator[ProductDiff]:
        needs = self.need_changes()
        changed: dict[str, list[PortDiff]] = {}
        for name in sorted({*self.before, *self.after}):
            if name in needs or _bytes(self.before.get(name)) != _bytes(self.after.get(name)):
                port = replace(self.port(name), needs=tuple(needs.get(name, ())))
                if port.is_breaking:
                    port = replace(port, possible_consumers=self.mesh.possible_readers(name))
                if port.changes or port.needs or port.problem or port.old != port.new:
                    changed.setdefault(name.partition(".")[0], []).append(port)
        if relaxed := relaxations(self.old.policy, self.new.policy):
            yield ProductDiff(PYPROJECT, (), f"the policy asks for less: {'; '.join(relaxed)}")
        owners = self.owner_changes()
        for product in sorted({*changed, *owners}):
            ports = changed.get(product, [])
            yield ProductDiff(product, tuple(ports), self.version_problem(product, ports), owners.get(product, ()))

    def owner_changes(self) -> dict[str, tuple[ContractChange, ...]]:
        """Return the changes of owners by product, of those that both revisions contain."""
        changes: dict[str, tuple[ContractChange, ...]] = {}
        for name in sorted({key.partition(".")[0] for key in (*self.before, *self.after)}):
            old, new = (owner_in(_descriptor(config, name)) for config in (self.old, self.new))
            if old and new and old != new:
                changes[name] = (ContractChange("owner", f"{old} → {new}", "review"),)
        return changes

    def port(self, name: str) -> PortDiff:
        """Return the changes of a port, whose contract exists in one of the revisions."""
        path, old = self.after.get(name), self.old_contract(name)
        version = old.version if old else None
        if path is None:
            removed = (ContractChange("port", "removed", "major"),)
            consumers = tuple(self.consumers(name, name, old, None, removed))
            readers = ", ".join(f"{item.name} ({item.contact})" for item in consumers if item.affected)
            problem = f"{name} is gone, but still read by {readers}; keep it until they have moved" if readers else ""
            return PortDiff(name, version, None, removed, consumers, problem)
        try:
            new = self.load(path)
        except KitError as error:
            return PortDiff(name, version, None, (), (), str(error))
        if name not in self.before:
            return self.added(name, new)
        if old is None:
            change = ContractChange("contract", "was not valid before, so that it cannot be compared", "review")
            return PortDiff(name, None, new.version, (change,), ())
        changes = (*compare(old, new), *document_changes(read_yaml(old.path).data, read_yaml(path).data))
        port = PortDiff(name, version, new.version, changes, tuple(self.consumers(name, name, old, new, changes)))
        problems = [f"{name}: {text}; {APPROVE}" for text in unapproved(self.new.policy, name, old, new)]
        if port.required is not None and new.version < port.required:
            problems.insert(0, f"{name} is version {new.version}, after {version}; its changes need {port.required} or higher")
        return replace(port, problem="; ".join(problems))

    def added(self, name: str, new: Contract) -> PortDiff:
        """Return the changes of a port that is new; it may keep an old version of another port."""
        newer = f"{name.partition('.')[0]}.{new.major_of}"
        old = self.old_contract(newer) if new.major_of else None
        if old is None or old.version.major != new.version.major:
            twin = next((name for name, removed in self.removed.items() if removed.columns == new.columns), None)
            text = f"added; it is {twin} under another name" if twin else "added"
            return PortDiff(name, None, new.version, (ContractChange("port", text, "minor"),), ())
        kept = ContractChange("port", f"added; keeps version {old.version.major} of {newer} until {new.end_of_life}", "minor")
        breaking = tuple(change for change in compare(old, new) if change.verdict in _BREAKING)
        consumers = tuple(self.consumers(newer, name, old, new, breaking))
        majors = [f"{change.where} {change.text}" for change in breaking if change.verdict == "major"]
        problem = f"{name} must keep what {newer} {old.version} promised: {'; '.join(majors)}" if majors else ""
        return PortDiff(name, None, new.version, (kept, *breaking), consumers, problem)

    def version_problem(self, product: str, ports: list[PortDiff]) -> str:
        """Return why the version of a product is too low for the changes of its ports; empty when it is not."""
        old, new = (Version.parse(_descriptor(config, product).get("version")) for config in (self.old, self.new))
        if old is None or new is None:
            return ""
        required = bumped(old, required_bump(change for port in ports for change in port.changes))
        if new >= required:
            return ""
        return f"the product {product} is version {new}, after {old}; the changes of its ports need {required} or higher"

    def consumers(
        self, old_name: str, new_name: str, old: Contract | None, new: Contract | None, changes: tuple[ContractChange, ...]
    ) -> Iterator[Consumer]:
        """Yield the readers of the old port, each with the breaking changes of the new port that affect it."""
        breaking = tuple(change for change in changes if change.verdict in _BREAKING)
        if old is None or not breaking:
            return
        product, _, port = new_name.partition(".")
        offered = _versions(_descriptor(self.new, product), "outputPorts")
        old_port = self.mesh.port(old_name)
        for reader in self.mesh.readers(old_name):
            item = next(item for item in reader.inputs if item.port == old_name)
            descriptor = _descriptor(self.new, reader.name)
            if not descriptor and (self.new.domains / reader.name).is_dir():
                declared: Version | None = item.version  # its descriptor cannot be read now, so it has not moved
            else:
                declared = _versions(descriptor, "inputPorts").get(item.name)
            if declared is None:
                continue
            serving = resolve_version(item.name.partition(".")[2], declared, offered)
            used = partial(self.columns_used, old_name, reader.name)
            columns = affected_columns(reader.name, old_port, old, new, breaking, used)
            # A reader that declares a version that only the new contract serves has moved already; readers whose version
            # another port serves are not affected either.
            affected = columns != () and old.version.serves(declared) and serving in (None, port)
            notebooks = tuple(port.name for port in reader.ports if old_name in (read.port for read in port.reads))
            yield Consumer(reader.name, reader.owner, reader.owner_contact, notebooks, columns, affected)

    def need_changes(self) -> dict[str, list[ContractChange]]:
        """Return the changes of consumer contracts by port; files with equal bytes are not parsed."""
        before, after = dict(_files(self.old, FOLDER)), dict(_files(self.new, FOLDER))
        changes: dict[str, list[ContractChange]] = {}
        for consumer, port in sorted({*before, *after}):
            old, new = before.get((consumer, port)), after.get((consumer, port))
            if _bytes(old) != _bytes(new):
                texts = _need_changes(self.contract(old), self.contract(new), exists=new is not None)
                changes.setdefault(port, []).extend(ContractChange(f"need of {consumer}", text, "patch") for text in texts)
        return changes

    def contract(self, path: Path | None) -> Contract | None:
        """Return the contract in a file; None without one, and for one that is not valid and so promises nothing."""
        with suppress(KitError):
            return self.load(path) if path else None
        return None

    def load(self, path: Path) -> Contract:
        """Return the contract in a file of a domain; raises `InvalidFile`."""
        return Contract.load(path, DocumentReader(self.new.cache, path.parents[1].name))

    def old_contract(self, port: str) -> Contract | None:
        return self.contract(self.before.get(port))

    @cached_property
    def removed(self) -> dict[str, Contract]:
        """The contracts of the ports that are gone."""
        gone = {port: self.old_contract(port) for port in sorted({*self.before} - {*self.after})}
        return {port: contract for port, contract in gone.items() if contract}

    @cached_property
    def mesh(self) -> Mesh:
        """The old mesh; in the new one a reader of a changed port may be broken."""
        return Context(self.old).mesh

    def columns_used(self, port: str, consumer: str) -> frozenset[str] | None:
        """Return the columns of a port that a consumer used in the old mesh; None for all."""
        return self.column_use[port][consumer]

    @cached_property
    def column_use(self) -> Mapping[str, Mapping[str, frozenset[str] | None]]:
        """The columns of each port that every consumer used in the old mesh; None for all."""
        return column_use(Context(self.old).with_mesh(self.mesh))


def _files(config: Config, folder: str) -> Iterator[tuple[tuple[str, str], Path]]:
    """Yield the contract files in a folder of each product, by product and name."""
    for product in folders(config.domains):
        for path in (product / folder).glob(f"*{_SUFFIX}"):
            yield (product.name, path.name.removesuffix(_SUFFIX)), path


def _bytes(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


def _need_changes(old: Contract | None, new: Contract | None, *, exists: bool) -> list[str]:
    """Return the changes of a consumer contract, in words."""
    if new is None:
        return ["cannot be read; `kit check` shows the reason" if exists else "no longer stated"]
    if old is None:
        return [f"stated: {', '.join(column.name for column in new.columns)}"]
    return [f"{_NEED_CHANGES.get(change.verdict, '')}{change.where} {change.text}" for change in compare(old, new)]


def _descriptor(config: Config, name: str) -> dict[str, Any]:
    """Return the descriptor of a product as it is written; empty when it cannot be read."""
    with suppress(KitError):
        return read_yaml(config.domains / name / DESCRIPTOR).data
    return {}


def _versions(descriptor: dict[str, Any], kind: str) -> dict[str, Version]:
    """Return the versions of the ports of a descriptor, as they are written."""
    ports = ((str(item.get("name")), Version.parse(item.get("version"))) for item in mappings(descriptor.get(kind)))
    return {name: version for name, version in ports if version}
