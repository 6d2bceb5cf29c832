"""The tabs Overview, Sample, Lineage and Code."""

from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from kit.catalog import lineage_diagram
from kit.catalog.port_view import PortView
from kit.contracts import Contract
from kit.core import database
from kit.drawing import Html, markup
from kit.mesh import Context, Mesh
from kit.storage import CATALOG, Store, read_current


def render_overview(view: PortView) -> Html:
    """Return the facts of the port; for a broken product those of its last snapshot."""
    entry, mesh, contract = view.entry, view.mesh(), view.contract()
    facts: dict[str, object] = {name: markup.colour_states(text) for name, text in entry.facts().items() if name != "read it"}
    if contract is not None:
        facts["classification"] = _classification(contract)
        facts["made from"] = _made_from(mesh, entry.id)
    facts["read by"] = _read_by(mesh, entry.id)
    return markup.joined((markup.paragraph(entry.port.description), markup.fact_table(facts)))


def _classification(contract: Contract) -> str:
    counts = Counter(column.classification or "not classified" for column in contract.columns)
    masked = [column.name for column in contract.columns if column.mask]
    columns = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"columns: {columns}" + (f"; masked: {', '.join(masked)}" if masked else "")


def _made_from(mesh: Mesh, port_id: str) -> str:
    product = mesh.product(port_id.partition(".")[0])
    port = mesh.port(port_id)
    reads = port.reads if port.notebook else product.inputs
    raw = () if port.notebook else (f"raw data {source.name}" for source in product.sources)
    return f"{', '.join((*raw, *(item.port for item in reads))) or 'nothing'}; by {'a notebook' if port.notebook else 'dbt'}"


def _read_by(mesh: Mesh, port_id: str) -> str:
    readers = [f"{reader.name} ({reader.owner})" for reader in mesh.readers(port_id)]
    readers += [f"perhaps {name} (broken)" for name in mesh.possible_readers(port_id)]
    return ", ".join(readers) or "no other product"


_ROWS = 20
_LONGEST = 80
_UNBROKEN = ("date", "time", "uuid")
_NUMBERS = ("int", "double", "float", "decimal")


def render_sample(view: PortView) -> Html:
    """Return at most 20 rows, with the masks of columns; raises `NotPublished`, or `KitError` for a pruned snapshot."""
    with view.snapshot() as snapshot, database.connect() as connection:
        first = database.relation(snapshot.files(view.name), connection).limit(_ROWS)
        names, types, rows = first.columns, [str(kind).lower() for kind in first.types], first.fetchall()
        masked: dict[str, str] = snapshot.port(view.name).get("masked", {})
    columns = [f"{name} (masked: {masked[name]})" if name in masked else name for name in names]
    unbroken = [column for column, kind in zip(columns, types, strict=True) if kind.startswith(_UNBROKEN)]
    numbers = [column for column, kind in zip(columns, types, strict=True) if any(word in kind for word in _NUMBERS)]
    count = f"{len(rows)} of {view.entry.format_rows()} rows of snapshot {snapshot.version}."
    table = markup.table(columns, ([_value(value) for value in row] for row in rows), numbers=numbers, unbroken=unbroken)
    return markup.joined((markup.paragraph(count), table))


def _value(value: Any) -> Html:
    if value is None:
        return markup.muted("null")
    if isinstance(value, float):
        return markup.html(f"{value:,.6g}")
    text = str(value) if isinstance(value, str | int | Decimal | date | datetime | time) else repr(value)
    return markup.html(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def render_lineage(view: PortView) -> Html:
    """Return the lineage of the whole port or of the picked column; raises `MeshError` when its product is broken."""
    context, name, picked = Context(view.config).with_mesh(view.mesh()), view.entry.id, view.picked
    draw = lineage_diagram.draw_column
    picture = draw(context, name, picked) if picked else lineage_diagram.draw_port(context.mesh, name)
    choices = [("the whole port", ""), *((column.name, column.name) for column in view.entry.port.columns)]
    buttons = [markup.bold(text) if value == picked else markup.pick_button(text, value) for text, value in choices]
    return markup.joined(
        (markup.paragraph(markup.joined(("Lineage of ", markup.joined(buttons, ", ")))), markup.image(picture))
    )


def render_code(view: PortView) -> Html:
    """Return code that reads the port, for each library: Python that runs in a notebook of the mesh, and SQL."""
    name = view.entry.id
    product, _, port = name.partition(".")
    folder = Store(view.config.storage).folder(product).resolve()
    catalog = folder / CATALOG
    examples = {
        "polars": f'import kit\n\nframe = kit.read("{name}")',
        "polars, lazily": f'import kit\n\nframe = kit.scan("{name}")',
        "DuckDB": f'import kit\n\nrelation = kit.open().to_duckdb("{name}")\nrelation.limit(10)',
        "pandas": f'import kit\n\nframe = kit.open().to_pandas("{name}")',
        "Intake, without the kit": f'import intake\n\nframe = intake.open_catalog("{catalog}")["{port}"].read().collect()',
        "SQL of DuckDB, without the kit": read_current(str(folder), port),
    }
    return markup.joined(part for title, text in examples.items() for part in (markup.heading(title), markup.code(text)))
