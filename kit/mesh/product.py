"""A data product: one folder of `domains/` as an immutable value."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.contracts import FOLDER as NEEDS
from kit.contracts import ConsumerContract, Contract, DocumentReader, Version, custom_property, foreign_key_checks
from kit.core import IDENTIFIER, Document, InvalidFile, Where, read_yaml, resolve_inside, sha256, short
from kit.mesh import versions
from kit.mesh.partitions import Partitions
from kit.mesh.schedule import is_cron

DESCRIPTOR = "product.odps.yaml"
RAW = "raw"
_RESERVED = {RAW, "kit_work", "kit_audit", "main", "memory", "temp", "system", "information_schema", "pg_catalog"}
_GENERATED = {"README.md", "catalog.yaml"}
_PORT_ID = re.compile(r"([a-z][a-z0-9_]{0,62})\.([a-z][a-z0-9_]{0,62})")


@dataclass(frozen=True)
class InputPort:
    """A port of another product that this one reads, with the version it was written against.

    `called` is what SQL and notebooks call it when `port` is the older major version that serves it.
    """

    port: str
    version: Version
    called: str = ""

    @property
    def name(self) -> str:
        """What the product itself calls the port."""
        return self.called or self.port

    @property
    def product(self) -> str:
        """The name of the product that offers the port."""
        return self.port.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A raw source this product ingests; its contract gives the types it is read with."""

    name: str
    contract: Contract


@dataclass(frozen=True)
class OutputPort:
    """A table this product publishes. `notebook` is the notebook that makes it, None when a dbt model does.

    `reads` are the ports its notebook gets as inputs, those of its own product included; `needs` what its readers state
    they need of it, which only a whole mesh knows. `suite` is the expectation suite that `kit sync` writes from its
    contract, `extra_suite` the one that its team writes.
    """

    id: str
    name: str
    description: str
    contract: Contract
    notebook: Path | None
    reads: tuple[InputPort, ...]
    suite: Path
    extra_suite: Path | None
    needs: tuple[ConsumerContract, ...] = ()


