"""The score card: how usable each product is, by the eight traits of data products, as shares of facts that were measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.contracts import CLASSIFICATIONS
from kit.core import Config, KitError, database, mappings, read_yaml, short
from kit.governance.policy import has_email, plain
from kit.mesh import DESCRIPTOR, DataProduct, Mesh, OutputPort
from kit.storage import CATALOG, PortState, PortStatus, Snapshot, Store, statuses

TRAITS = ("discoverable", "addressable", "understandable", "trustworthy", "accessible", "interoperable", "valuable", "secure")

_LINE, _LINES, _BUILD, _OTHERS = range(4)  # what a fix takes, the cheapest first


@dataclass(frozen=True)
class Fact:
    """Something that was looked at: `passed` is None when only a snapshot could tell and there is none.

    `fix` says how it comes to hold; of two, the one with the lower `effort` is cheaper.
    """

    trait: str
    what: str
    passed: bool | None
    fix: str
    effort: int = _LINE

    def to_json(self) -> dict[str, Any]:
        """The fact as JSON values, without a fix when none is needed."""
        return {
            "trait": self.trait,
            "fact": self.what,
            "passed": self.passed,
            "fix": self.fix if self.passed is False else None,
        }


@dataclass(frozen=True)
class Score:
    """All facts about one product."""

    product: str
    facts: tuple[Fact, ...]

    def share(self, trait: str) -> float | None:
        """The share of the known facts of a trait that hold; None when nothing is known."""
        known = [fact.passed for fact in self.facts if fact.trait == trait and fact.passed is not None]
        return sum(known) / len(known) if known else None

    @property
    def cheapest(self) -> Fact | None:
        """The failed fact that is the least work to put right."""
        return min((fact for fact in self.facts if fact.passed is False), key=lambda fact: fact.effort, default=None)

    def to_json(self) -> dict[str, Any]:
        """The score as JSON values."""
        shares = {trait: self.share(trait) for trait in TRAITS}
        return {"product": self.product, "shares": shares, "facts": [fact.to_json() for fact in self.facts]}


def scores(config: Config, mesh: Mesh) -> list[Score]:
    """The score of every product in build order, then those of the broken ones, of which only that is known."""
    listed = _catalogued(config.root / CATALOG)
    states = {(row.product.name, row.port.name): row for row in statuses(config, mesh)}
    found = []
    for product in mesh.products:
        try:
            snapshot = Store(config.storage).current(product.name)
        except KitError:
            snapshot = None
        facts = [*_product(product, listed)]
        for port in product.ports:
            facts += _promised(config, mesh, product, port)
            facts += _published(product, port, states[product.name, port.name], snapshot)
        found.append(Score(product.name, tuple(facts)))
    valid = "its files follow ODPS and ODCS"
    return found + [Score(item.name, (Fact("interoperable", valid, False, str(item.finding)),)) for item in mesh.broken]


def _product(product: DataProduct, listed: set[str]) -> Iterator[Fact]:
    descriptor = short(product.folder / DESCRIPTOR)
    yield Fact("discoverable", "stands in the catalog of the mesh", product.name in listed, "run `kit sync`")
    yield Fact("discoverable", "says what it is for", bool(product.description), f"write description.purpose in {descriptor}")
    yield Fact("discoverable", "has tags to be found by", bool(product.tags), f"write tags in {descriptor}")
    yield Fact("discoverable", "its owner has an e-mail address", has_email(product), f"write the owner's in {descriptor}")
    readme = product.folder / "README.md"
    yield Fact("understandable", "has a README", readme.is_file(), f"write {short(readme)}: grain, defects, owner", _LINES)
    yield Fact("interoperable", "its files follow ODPS and ODCS", True, "")


def _promised(config: Config, mesh: Mesh, product: DataProduct, port: OutputPort) -> Iterator[Fact]:
    """What contracts and the other products tell of a port."""
    contract, columns, file = port.contract, port.contract.columns, short(port.contract.path)
    data = read_yaml(contract.path).data
    about = data.get("description") or {}
    granular = any(table.get("dataGranularityDescription") for table in mappings(data.get("schema")))
    described = all(column.description for column in columns)
    yield Fact("understandable", f"{port.name}: every column has a description", described, f"describe all in {file}", _LINES)
    yield Fact("understandable", f"{port.name}: its grain is named", granular, f"write dataGranularityDescription in {file}")
    for part in ("usage", "limitations"):
        told = isinstance(about, dict) and bool(about.get(part))
        yield Fact("understandable", f"{port.name}: {part} told", told, f"write description.{part} in {file}")
    frequent = contract.sla.frequency is not None
    yield Fact("trustworthy", f"{port.name}: says how often it is published", frequent, f"write the SLA frequency in {file}")
    yield Fact("trustworthy", f"{port.name}: has rules", bool(contract.rules), f"write rules of quality in {file}", _LINES)
    yield Fact("interoperable", f"{port.name}: has a key", bool(contract.key), f"mark its key in {file}")
    others = [other for other in mesh.ports if other.id.partition(".")[0] != product.name]
    known = {(column.name, column.type) for other in others for column in other.contract.columns}
    joins = any((column.name, column.type) in known for column in columns) if others else None
    fix = f"call what others call so by the same name and type in {file}"
    yield Fact("interoperable", f"{port.name}: shares a column with another product", joins, fix, _OTHERS)
    everywhere = not any(column.type.endswith("]") or column.type in _HERE_ONLY for column in columns)
    yield Fact(
        "interoperable", f"{port.name}: its types are known to every engine", everywhere, f"choose plain types in {file}"
    )
    within = any(port.id == read.port for other in product.ports for read in other.reads)
    read = within or bool(mesh.readers(port.id))
    yield Fact("valuable", f"{port.name}: is read in the mesh", read, f"show {port.id} to other domains, or drop it", _OTHERS)
    classified = all(column.classification in CLASSIFICATIONS for column in columns)
    yield Fact("secure", f"{port.name}: every column is classified", classified, f"classify all in {file}", _LINES)
    exempt = config.policy.exemption if config.policy else lambda name: None
    shown = [column.name for column in columns if plain(column) and exempt(f"{port.id}.{column.name}") is None]
    fix = f"mask {', '.join(shown)} in {file}, or exempt with a reason in [tool.kit.policy]"
    yield Fact("secure", f"{port.name}: personal columns are masked or exempted", not shown, fix)


_HERE_ONLY = ("hugeint", "uhugeint", "json", "interval")


def _published(product: DataProduct, port: OutputPort, status: PortStatus, snapshot: Snapshot | None) -> Iterator[Fact]:
    """What the snapshot tells of a port; nothing is known of one that has none."""
    name, build = port.name, f"run `kit run {product.name}`"
    entry = snapshot.manifest["ports"].get(name) if snapshot else None
    files = snapshot.files(name) if snapshot and entry else []
    there = bool(files) and all(path.is_file() for path in files)
    masks = {column.name: column.mask.kind for column in port.contract.masked_columns if column.mask}
    kept = entry is not None and entry.get("masked", {}) == masks

    def fact(
        trait: str, what: str, passed: bool, fix: str = f"run `kit run {product.name} --force`", effort: int = _BUILD
    ) -> Fact:
        return Fact(trait, f"{name}: {what}", passed if entry else None, fix, effort)

    yield fact("addressable", "its pointer leads to files", there)
    listed = snapshot is not None and name in _catalogued(snapshot.folder.parent / CATALOG)
    yield fact("addressable", "its catalog entry stands beside the snapshot", listed)
    same = entry is not None and entry["contract_version"] == str(port.contract.version)
    yield fact("addressable", "serves the version its contract has", same, build)
    yield fact(
        "trustworthy", "all checks of the last build passed", not status.port.failed, "see `kit status`; repair, then build"
    )
    yield fact("trustworthy", "keeps its service levels", status.state == PortState.FRESH, build)
    yield fact("accessible", "plain Parquet files", there and all(map(_is_parquet, files)))
    yield fact("accessible", "SQL reads the columns of its contract", there and _readable(port, files), build)
    yield fact("accessible", "plain Intake finds it", listed)
    yield fact("secure", "published as its contract masks it", kept, build)


def _catalogued(path: Path) -> set[str]:
    try:
        return set(read_yaml(path).data.get("entries") or {})
    except (KitError, OSError):
        return set()


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(-4, 2)
        return start == file.read(4) == b"PAR1"


def _readable(port: OutputPort, files: list[Path]) -> bool:
    import duckdb

    try:
        with database.connect() as connection:
            database.add_views(connection, {"port": files})
            return not port.contract.schema_problems(database.column_types(connection, "port"))
    except duckdb.Error:
        return False
