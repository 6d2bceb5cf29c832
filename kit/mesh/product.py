"""A data product, read from one folder of `domains/`."""

import hashlib
import keyword
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.contracts import FOLDER as NEEDS
from kit.contracts import ConsumerContract, Contract, DocumentReader, Version, custom_property, foreign_key_checks
from kit.core import IDENTIFIER, Document, InvalidFile, KitError, Where, mappings, read_yaml, resolve_inside, sha256, short
from kit.mesh import versions
from kit.mesh.partitions import Partitions
from kit.mesh.schedule import is_cron

DESCRIPTOR = "product.odps.yaml"
RAW = "raw"
_RESERVED = {RAW, "kit_work", "kit_audit", "main", "memory", "temp", "system", "information_schema", "pg_catalog"}
_GENERATED = {"README.md", "catalog.yaml", "profiles.yml"}
_PORT_ID = re.compile(r"([a-z][a-z0-9_]{0,62})\.([a-z][a-z0-9_]{0,62})")


@dataclass(frozen=True)
class InputPort:
    """A port of another product that this product reads, with the version it was written against.

    `declared` is the name in the descriptor, SQL and notebooks where `port` is an older major version that serves it.
    """

    port: str
    version: Version
    declared: str = ""

    @property
    def name(self) -> str:
        """The name of the port in the descriptor, SQL and notebooks of the product."""
        return self.declared or self.port

    @property
    def product(self) -> str:
        """The name of the product that offers the port."""
        return self.port.partition(".")[0]


@dataclass(frozen=True)
class Source:
    """A raw source that this product ingests; its contract has the types to read it with."""

    name: str
    contract: Contract


