"""The score card: the usability of each product by the eight traits of data products, as shares of measured facts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.contracts import CLASSIFICATIONS, DESCRIBED, GRAIN, Contract
from kit.core import KitError, database, read_yaml, short
from kit.governance.policy import has_email, is_unmasked
from kit.mesh import DESCRIPTOR, Context, DataProduct, Mesh, OutputPort
from kit.storage import CATALOG, PortState, PortStatus, Snapshot, Store, statuses

TRAITS = ("discoverable", "addressable", "understandable", "trustworthy", "accessible", "interoperable", "valuable", "secure")

_LINE, _LINES, _BUILD, _OTHERS = range(4)  # the effort of a fix: a line, several lines, a build, work of other teams
_VALID = "its files follow ODPS and ODCS"
_DUCKDB_TYPES = ("hugeint", "uhugeint", "json", "interval")


@dataclass(frozen=True)
class Fact:
    """One measured fact; `passed` is None where it takes a snapshot and there is none.

    `fix` makes a failed fact true; fixes with a lower `effort` are cheaper.
    """

    trait: str
    text: str
    passed: bool | None
    fix: str
    effort: int = _LINE

    def to_json(self) -> dict[str, Any]:
        """The fact as JSON values; `fix` is None unless the fact failed."""
        return {
            "trait": self.trait,
            "fact": self.text,
            "passed": self.passed,
            "fix": self.fix if self.passed is False else None,
        }


@dataclass(frozen=True)
class Score:
    """The facts about one product."""

    product: str
    facts: tuple[Fact, ...]

    def share(self, trait: str) -> float | None:
        """Return the share of the known facts of a trait that passed; None when no fact is known."""
        known = [fact.passed for fact in self.facts if fact.trait == trait and fact.passed is not None]
        return sum(known) / len(known) if known else None

    @property
    def cheapest(self) -> Fact | None:
        """The failed fact with the cheapest fix; None when none failed."""
        return min((fact for fact in self.facts if fact.passed is False), key=lambda fact: fact.effort, default=None)

    def to_json(self) -> dict[str, Any]:
        """The score as JSON values."""
        shares = {trait: self.share(trait) for trait in TRAITS}
        return {"product": self.product, "shares": shares, "facts": [fact.to_json() for fact in self.facts]}


def scores(context: Context) -> list[Score]:
    """Return the score of every product in build order, then the scores of broken products, which have a single fact."""
    catalog = _catalog_entries(context.config.root / CATALOG)
    states = {(row.product.name, row.port.name): row for row in statuses(context)}
    others = _Others(context.mesh)
    cards = []
    for product in context.mesh.products:
        try:
            snapshot = Store(context.config.storage).current(product.name)
        except KitError:
            snapshot = None
        facts = list(_product_facts(product, catalog))
        for port in product.ports:
            facts += _contract_facts(context, product, port, others)
            facts += _snapshot_facts(product, port, states[product.name, port.name], snapshot)
        cards.append(Score(product.name, tuple(facts)))
    broken = context.mesh.broken
    return cards + [Score(item.name, (Fact("interoperable", _VALID, False, str(item.finding)),)) for item in broken]


class _Others:
    """What the ports of all products have in common with those of one: columns, and readers; `read` are the ports with one."""

    def __init__(self, mesh: Mesh) -> None:
        self.read = {item.port for product in mesh.products for item in product.inputs}
        self._with_ports = {product.name for product in mesh.products if product.ports}
        self._owners: dict[tuple[str, str], set[str]] = {}
        for product in mesh.products:
            for column in (column for port in product.ports for column in port.contract.columns):
                self._owners.setdefault((column.name, column.type), set()).add(product.name)

    def join(self, product: str, contract: Contract) -> bool | None:
        """Return whether another product has a column of the same name and type; None where no other has a port."""
        if not self._with_ports - {product}:
            return None
        return any(self._owners[column.name, column.type] - {product} for column in contract.columns)


def _product_facts(product: DataProduct, catalog: set[str]) -> Iterator[Fact]:
    descriptor = short(product.folder / DESCRIPTOR)
    yield Fact("discoverable", "is in the catalog of the mesh", product.name in catalog, "run `kit sync`")
    yield Fact(
        "discoverable", "its purpose is described", bool(product.description), f"write description.purpose in {descriptor}"
    )
    yield Fact("discoverable", "has tags", bool(product.tags), f"write tags in {descriptor}")
    yield Fact("discoverable", "its owner has an e-mail address", has_email(product), f"write the owner's in {descriptor}")
    readme = product.folder / "README.md"
    yield Fact("understandable", "has a README", readme.is_file(), f"write {short(readme)}: grain, defects, owner", _LINES)
    yield Fact("interoperable", _VALID, True, "")


def _contract_facts(context: Context, product: DataProduct, port: OutputPort, others: "_Others") -> Iterator[Fact]:
    """Yield the facts about a port that its contract and the other products show."""
    contract, columns, file = port.contract, port.contract.columns, short(port.contract.path)
    described = all(column.description for column in columns)
    yield Fact("understandable", f"{port.name}: every column has a description", described, f"describe all in {file}", _LINES)
    fix = f"write dataGranularityDescription in {file}"
    yield Fact("understandable", f"{port.name}: its grain is described", GRAIN in contract.described, fix)
    for part in DESCRIBED:
        is_described = part in contract.described
        yield Fact("understandable", f"{port.name}: {part} described", is_described, f"write description.{part} in {file}")
    has_frequency = contract.sla.frequency is not None
    yield Fact("trustworthy", f"{port.name}: has a frequency", has_frequency, f"write the SLA frequency in {file}")
    yield Fact("trustworthy", f"{port.name}: has rules", bool(contract.rules), f"write quality rules in {file}", _LINES)
    yield Fact("interoperable", f"{port.name}: has a key", bool(contract.key), f"mark its key in {file}")
    joins = others.join(product.name, contract)
    fix = f"use the names and types of other products for the same columns in {file}"
    yield Fact("interoperable", f"{port.name}: shares a column with another product", joins, fix, _OTHERS)
    portable = not any(column.type.endswith("]") or column.type in _DUCKDB_TYPES for column in columns)
    yield Fact("interoperable", f"{port.name}: every engine knows its types", portable, f"choose plain types in {file}")
    read_by_product = any(port.id == read.port for other in product.ports for read in other.reads)
    is_read: bool | None = read_by_product or port.id in others.read
    if not is_read and context.mesh.possible_readers(port.id):
        is_read = None  # a broken product may read it
    yield Fact(
        "valuable", f"{port.name}: is read in the mesh", is_read, f"offer {port.id} to other domains, or drop it", _OTHERS
    )
    classified = all(column.classification in CLASSIFICATIONS for column in columns)
    yield Fact("secure", f"{port.name}: every column is classified", classified, f"classify all in {file}", _LINES)
    exemption = context.config.policy.exemption if context.config.policy else lambda name: None
    unmasked = [column.name for column in columns if is_unmasked(column) and exemption(f"{port.id}.{column.name}") is None]
    fix = f"mask {', '.join(unmasked)} in {file}, or exempt with a reason in [tool.kit.policy]"
    yield Fact("secure", f"{port.name}: personal columns are masked or exempted", not unmasked, fix)


def _snapshot_facts(product: DataProduct, port: OutputPort, status: PortStatus, snapshot: Snapshot | None) -> Iterator[Fact]:
    """Yield the facts about a port that its snapshot shows; they are unknown without a snapshot."""
    name, build = port.name, f"run `kit run {product.name}`"
    entry = snapshot.manifest["ports"].get(name) if snapshot else None
    files = snapshot.paths(name) if snapshot and entry else []
    exist = bool(files) and all(path.is_file() for path in files)
    masks = {column.name: column.mask.kind for column in port.contract.masked_columns if column.mask}
    masked = entry is not None and masks.items() <= entry.get("masked", {}).items()

    def fact(
        trait: str, text: str, passed: bool, fix: str = f"run `kit run {product.name} --force`", effort: int = _BUILD
    ) -> Fact:
        return Fact(trait, f"{name}: {text}", passed if entry else None, fix, effort)

    yield fact("addressable", "the files of its snapshot exist", exist)
    listed = snapshot is not None and name in _catalog_entries(snapshot.folder.parent / CATALOG)
    yield fact("addressable", "is in the catalog of its snapshot", listed)
    same = entry is not None and entry["contract_version"] == str(port.contract.version)
    yield fact("addressable", "serves the version of its contract", same, build)
    yield fact(
        "trustworthy",
        "all checks of the last build passed",
        not status.port.failed,
        "see `kit status`; correct it, then build",
    )
    yield fact("trustworthy", "keeps its service levels", status.state == PortState.FRESH, build)
    if product.partitions or product.inputs:
        yield fact("trustworthy", "is made from what is published now", not status.inputs, build)
    yield fact("accessible", "plain Parquet files", exist and all(map(_is_parquet, files)))
    yield fact("accessible", "SQL reads the columns of its contract", exist and _readable(port, files), build)
    yield fact("accessible", "plain Intake finds it", listed)
    yield fact("secure", "is masked as in its contract", masked, build)


def _catalog_entries(path: Path) -> set[str]:
    try:
        return set(read_yaml(path).data.get("entries") or {})
    except (KitError, OSError):
        return set()


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(-4, 2)
            return start == file.read(4) == b"PAR1"
    except OSError:  # an empty file, or one that may not be read
        return False


def _readable(port: OutputPort, files: list[Path]) -> bool:
    import duckdb

    try:
        with database.connect() as connection:
            database.add_views(connection, {"port": files})
            return not port.contract.schema_problems(database.column_types(connection, "port"))
    except duckdb.Error:
        return False
