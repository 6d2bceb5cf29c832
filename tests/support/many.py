"""A mesh of many small products, for tests of large meshes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.contracts import contract, valid
from tests.support.files import write
from tests.support.products import descriptor, write_dbt_project

ROWS = 20
SHOPS = ("north", "south", "east")
COLUMNS = [
    ("event_id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
    ("shop", "varchar", {"required": True, "quality": [valid(*SHOPS)]}),
    ("item", "varchar", {"required": True, "logicalTypeOptions": {"pattern": "^item [0-9]+$"}}),
    ("sold_on", "date", {"required": True}),
    ("quantity", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 1, "maximum": 100}}),
    ("price", "decimal(10,2)", {"required": True, "logicalTypeOptions": {"minimum": 0}}),
    ("discount", "decimal(10,2)", {"required": True, "logicalTypeOptions": {"minimum": 0, "maximum": 5}}),
    ("weight", "double", {"logicalTypeOptions": {"minimum": 0}}),
    ("household_id", "bigint", {"required": True, "classification": "personal"}),
    ("channel", "varchar", {"required": True, "logicalTypeOptions": {"minLength": 2, "maxLength": 20}}),
    ("note", "varchar", {}),
]  # fmt: skip
VOLUME = {"name": "volume", "type": "library", "metric": "rowCount", "mustBeBetween": [1, 1000]}


def many(root: Path, count: int) -> None:
    """Write a mesh of `count` valid products `d0000`, `d0001` … below `root`.

    Each lands a CSV of 20 rows and publishes `lines` (12 columns) with dbt, every second one also `days`. All but every
    fourth read `lines` of the product of half their number; every third also reads the latest `days` before it.
    """
    write(root / "pyproject.toml", '[tool.kit]\nstorage = "state"\nas_of = 2024-01-10\n')
    for number in range(count):
        _product(root, number)


def _name(number: int) -> str:
    return f"d{number:04d}"


def _product(root: Path, number: int) -> None:
    name = _name(number)
    folder = root / "domains" / name
    inputs = [f"{_name(number // 2)}.lines"] if number % 4 else []
    if number >= 3 and number % 3 == 0:
        inputs.append(f"{_name(number - 2 + number % 2)}.days")
    ports = ["lines", "days"] if number % 2 == 0 else ["lines"]
    text = descriptor(name, inputs=["raw.events", *inputs], outputs=dict.fromkeys(ports, "dbt"))
    write(folder / "product.odps.yaml", text)

    latency = {"property": "latency", "value": 30, "unit": "d", "element": "events.sold_on"}
    write(folder / "sources/events.odcs.yaml", contract(f"{name}.raw.events", "events", COLUMNS, [VOLUME], [latency]))
    read = ("rows_read", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 0}})
    latency = {**latency, "element": "lines.sold_on"}
    write(folder / "contracts/lines.odcs.yaml", contract(f"{name}.lines", "lines", [*COLUMNS, read], [VOLUME], [latency]))
    if "days" in ports:
        days = [
            ("sold_on", "date", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
            ("quantity", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 1}}),
        ]
        sum_kept = {
            "name": "quantities add up", "type": "sql", "mustBe": 0,
            "query": "select (select sum(quantity) from ${table}) - (select sum(quantity) from raw.events)",
        }  # fmt: skip
        write(folder / "contracts/days.odcs.yaml", contract(f"{name}.days", "days", days, [sum_kept]))

    feed = root / "feed" / f"{name}.csv"
    header = ",".join(column for column, _, _ in COLUMNS)
    write(feed, "\n".join([header, *(_row(number, row) for row in range(1, ROWS + 1))]) + "\n")
    write(folder / "ingest.py", f"def events():\n    return {str(feed)!r}\n")
    _dbt(folder, name, inputs, ports)


def _row(number: int, row: int) -> str:
    sold_on = f"2024-01-{row % 9 + 1:02d}"
    amounts = f"{row % 7 + 1},{row}.50,0.{number % 10}0,{row / 4}"
    return f"{row},{SHOPS[row % 3]},item {row},{sold_on},{amounts},{number * ROWS + row},till,"


def _dbt(folder: Path, name: str, inputs: list[str], outputs: list[str]) -> None:
    write_dbt_project(folder)
    ports = [port.partition(".") for port in ("raw.events", *inputs)]
    sources = [{"name": provider, "tables": [{"name": table}]} for provider, _, table in ports]
    write(folder / "models/sources.yml", json.dumps({"sources": sources}))
    rows = " + ".join(f"(select count(*) from {{{{ source('{provider}', '{table}') }}}})" for provider, _, table in ports[1:])
    write(
        folder / "models/marts/lines.sql",
        f"select *, cast({rows or 0} as bigint) as rows_read\nfrom {{{{ source('raw', 'events') }}}}\norder by event_id\n",
    )
    if "days" in outputs:
        write(
            folder / "models/marts/days.sql",
            "select sold_on, cast(sum(quantity) as bigint) as quantity\n"
            "from {{ ref('lines') }}\ngroup by sold_on\norder by sold_on\n",
        )
