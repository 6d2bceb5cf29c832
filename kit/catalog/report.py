"""The whole mesh as one page to open, print or send: nothing in it runs, and nothing is fetched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from kit.build import HIDDEN, personal, redact
from kit.catalog import lineage_diagram, quality_grid
from kit.catalog.quality_history import History, builds, of_tables
from kit.contracts import Check, Contract, counts
from kit.core import Config, KitError, __version__, current_commit
from kit.drawing import Picture
from kit.governance import TRAITS, Score, scores
from kit.lineage import columns, lineage
from kit.mesh import RAW, DataProduct, Mesh, OutputPort
from kit.notebooks import POLICY
from kit.quality import subjects
from kit.storage import PortStatus, Record, Runs, Store, span, statuses

_RUNS = 10


@dataclass(frozen=True)
class CheckRow:
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
    lines: tuple[CheckRow, ...]
    aside: int | None


@dataclass(frozen=True)
class PortTable(Table):
    """A port; `readers` are the products that read it, with the columns they use, in words."""

    port: OutputPort
    status: PortStatus
    readers: Mapping[str, str]


@dataclass(frozen=True)
class ProductSection:
    """One product. `others` are checks of what is neither port nor raw data; `private` says that a column is personal."""

    product: DataProduct
    picture: Picture
    ports: tuple[PortTable, ...]
    sources: tuple[Table, ...]
    others: tuple[CheckRow, ...]
    runs: tuple[Record, ...]
    consumers: tuple[str, ...]
    score: Score
    private: bool


def chapters(config: Config, mesh: Mesh, rows: Sequence[PortStatus]) -> list[ProductSection]:
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
            ProductSection(
                product=product,
                picture=lineage_diagram.of_product(graph, product.name),
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


def _lines(config: Config, product: DataProduct) -> dict[str, tuple[CheckRow, ...]]:
    """The checks of a product by table, those that did not always pass first."""
    raw, ports = subjects(product)
    found = builds(config, product.name)
    histories = of_tables(product.name, found, frozenset(check.table for build in found for check in build.checks)).checks
    last = redact(raw + ports, config.clock(), [history.last for history in histories], personal)
    lines: dict[str, tuple[CheckRow, ...]] = {}
    for line in sorted(map(CheckRow, histories, last), key=lambda line: line.steady):
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


def write_report(config: Config, mesh: Mesh, path: Path) -> Path:
    """Write the page to a file, whose folder is made when it is not there; raises `KitError` when that cannot be done."""
    page = html(config, mesh)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise KitError(f"cannot write {path}: {error.strerror}; name another file with --output") from None
    return path


def html(config: Config, mesh: Mesh) -> str:
    """The page. Of personal and masked columns it shows no value, neither in samples, which it leaves out, nor observed."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    here = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    place = f"{config.root}/"  # the page is read elsewhere
    here.filters |= {
        "span": span,
        "moment": quality_grid.moment,
        "message": _message,
        "here": lambda text: text.replace(place, ""),
    }
    rows = statuses(config, mesh)
    ports = [f"{row.card.name}.{row.port.name}" for row in rows if row.port.name]
    found = chapters(config, mesh, rows)
    return here.get_template("report.html").render(
        policy=POLICY, style=Path(__file__).with_name("report.css").read_text(encoding="utf-8"), now=datetime.now(UTC),
        config=config, version=__version__, commit=current_commit(config.root), traits=TRAITS, rows=rows, chapters=found,
        broken=mesh.broken, scores=[chapter.score for chapter in found], tally=_tally(rows),
        lineage=lineage_diagram.of_mesh(mesh), quality=quality_grid.of_mesh(config, ports),
    )  # fmt: skip


def _message(record: Record, private: bool) -> str:
    """Why a build failed, in its first line; of a product with personal columns without what may quote a value."""
    failed = counts(record.checks)["failed"]
    if failed:
        return f"{failed} check{'s' * (failed > 1)} failed, nothing was published"
    if private and record.failed:
        return f"it failed with a message that may quote personal data; see run {record.run_id}"
    return record.message.partition("\n")[0]


def _tally(rows: Sequence[PortStatus]) -> dict[str, int]:
    ports = [row for row in rows if row.port.name]
    return {
        "data products": len({row.card.name for row in rows}),
        "ports": len(ports),
        "rows published": sum(row.port.rows or 0 for row in ports),
        "checks passed": sum(row.port.passed for row in ports),
        "checks that warn": sum(row.port.warned for row in ports),
        "checks failed": sum(row.port.failed for row in ports),
        "ports not fresh": sum(row.state != "fresh" for row in ports),
        "rows set aside": sum(row.port.quarantined or 0 for row in ports),
    }
