"""What a port is, who stands for it, what it promises and who relies on it."""

from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from kit.catalog import lineage_diagram
from kit.catalog.port_view import PortView
from kit.contracts import Contract
from kit.core import database
from kit.drawing import Html, markup
from kit.mesh import Mesh
from kit.storage import Store, intake


def overview(opened: PortView) -> Html:
    """The facts of the port in words; of a broken product those that its last snapshot knows."""
    entry, mesh, contract = opened.entry, opened.mesh(), opened.contract()
    facts: dict[str, object] = {name: markup.states(text) for name, text in entry.facts().items() if name != "read it"}
    if contract is not None:
        facts["classification"] = _classification(contract)
        facts["made from"] = _made_from(mesh, entry.id)
    facts["read by"] = _read_by(mesh, entry.id)
    return markup.joined((markup.paragraph(entry.port.description), markup.facts(facts)))


def _classification(contract: Contract) -> str:
    counts = Counter(column.classification or "not classified" for column in contract.columns)
    masked = [column.name for column in contract.columns if column.mask]
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"columns: {told}" + (f"; masked: {', '.join(masked)}" if masked else "")


def _made_from(mesh: Mesh, port_id: str) -> str:
    product = mesh.product(port_id.partition(".")[0])
    port = mesh.port(port_id)
    reads = port.reads if port.notebook else product.inputs
    raw = () if port.notebook else (f"raw data {source.name}" for source in product.sources)
    return f"{', '.join((*raw, *(item.port for item in reads))) or 'nothing'}; by {'a notebook' if port.notebook else 'dbt'}"


def _read_by(mesh: Mesh, port_id: str) -> str:
    readers = [f"{reader.name} ({reader.owner})" for reader in mesh.readers(port_id)]
    return ", ".join(readers) or "no other product"


_ROWS = 20
_LONGEST = 80
_NUMBERS = ("int", "double", "float", "decimal")


def sample(opened: PortView) -> Html:
    """At most 20 rows; masked columns say so below their names. Raises `NotPublished`, or `KitError` for one pruned."""
    with opened.snapshot() as snapshot, database.connect() as connection:
        found = database.relation(snapshot.files(opened.name), connection).limit(_ROWS)
        names, types, rows = found.columns, [str(kind).lower() for kind in found.types], found.fetchall()
        masked: dict[str, str] = snapshot.port(opened.name).get("masked", {})
    columns = [f"{name} (masked: {masked[name]})" if name in masked else name for name in names]
    numbers = [column for column, kind in zip(columns, types, strict=True) if any(word in kind for word in _NUMBERS)]
    count = f"{len(rows)} of {opened.entry.rows()} rows of snapshot {snapshot.version}."
    table = markup.table(columns, ([_value(value) for value in row] for row in rows), numbers=numbers)
    return markup.joined((markup.paragraph(count), table))


def _value(value: Any) -> Html:
    if value is None:
        return markup.soft("null")
    if isinstance(value, float):
        return markup.html(f"{value:,.6g}")
    text = str(value) if isinstance(value, str | int | Decimal | date | datetime | time) else repr(value)
    return markup.html(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def lineage(opened: PortView) -> Html:
    """A picture of the whole port or of the column that was picked; raises `MeshError` when its product is broken."""
    mesh, name, picked = opened.mesh(), opened.entry.id, opened.picked
    picture = lineage_diagram.of_column(opened.config, mesh, name, picked) if picked else lineage_diagram.of_port(mesh, name)
    offers = [("the whole port", ""), *((column.name, column.name) for column in opened.entry.port.columns)]
    words = [markup.bold(text) if value == picked else markup.offer(text, value) for text, value in offers]
    return markup.joined((markup.paragraph(markup.joined(("Look at ", markup.joined(words, ", ")))), markup.image(picture)))


def code(opened: PortView) -> Html:
    """A piece of code for each library, to be copied; each runs as it stands in a notebook of the mesh."""
    name = opened.entry.id
    product, _, port = name.partition(".")
    catalog = (Store(opened.config.storage).folder(product) / intake.LOCAL).resolve()
    pieces = {
        "polars": f'import kit\n\nframe = kit.read("{name}")',
        "polars, lazily": f'import kit\n\nframe = kit.scan("{name}")',
        "DuckDB": f'import kit\n\nrelation = kit.open().to_duckdb("{name}")\nrelation.limit(10)',
        "pandas": f'import kit\n\nframe = kit.open().to_pandas("{name}")',
        "Intake, without the kit": f'import intake\n\nframe = intake.open_catalog("{catalog}")["{port}"].read().collect()',
    }
    return markup.joined(part for title, text in pieces.items() for part in (markup.heading(title), markup.code(text)))
