"""What the report tells of each product: its tables, what their checks found, its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from kit import columns, neighbourhood
from kit.checks import Check
from kit.config import Config
from kit.contract import Contract
from kit.discretion import HIDDEN, discreet, personal
from kit.errors import KitError
from kit.lineage import lineage
from kit.mesh import Mesh
from kit.picture import Picture
from kit.product import RAW, DataProduct, OutputPort
from kit.quality import History, builds, of_tables
from kit.runs import Record, Runs
from kit.scorecard import Score, scores
from kit.status import PortStatus
from kit.store import Store
from kit.subjects import subjects

_RUNS = 10


@dataclass(frozen=True)
class Line:
    """One check: what was found `last`, without values of personal columns, and by the builds before."""

    history: History
    last: Check

    @property
    def steady(self) -> bool:
        """Whether it passed in every build."""
        return all(result.check.passed for result in self.history.results)

    @property
    def found(self) -> str:
        """What was observed last, as far as that may be told."""
        return "" if self.last.observed == HIDDEN else self.last.observed


@dataclass(frozen=True)
class Table:
    """A raw source: its contract, what its checks found, and how many rows were set aside, None where none ever are."""

    contract: Contract
    lines: tuple[Line, ...]
    aside: int | None


@dataclass(frozen=True)
class PortTable(Table):
    """A port; `readers` are the products that read it, with the columns they use, in words."""

    port: OutputPort
    status: PortStatus
    readers: Mapping[str, str]


@dataclass(frozen=True)
class Chapter:
    """One product. `others` are checks of what is neither port nor raw data; `private` says that a column is personal."""

    product: DataProduct
    picture: Picture
    ports: tuple[PortTable, ...]
    sources: tuple[Table, ...]
    others: tuple[Line, ...]
    runs: tuple[Record, ...]
    consumers: tuple[str, ...]
    score: Score
    private: bool


def chapters(config: Config, mesh: Mesh, rows: Sequence[PortStatus]) -> list[Chapter]:
    """The chapters of the healthy products, providers before consumers; `rows` are the states of their ports."""
    graph, uses = lineage(mesh), columns.uses(config, mesh)
    states = {f"{row.card.name}.{row.port.name}": row for row in rows}
    known = {score.product: score for score in scores(config, mesh)}
    found = []
    for product in mesh.products:
        lines, aside = _lines(config, product), _set_aside(config, product)
        raw = {f"{RAW}.{source.name}": source.contract for source in product.sources}
        ports = []
        for port in product.ports:
            state, readers = states[port.id], {name: _used(used) for name, used in uses[port.id].items()}
            ports.append(PortTable(port.contract, lines.pop(port.name, ()), state.port.quarantined, port, state, readers))
        found.append(
            Chapter(
                product=product,
                picture=neighbourhood.of_product(graph, product.name),
                ports=tuple(ports),
                sources=tuple(Table(contract, lines.pop(name, ()), aside.get(name)) for name, contract in raw.items()),
                others=tuple(line for rest in lines.values() for line in rest),
                runs=tuple(islice(Runs(config.storage).history(product.name), _RUNS)),
                consumers=mesh.consumers(product.name),
                score=known[product.name],
                private=any(personal(contract) for contract in (*raw.values(), *(port.contract for port in product.ports))),
            )
        )
    return found


def _lines(config: Config, product: DataProduct) -> dict[str, tuple[Line, ...]]:
    """The checks of a product by table, those that did not always pass first."""
    raw, ports = subjects(product)
    found = builds(config, product.name)
    histories = of_tables(product.name, found, frozenset(check.table for build in found for check in build.checks)).checks
    last = discreet(raw + ports, config.clock(), [history.last for history in histories], personal)
    lines: dict[str, tuple[Line, ...]] = {}
    for line in sorted(map(Line, histories, last), key=lambda line: line.steady):
        lines[line.history.table] = (*lines.get(line.history.table, ()), line)
    return lines


def _set_aside(config: Config, product: DataProduct) -> dict[str, int]:
    """The rows of each raw table that the current snapshot's build set aside."""
    try:
        snapshot = Store(config.storage).current(product.name)
    except KitError:
        return {}
    sources = snapshot.manifest["sources"] if snapshot else {}
    return {f"{RAW}.{name}": entry["quarantined"] for name, entry in sources.items() if "quarantined" in entry}


def _used(used: frozenset[str] | None) -> str:
    return "columns that its code does not tell" if used is None else ", ".join(sorted(used)) or "no column by name"