@dataclass(frozen=True)
class OutputPort:
    """A table that this product publishes, made by its `notebook`, or by a dbt model when that is None.

    `reads` are the inputs of its notebook, other ports of the product included. `needs` are the consumer contracts of the
    port, which `Mesh.load` adds. `suite` is the expectation suite that `kit sync` writes from its contract, `extra_suite`
    the one that its team writes.
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
    """Inputs, transformations, ports and contracts that one team owns.

    `schedule` is the cron line (UTC) of its builds; without one it is built by the frequency in its contracts and after
    its inputs. `needs` are its consumer contracts of its inputs.
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
        """Read a domain folder; raises `InvalidFile` for the first error in any of its files.

        `product.odps.yaml` must follow the Open Data Product Standard 1.0
        (https://github.com/bitol-io/open-data-product-standard).
        """
        return _Reader(folder, documents or DocumentReader()).product()

    @classmethod
    def load_unfinished(cls, folder: Path, *, sources: bool = True) -> "DataProduct":
        """Read a domain folder as it is without its output ports, and without `sources` as it is without these either.

        Their contracts may still be missing or wrong. Raises `InvalidFile` for the first error in any other file.
        """
        return _Reader(folder, DocumentReader(), with_ports=False, with_sources=sources).product()

    @property
    def has_dbt(self) -> bool:
        """Whether any port is made by a dbt model."""
        return any(port.notebook is None for port in self.ports)

    @property
    def hidden_columns(self) -> frozenset[str]:
        """The names of the columns that a contract of the product hides; models give columns from one table to another."""
        contracts = [source.contract for source in self.sources] + [port.contract for port in self.ports]
        return frozenset(column.name for contract in contracts for column in contract.hidden_columns)

    def port(self, name: str) -> OutputPort | None:
        """Return the port of that name, or None."""
        return next((port for port in self.ports if port.name == name), None)

    def code_files(self) -> dict[str, str]:
        """Return the digest of each file that can change the published data or the contracts, by its path in the folder."""
        files = {}
        for path in sorted(self.folder.rglob("*")):
            parts = path.relative_to(self.folder).parts
            hidden = any(part.startswith((".", "__pycache__")) for part in parts)
            is_pytest = parts[0] == "tests" and path.suffix == ".py"  # the SQL beside it is dbt's and can stop a build
            if path.is_file() and not hidden and not is_pytest and parts[0] not in (*_GENERATED, NEEDS, "target", "logs"):
                files["/".join(parts)] = sha256(path)
        return files

    def code_digest(self, files: Mapping[str, str] | None = None) -> str:
        """Return a digest of `code_files`, given or read now, with all texts; builds compare `data_code`."""
        lines = (f"{path}\0{digest}\n" for path, digest in (self.code_files() if files is None else files).items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def owner_in(descriptor: Mapping[str, Any]) -> str:
    """Return name and contact of the owner in a descriptor that may be wrong; empty without one."""
    owner = next((member for member in mappings(descriptor.get("team")) if member.get("role") == "owner"), {})
    return f"{owner.get('name') or owner['username']} ({owner['username']})" if owner.get("username") else ""


def name_problem(name: str) -> str | None:
    """Return why a text cannot name a data product; None when it can."""
    if IDENTIFIER.fullmatch(name) and name not in _RESERVED:
        return None
    return f"'{name}' cannot name a data product; use a-z, 0-9 and _, a letter first, at most 63, not '{RAW}'"


class _Reader:
    def __init__(self, folder: Path, documents: DocumentReader, *, with_ports: bool = True, with_sources: bool = True) -> None:
        self.folder = folder
        self.documents = documents
        self.with_ports, self.with_sources = with_ports, with_sources

    def product(self) -> DataProduct:
        if problem := name_problem(self.folder.name):
            raise InvalidFile(problem, self.folder)
        path = self.folder / DESCRIPTOR
        if not path.is_file():
            raise InvalidFile(f"has no {DESCRIPTOR}; write one with its owner and ports", self.folder)
        document = self.documents.read(path, "odps")
        data = document.data
        name, folder_name = data["name"], self.folder.name
        if name != folder_name:
            other = self.folder.parent / str(name) / DESCRIPTOR
            taken = f"; '{name}' is already the product in {short(other.parent)}" if other.is_file() else ""
            raise document.error(["name"], f"'{name}' must be the folder's name, '{folder_name}'{taken}")
        owners = [position for position, member in enumerate(data["team"]) if member.get("role") == "owner"]
        if not owners:
            raise document.error(["team"], "no member has 'role: owner'; name the owner of the product")
        if len(owners) > 1:
            problem = "a second owner; a product has one, who answers for it: give the other member another role"
            raise document.error(["team", owners[1], "role"], problem)
        owner = data["team"][owners[0]]
        inputs, sources = self.inputs(document)
        entries = data["outputPorts"] if self.with_ports else ()
        ports = tuple(self.port(document, i, item, inputs) for i, item in enumerate(entries))
        self.check_distinct(document, ["outputPorts"], [port.name for port in ports])
        versions.check_versions({port.name: port.contract for port in ports})
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
            partitions=self.partitions(document, inputs, sources, ports),
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
            if match[1] == RAW and keyword.iskeyword(match[2]):
                raise document.error(
                    [*where, "name"], f"'{match[2]}' is a word of Python and cannot name a function of ingest.py; rename it"
                )
            if match[1] == RAW and not self.with_sources:
                continue
            if match[1] == RAW:
                expected = f"{product}.{name}"
                contract = self.contract(document, [*where, "contractId"], item, "sources", match[2], expected)
                sources.append(Source(match[2], contract))
                continue
            if match[1] == product:
                raise document.error([*where, "name"], f"'{name}' is this product's own port; it needs no input port")
            if "__" in match[2]:
                problem = f"'{name}' is no port: names with '__' are quarantine tables; read '{name.partition('__')[0]}'"
                raise document.error([*where, "name"], problem)
            if contract_id != name:
                raise document.error([*where, "contractId"], f"'{contract_id}' must be '{name}', the port it declares")
            inputs.append(InputPort(name, self.version(document, where, item)))
        self.check_distinct(document, ["inputPorts"], [port.port for port in inputs] + [source.name for source in sources])
        return tuple(inputs), tuple(sources)

    def foreign_keys(self, inputs: tuple[InputPort, ...], sources: tuple[Source, ...], ports: tuple[OutputPort, ...]) -> None:
        """Check the tables of foreign keys: raw data, checked before ports exist, can refer to inputs and raw data only."""
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
            raise document.error([*where, "name"], f"'{RAW}' names raw data; choose another name")
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
        reads: list[InputPort] = []
        for position, entry in enumerate(item["inputContracts"]):
            place: Where = [*where, "inputContracts", position]
            if entry["id"] not in known:
                allowed = ", ".join(sorted(known)) or "none"
                raise document.error([*place, "id"], f"'{entry['id']}' is not an input of this product; there are: {allowed}")
            if entry["version"] != known[entry["id"]]:
                problem = f"'{entry['version']}' is not the version of '{entry['id']}' in this file, {known[entry['id']]}"
                raise document.error([*place, "version"], problem)
            reads.append(InputPort(entry["id"], self.version(document, place, entry)))
        self.check_distinct(document, [*where, "inputContracts"], [port.port for port in reads])
        return tuple(reads)

    def version(self, document: Document, where: Where, item: dict[str, Any]) -> Version:
        version = Version.parse(item["version"])
        if version is None:
            raise document.error([*where, "version"], f"'{item['version']}' is not a version such as 1.0.0")
        return version

    def contract(self, document: Document, where: Where, item: dict[str, Any], kind: str, name: str, expected: str) -> Contract:
        if item["contractId"] != expected:
            raise document.error(where, f"'{item['contractId']}' must be '{expected}'")
        if "__" in name:
            raise document.error(where, f"'{name}' holds '__', which marks quarantine tables; write one _ instead")
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
        where, line = custom_property(document, [], document.data, "schedule")
        if where and not (isinstance(line, str) and is_cron(line)):
            raise document.error(where, f"{line!r} is not a cron line; write minute hour day month weekday, as in '0 6 * * *'")
        return str(line) if where else None

    def partitions(
        self, document: Document, inputs: tuple[InputPort, ...], sources: tuple[Source, ...], ports: tuple[OutputPort, ...]
    ) -> Partitions | None:
        where, value = custom_property(document, [], document.data, "partitions")
        if not where:
            return None
        partitions = Partitions.from_document(document, where, value)
        self.partitioned_inputs(document, [*where, "inputs"], partitions.inputs, inputs, sources)
        for port in ports:
            if partitions.column not in (column.name for column in port.contract.columns):
                problem = f"'{partitions.column}' is no column of the port '{port.name}'; every port is partitioned by it"
                raise document.error([*where, "column"], problem)
            if masked := next((column.name for column in port.contract.columns if column.mask and column.mask.applies), None):
                # The contract is checked on all partitions together, and partitions of earlier builds are masked already.
                problem = f"'{port.name}.{masked}' is masked, but this product has partitions; mask the column in the contract"
                raise document.error(where, f"{problem} of its source or in the provider, and write `mask: inherited` here")
        return partitions

    def partitioned_inputs(
        self, document: Document, where: Where, columns: Mapping[str, str], inputs: tuple[InputPort, ...],
        sources: tuple[Source, ...],
    ) -> None:  # fmt: skip
        """Check the inputs of which a partition reads its own rows; a build checks the columns of other products' ports."""
        raw = {f"{RAW}.{source.name}": source.contract for source in sources}
        for name, column in columns.items():
            contract = raw.get(name)
            if contract is None:
                if name not in (known := [item.port for item in inputs] + list(raw)):
                    allowed = ", ".join(sorted(known)) or "none"
                    raise document.error([*where, name], f"'{name}' is not an input of this product; there are: {allowed}")
            elif column not in (names := [item.name for item in contract.columns]):
                raise document.error([*where, name], f"'{column}' is no column of {name}; there are: {', '.join(names)}")
            elif contract.quarantining or column in (item.name for item in contract.masked_columns):
                # Whether a row is set aside may depend on rows of other partitions.
                problem = (
                    f"{name} quarantines rows or masks {column}, so that a partition cannot read its own rows; leave it out"
                )
                raise document.error([*where, name], problem)

    def check_distinct(self, document: Document, where: Where, names: list[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise document.error(where, f"'{name}' is listed twice; keep one")

    def files(self, document: Document, product: DataProduct) -> None:
        """Check that the model or notebook of every port exists, and `ingest.py` for sources."""
        if product.sources and not (self.folder / "ingest.py").is_file():
            raise document.error(["inputPorts"], f"there is no {short(self.folder / 'ingest.py')} to land the raw sources")
        models = {path.stem for part in self.model_folders() for path in (self.folder / part).rglob("*.sql")}
        for position, port in enumerate(product.ports):
            where: Where = ["outputPorts", position]
            if port.notebook is None and port.name not in models:
                raise document.error(where, f"has no dbt model; write models/marts/{port.name}.sql")
            if port.notebook is not None and not port.notebook.is_file():
                raise document.error(where, f"has no notebook; write notebooks/{port.name}.ipynb")
        if product.has_dbt and not (self.folder / "dbt_project.yml").is_file():
            raise document.error([], "there is no dbt_project.yml beside it for its dbt ports")

    def model_folders(self) -> list[str]:
        """The folders of dbt models and snapshots, as dbt_project.yml names them."""
        settings: dict[str, Any] = {}
        with suppress(KitError):  # dbt may read what is refused here
            settings = read_yaml(self.folder / "dbt_project.yml").data
        found = (
            settings.get(key) or [default] for key, default in (("model-paths", "models"), ("snapshot-paths", "snapshots"))
        )
        return [str(part) for parts in found if isinstance(parts, list) for part in parts]
