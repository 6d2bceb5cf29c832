"""The report: the whole mesh as one HTML page without scripts or links to other files, to open, print or send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from kit.build import HIDDEN, redact
from kit.catalog import lineage_diagram, quality_grid
from kit.catalog.quality_history import CheckHistory, check_histories, checked_builds
from kit.contracts import Check, Contract, Verdict, counts
from kit.core import Config, KitError, __version__, counted, current_commit
from kit.drawing import Picture
from kit.governance import TRAITS, Score, scores
from kit.lineage import column_use, lineage
from kit.mesh import RAW, Context, DataProduct, OutputPort
from kit.notebooks import POLICY
from kit.quality import audit_targets
from kit.storage import PortStatus, RunRecord, Runs, format_duration, statuses, tally

_RUNS = 10


@dataclass(frozen=True)
class CheckRow:
    """One check: its history, and its `last` result without values of personal columns."""

    history: CheckHistory
    last: Check

    @property
    def always_passed(self) -> bool:
        """Whether the check passed in every build."""
        return self.history.always_passed

    @property
    def observed(self) -> str:
        """The last observed value; empty when it is hidden."""
        return "" if self.last.observed == HIDDEN else self.last.observed


@dataclass(frozen=True)
class TableSection:
    """A raw source: contract, checks and number of quarantined rows, None when no rule of the contract quarantines."""

    contract: Contract
    checks: tuple[CheckRow, ...]
    quarantined: int | None


@dataclass(frozen=True)
class PortSection(TableSection):
    """A port; `readers` are the products that read it, with the columns they use as text."""

    port: OutputPort
    status: PortStatus
    readers: Mapping[str, str]


@dataclass(frozen=True)
class ProductSection:
    """One product: lineage picture, ports, raw sources, checks of models, newest runs, consumers and score."""

    product: DataProduct
    picture: Picture
    ports: tuple[PortSection, ...]
    sources: tuple[TableSection, ...]
    model_checks: tuple[CheckRow, ...]
    runs: tuple[RunRecord, ...]
    consumers: tuple[str, ...]
    score: Score
    has_personal_columns: bool


def write_report(context: Context, path: Path) -> Path:
    """Write the report to a file, with its missing folders; raises `KitError` when the file cannot be written."""
    page = render_report(context)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise KitError(f"cannot write {path}: {error.strerror}; name another file with --output") from None
    return path


def render_report(context: Context) -> str:
    """Return the page. It contains no values of personal and masked columns, neither samples nor observed values."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    config, mesh = context.config, context.mesh
    root = f"{config.root}/"  # the page is read on other machines
    environment.filters |= {
        "duration": format_duration,
        "time": quality_grid.format_time,
        "message": _message,
        "without_root": lambda text: text.replace(root, ""),
    }
    rows = statuses(context)
    ports = [f"{row.product.name}.{row.port.name}" for row in rows if row.port.name]
    products = sections(context, rows)
    return environment.get_template("report.html").render(
        policy=POLICY, style=Path(__file__).with_name("report.css").read_text(encoding="utf-8"), now=datetime.now(UTC),
        config=config, version=__version__, commit=current_commit(config.root), traits=TRAITS, rows=rows, sections=products,
        broken=mesh.broken, scores=[section.score for section in products], tally=tally(rows),
        lineage=lineage_diagram.draw_mesh(mesh), quality=quality_grid.draw_mesh(config, ports),
    )  # fmt: skip


def sections(context: Context, rows: Sequence[PortStatus]) -> list[ProductSection]:
    """Return the sections of the valid products, providers before consumers; `rows` are the statuses of all ports."""
    graph, uses = lineage(context.mesh), column_use(context)
    by_port = {f"{row.product.name}.{row.port.name}": row for row in rows}
    quarantined = {row.product.name: row.product.set_aside for row in rows}
    by_product = {score.product: score for score in scores(context)}
    result = []
    for product in context.mesh.products:
        checks = _checks_by_table(context.config, product)
        raw = {f"{RAW}.{source.name}": source.contract for source in product.sources}
        ports = []
        for port in product.ports:
            status, readers = by_port[port.id], {name: _format_columns(used) for name, used in uses[port.id].items()}
            ports.append(PortSection(port.contract, checks.pop(port.name, ()), status.port.quarantined, port, status, readers))
        broken = {name: None for port in product.ports for name in context.mesh.possible_readers(port.id)}
        possible = tuple(f"perhaps {name} (broken)" for name in broken)
        sources = [
            TableSection(contract, checks.pop(name, ()), quarantined[product.name].get(name)) for name, contract in raw.items()
        ]
        result.append(
            ProductSection(
                product=product,
                picture=lineage_diagram.draw_product(graph, product.name),
                ports=tuple(ports),
                sources=tuple(sources),
                model_checks=tuple(check for rest in checks.values() for check in rest),
                runs=tuple(islice(Runs(context.config.storage).history(product.name), _RUNS)),
                consumers=(*context.mesh.consumers(product.name), *possible),
                score=by_product[product.name],
                has_personal_columns=any(table.contract.hidden_columns for table in (*sources, *ports)),
            )
        )
    return result


def _checks_by_table(config: Config, product: DataProduct) -> dict[str, tuple[CheckRow, ...]]:
    """Return the checks of a product by table, those that did not always pass first."""
    raw, ports = audit_targets(product)
    histories = check_histories(checked_builds(config, product.name))
    last = redact(raw + ports, config.clock(), [history.last for history in histories])
    rows: dict[str, tuple[CheckRow, ...]] = {}
    for row in sorted(map(CheckRow, histories, last), key=lambda row: row.always_passed):
        rows[row.history.table] = (*rows.get(row.history.table, ()), row)
    return rows


def _format_columns(used: frozenset[str] | None) -> str:
    return "columns that cannot be found in its code" if used is None else ", ".join(sorted(used)) or "no column by name"


def _message(record: RunRecord, has_personal_columns: bool) -> str:
    """Return the first line of a run's message, without a text that may quote values of personal columns."""
    failed = counts(record.checks)[Verdict.FAILED]
    if failed:
        return f"{counted(failed, 'check')} failed, nothing was published"
    if has_personal_columns and record.failed:
        return f"failed with a message that may quote personal data; see run {record.run_id}"
    return record.message.partition("\n")[0]
