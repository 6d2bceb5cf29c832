"""Meshes that are larger than the demo: many domains, and a product of many partitions."""

import json
import sys
from datetime import date, timedelta
from functools import partial
from itertools import count
from pathlib import Path

from tests.bench.measuring import Cost, Limit, Row, measure
from tests.bench.worker import WITHOUT
from tests.support.contracts import contract
from tests.support.files import write
from tests.support.many import many
from tests.support.products import descriptor, write_dbt_project

_KIT = [sys.executable, "-m", "kit"]
_CODE_LOCATION = """
from dagster._core.remote_representation.external_data import RepositorySnap
from kit.orchestration.definitions import defs
RepositorySnap.from_def(defs().get_repository_def())
"""
_BROWSE = """
import kit
browser = kit.open().browse()
browser.widget._repr_mimebundle_()
"""
_FIRST = date(2023, 1, 1)
_ROWS = 5_000  # of one day


def checking(folder: Path) -> list[Row]:
    """The rows of `kit check` and `kit sync --check` on 300 and 1,000 domains, of which one has changed."""
    rows = []
    for domains, limits in ((300, [Limit(1.5, "cpu", absolute=True)]), (1_000, [])):
        root = folder / f"check{domains}"
        many(root, domains)
        measure([*_KIT, "sync"], root, environment=WITHOUT)
        edits = count(1)
        for command in ("check", "sync --check"):
            rows.append(
                Row(f"kit {command}, {domains:,} domains, one changed", partial(_changed, root, command, edits), limits)
            )
    # Linear in the number of domains, with a tenth for chance.
    linear = [Limit(1.1 * 1_000 / 300, "cpu")]
    check, sync, more, more_sync = rows
    return [check, Row(more.name, more.work, linear), sync, Row(more_sync.name, more_sync.work, linear)]


def _changed(root: Path, command: str, edits: "count[int]") -> Cost:
    model = root / "domains/d0007/models/marts/lines.sql"
    text = model.read_text().partition("-- edit")[0]
    model.write_text(f"{text}-- edit {next(edits)}\n")
    return measure([*_KIT, *command.split()], root, environment=WITHOUT)


def loading(folder: Path) -> list[Row]:
    """The rows of loading Dagster's code location, with all that its web server asks for."""
    many(folder / "code", 300)
    return [
        Row("import dagster", partial(measure, [sys.executable, "-c", "import dagster"])),
        Row("code location of the demo", partial(measure, [sys.executable, "-c", _CODE_LOCATION])),
        Row(
            "code location of 300 domains",
            partial(measure, [sys.executable, "-c", _CODE_LOCATION], folder / "code"),
            [Limit(2, "cpu")],
        ),
    ]


def reporting(folder: Path) -> list[Row]:
    """The rows of the report of the demo and of 300 domains, one changed."""
    root = folder / "report"
    many(root, 300)
    edits, report = count(1), ["report", "--output", str(folder / "report.html")]
    return [
        Row("import kit", partial(measure, [sys.executable, "-c", "import kit"])),
        Row("kit report of the demo", partial(measure, [*_KIT, *report])),
        Row("kit report of 300 domains, one changed", partial(_changed, root, " ".join(report), edits)),
    ]


def browsing(folder: Path) -> list[Row]:
    """The rows of showing the catalog's application, its index being there."""
    many(folder / "browse", 1_000)
    return [
        Row("import ipywidgets", partial(measure, [sys.executable, "-c", "import ipywidgets, anywidget"])),
        Row("browse the demo", partial(measure, [sys.executable, "-c", _BROWSE])),
        Row("browse 1,000 products", partial(measure, [sys.executable, "-c", _BROWSE], folder / "browse")),
    ]


def partitions(folder: Path, days: int = 365) -> list[Row]:
    """The rows of a product with a partition for each day: all of them, and one new day."""
    root = folder / "days"
    columns = [("sold_on", "date", {"required": True}), ("item", "bigint", {"required": True}), ("price", "double", {})]
    reads = {"customProperties": [{"property": "reads", "value": [str(root)]}]}
    write(
        root / "domains/sales/sources/lines.odcs.yaml",
        json.dumps(json.loads(contract("sales.raw.lines", "lines", columns)) | reads),
    )
    write(root / "domains/sales/contracts/days.odcs.yaml", contract("sales.days", "days", columns))
    product = json.loads(descriptor("sales", inputs=["raw.lines"], outputs={"days": "dbt"}))
    partition = {
        "property": "partitions",
        "value": {"column": "sold_on", "start": f"{_FIRST}", "inputs": {"raw.lines": "sold_on"}},
    }
    write(root / "domains/sales/product.odps.yaml", json.dumps({**product, "customProperties": [partition]}))
    write_dbt_project(root / "domains/sales")
    source = {"name": "raw", "tables": [{"name": "lines"}]}
    write(root / "domains/sales/models/sources.yml", json.dumps({"sources": [source]}))
    write(root / "domains/sales/models/marts/days.sql", "select * from {{ source('raw', 'lines') }} order by item\n")
    feed = root / "lines.parquet"
    write(root / "domains/sales/ingest.py", f"def lines():\n    return {str(feed)!r}\n")
    known = count(days)
    state = root / "state"

    def deliver(number: int) -> None:
        columns = f"date '{_FIRST}' + (i // {_ROWS})::integer as sold_on, i as item, i / 100 as price"
        _duckdb(f"copy (select {columns} from range({number * _ROWS}) t(i)) to '{feed}' (format parquet)")
        as_of = _FIRST + timedelta(number - 1)
        write(root / "pyproject.toml", f'[tool.kit]\nstorage = "state"\nas_of = {as_of}\n')

    def build(*options: str) -> Cost:
        return measure([*_KIT, "run", *options], root, environment=WITHOUT)

    def whole() -> Cost | None:
        if state.exists():  # once is enough: it takes minutes
            return None
        deliver(next(known))
        measure([*_KIT, "sync"], root, environment=WITHOUT)
        return build()

    def new_day() -> Cost:
        deliver(next(known))
        return build()

    return [Row(f"{days} partitions", whole), Row("one new partition", new_day, [Limit(0.05)])]


def _duckdb(sql: str) -> None:
    import duckdb

    duckdb.execute(sql)
