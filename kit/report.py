"""The whole mesh as one page to open, print or send: nothing in it runs, and nothing is fetched."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kit import evidence, neighbourhood
from kit.chapters import chapters
from kit.checks import counts
from kit.config import Config
from kit.errors import KitError
from kit.mesh import Mesh
from kit.notebook_html import POLICY
from kit.revision import commit
from kit.runs import Record
from kit.scorecard import TRAITS
from kit.status import PortStatus, span, statuses
from kit.version import __version__


def write(config: Config, mesh: Mesh, path: Path) -> Path:
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
    here.filters |= {"span": span, "moment": evidence.moment, "message": _message, "here": lambda text: text.replace(place, "")}
    rows = statuses(config, mesh)
    ports = [f"{row.card.name}.{row.port.name}" for row in rows if row.port.name]
    found = chapters(config, mesh, rows)
    return here.get_template("report.html").render(
        policy=POLICY, style=Path(__file__).with_name("report.css").read_text(encoding="utf-8"), now=datetime.now(UTC),
        config=config, version=__version__, commit=commit(config.root), traits=TRAITS, rows=rows, chapters=found,
        broken=mesh.broken, scores=[chapter.score for chapter in found], tally=_tally(rows),
        lineage=neighbourhood.of_mesh(mesh), quality=evidence.of_mesh(config, ports),
    )  # fmt: skip


def _message(record: Record, private: bool) -> str:
    """Why a build failed, in its first line; of a product with personal columns without what may quote a value."""
    failed = counts(record.checks)["failed"]
    if failed:
        return f"{failed} check{'s' * (failed > 1)} failed, nothing was published"
    if private and record.status == "failed":
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