@dataclass(frozen=True)
class DataProduct:
    """What a domain team owns: inputs, how they are turned into ports, the promises and who stands for them.

    `schedule` is a cron line (UTC) it is built on, instead of when its contracts and inputs ask for it. `needs` is what it
    states it needs of its inputs.
    """

    name: str
    folder: Path
    version: Version
    domain: str
    description: str
    owner: str
    owner_contact: str
    tags: tuple[str, ...]
    inputs: tuple[InputPort, ...]
    sources: tuple[Source, ...]
    ports: tuple[OutputPort, ...]
    schedule: str | None = None
    partitions: Partitions | None = None
    needs: tuple[ConsumerContract, ...] = ()

    @classmethod
    def load(cls, folder: Path, documents: DocumentReader | None = None) -> "DataProduct":
        """Read a domain folder; raises `InvalidFile` for the first thing wrong with any of its files.

        `product.odps.yaml` must follow the Open Data Product Standard 1.0
        (https://github.com/bitol-io/open-data-product-standard).
        """
        return _Reader(folder, documents or DocumentReader()).product()

    @property
    def has_dbt(self) -> bool:
        """Whether any port is made by a dbt model."""
        return any(port.notebook is None for port in self.ports)

    def port(self, name: str) -> OutputPort | None:
        """The port of that name, or None."""
        return next((port for port in self.ports if port.name == name), None)

    def code_digest(self) -> str:
        """A digest of every file that can change what the product publishes or promises."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            parts = path.relative_to(self.folder).parts
            hidden = any(part.startswith((".", "__pycache__")) for part in parts)
            if path.is_file() and not hidden and parts[0] not in (*_GENERATED, NEEDS, "target", "logs"):
                digest.update(f"{'/'.join(parts)}\0{sha256(path)}\n".encode())
        return digest.hexdigest()


def name_problem(name: str) -> str | None:
    """Why a text cannot name a data product; None when it can."""
    if IDENTIFIER.fullmatch(name) and name not in _RESERVED:
        return None
    return f"'{name}' cannot name a data product; use a-z, 0-9 and _, a letter first, at most 63, not '{RAW}'"


class _Reader:
    def __init__(self, folder: Path, documents: DocumentReader) -> None:
        self.folder = folder
        self.documents = documents

    def product(self) -> DataProduct:
        if problem := name_problem(self.folder.name):
            raise InvalidFile(problem, self.folder)
        path = self.folder / DESCRIPTOR
        if not path.is_file():
            raise InvalidFile(f"has no {DESCRIPTOR}, which says who owns it and what it offers", self.folder)
        document = self.documents.read(path, "odps")
        data = document.data
        name, folder_name = data["name"], self.folder.name
        if name != folder_name:
            other = self.folder.parent / str(name) / DESCRIPTOR
            taken = f"; '{name}' is already the product in {short(other.parent)}" if other.is_file() else ""
            raise document.error(["name"], f"'{name}' must be the folder's name, '{folder_name}'{taken}")
        owner = next((member for member in data["team"] if member.get("role") == "owner"), None)
        if owner is None:
            raise document.error(["team"], "no member has 'role: owner'; name who stands for the product")
        inputs, sources = self.inputs(document)
        ports = tuple(self.port(document, i, item, inputs) for i, item in enumerate(data["outputPorts"]))
        self.once(document, ["outputPorts"], [port.name for port in ports])
        versions.check({port.name: port.contract for port in ports})
        self.foreign_keys(inputs, sources, ports)
        owner_name = owner.get("name") or owner["username"]
        product = DataProduct(
            name=name,
            folder=self.folder,
            version=self.version(document, [], data),
            domain=data.get("domain") or name,
            description=(data.get("description") or {}).get("purpose", ""),
            owner=owner_name,
            owner_contact=owner["username"],
            tags=tuple(data.get("tags") or ()),
            inputs=inputs,
            sources=sources,
            ports=ports,
            schedule=self.schedule(document),
            partitions=self.partitions(document, ports),
            needs=tuple(self.needs(inputs, owner_name, owner["username"])),
        )
        self.files(document, product)
        return product

    def inputs(self, document: Document) -> tuple[tuple[InputPort, ...], tuple[Source, ...]]:
        inputs: list[InputPort] = []
        sources: list[Source] = []
        product = self.folder.name
        for position, item in enumerate(document.data.get("inputPorts") or []):
            where: Where = ["inputPorts", position]
            name, contract_id = item["name"], item["contractId"]
            if not (match := _PORT_ID.fullmatch(name)):
                raise document.error([*where, "name"], f"'{name}' is not PRODUCT.PORT, nor {RAW}.SOURCE for raw data")
            if match[1] == RAW:
                expected = f"{product}.{name}"
                contract = self.contract(document, [*where, "contractId"], item, "sources", match[2], expected)
                sources.append(Source(match[2], contract))
                continue
            if match[1] == product:
                raise document.error([*where, "name"], f"'{name}' is this product's own port; it needs no input port")
            if "__" in match[2]:
                problem = f"'{name}' is no port: what '__' is in holds rows set aside; read '{name.partition('__')[0]}'"
                raise document.error([*where, "name"], problem)
            if contract_id != name:
                raise document.error([*where, "contractId"], f"'{contract_id}' must be '{name}', the port it is about")
            inputs.append(InputPort(name, self.version(document, where, item)))
        self.once(document, ["inputPorts"], [port.port for port in inputs] + [source.name for source in sources])
        return tuple(inputs), tuple(sources)

    def foreign_keys(self, inputs: tuple[InputPort, ...], sources: tuple[Source, ...], ports: tuple[OutputPort, ...]) -> None:
        """Raw data is checked before there are ports, so that it can refer to inputs and raw data only."""
        read = [item.port for item in inputs]
        raw = {f"{RAW}.{source.name}": source.contract for source in sources}
        for source in sources:
            foreign_key_checks.check_tables(source.contract, read, raw)
        for port in ports:
            foreign_key_checks.check_tables(port.contract, read, raw | {port.id: port.contract for port in ports})

    def needs(self, inputs: tuple[InputPort, ...], owner: str, contact: str) -> Iterator[ConsumerContract]:
        for item in inputs:
            name = f"{NEEDS}/{item.port}.odcs.yaml"
            if resolve_inside(self.folder, name).is_file():
                path, consumer = self.folder / name, self.folder.name
                yield ConsumerContract.load(path, consumer, owner, contact, item.port, item.version, self.documents)

    def port(self, document: Document, position: int, item: dict[str, Any], inputs: tuple[InputPort, ...]) -> OutputPort:
        where: Where = ["outputPorts", position]
        name = item["name"]
        if not IDENTIFIER.fullmatch(name):
            raise document.error([*where, "name"], f"'{name}' is not a name; use a-z, 0-9 and _, a letter first, at most 63")
        if name == RAW:
            raise document.error([*where, "name"], f"'{RAW}' stands for raw data; choose another name")
        identifier = f"{self.folder.name}.{name}"
        contract = self.contract(document, [*where, "contractId"], item, "contracts", name, identifier)
        notebook = self.folder / "notebooks" / f"{name}.ipynb" if item["type"] == "notebook" else None
        extra_suite = self.folder / "expectations" / f"{name}.extra.json"
        reads = self.reads(document, where, item, inputs)
        return OutputPort(
            id=identifier,
            name=name,
            description=item.get("description") or contract.description,
            contract=contract,
            notebook=notebook,
            reads=reads if notebook else (),
            suite=self.folder / "expectations" / f"{name}.json",
            extra_suite=extra_suite if extra_suite.is_file() else None,
        )

    def reads(
        self, document: Document, where: Where, item: dict[str, Any], inputs: tuple[InputPort, ...]
    ) -> tuple[InputPort, ...]:
        if "inputContracts" not in item:
            return inputs
        known = {port["contractId"]: port["version"] for port in document.data["outputPorts"] if port is not item}
        known |= {port.port: str(port.version) for port in inputs}
        found: list[InputPort] = []
        for position, entry in enumerate(item["inputContracts"]):
            here: Where = [*where, "inputContracts", position]
            if entry["id"] not in known:
                allowed = ", ".join(sorted(known)) or "none"
                raise document.error([*here, "id"], f"'{entry['id']}' is not an input of this product; there are: {allowed}")
            if entry["version"] != known[entry["id"]]:
                problem = f"'{entry['version']}' is not the version of '{entry['id']}' in this file, {known[entry['id']]}"
                raise document.error([*here, "version"], problem)
            found.append(InputPort(entry["id"], self.version(document, here, entry)))
        self.once(document, [*where, "inputContracts"], [port.port for port in found])
        return tuple(found)

    def version(self, document: Document, where: Where, item: dict[str, Any]) -> Version:
        version = Version.parse(item["version"])
        if version is None:
            raise document.error([*where, "version"], f"'{item['version']}' is not a version such as 1.0.0")
        return version

    def contract(self, document: Document, where: Where, item: dict[str, Any], kind: str, name: str, expected: str) -> Contract:
        if item["contractId"] != expected:
            raise document.error(where, f"'{item['contractId']}' must be '{expected}'")
        if "__" in name:
            raise document.error(where, f"'{name}' holds '__', which names rows set aside; write one _ instead")
        path = resolve_inside(self.folder, f"{kind}/{name}.odcs.yaml")
        if not path.is_file():
            missing = short(self.folder / kind / f"{name}.odcs.yaml")
            raise document.error(where, f"there is no {missing}; write the contract of '{name}' there")
        contract = Contract.load(self.folder / kind / f"{name}.odcs.yaml", self.documents)
        if contract.id != expected:
            raise read_yaml(contract.path).error(["id"], f"'{contract.id}' must be '{expected}'")
        if contract.table != name:
            raise read_yaml(contract.path).error(["schema", 0, "name"], f"'{contract.table}' must be '{name}'")
        if str(contract.version) != item["version"]:
            raise document.error(
                [*where[:-1], "version"], f"'{item['version']}' is not the contract's version, {contract.version}"
            )
        return contract

    def schedule(self, document: Document) -> str | None:
        where, given = custom_property(document, [], document.data, "schedule")
        if where and not (isinstance(given, str) and is_cron(given)):
            raise document.error(where, f"{given!r} is not a cron line; write minute hour day month weekday, as in '0 6 * * *'")
        return str(given) if where else None

    def partitions(self, document: Document, ports: tuple[OutputPort, ...]) -> Partitions | None:
        where, given = custom_property(document, [], document.data, "partitions")
        if not where:
            return None
        partitions = Partitions.of(document, where, given)
        for port in ports:
            if partitions.column not in (column.name for column in port.contract.columns):
                problem = f"'{partitions.column}' is no column of the port '{port.name}'; every port is cut by it"
                raise document.error([*where, "column"], problem)
            if masked := next((column.name for column in port.contract.columns if column.mask and column.mask.applies), None):
                # The contract is held against all partitions together, and those carried over are masked already.
                problem = f"'{port.name}.{masked}' is masked, but this product has partitions; mask the column in the contract"
                raise document.error(where, f"{problem} of its source or in the provider, and write `mask: inherited` here")
        return partitions

    def once(self, document: Document, where: Where, names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise document.error(where, f"'{name}' stands twice; keep one")

    def files(self, document: Document, product: DataProduct) -> None:
        """Every port has what makes it; every source has what lands it."""
        if product.sources and not (self.folder / "ingest.py").is_file():
            raise document.error(["inputPorts"], f"there is no {short(self.folder / 'ingest.py')} to land the raw sources")
        models = {path.stem for path in (self.folder / "models").rglob("*.sql")}
        for position, port in enumerate(product.ports):
            where: Where = ["outputPorts", position]
            if port.notebook is None and port.name not in models:
                raise document.error(where, f"no dbt model makes it; write models/marts/{port.name}.sql")
            if port.notebook is not None and not port.notebook.is_file():
                raise document.error(where, f"no notebook makes it; write notebooks/{port.name}.ipynb")
        if product.has_dbt and not (self.folder / "dbt_project.yml").is_file():
            raise document.error([], "there is no dbt_project.yml beside it for its dbt ports")
