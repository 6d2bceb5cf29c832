"""A mesh of one product whose tables have as many rows as wanted, for tests of memory and of the cost of a row.

`growth` lands two Parquet files, sets rows of one aside and publishes `lines`, all that are left, and `customers`, one row for
twenty of them; their contracts have about fifty rules, with unique keys and foreign keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from tests.support.contracts import contract, valid
from tests.support.files import write
from tests.support.products import descriptor, write_dbt_project

ITEMS = 20_000
SHOPS = ("north", "south", "east", "west")
ASIDE = 10_000
"""Of so many rows one is set aside."""

_QUARANTINE = {"property": "onFailure", "value": "quarantine"}
_LINES: list[tuple[str, str, dict[str, Any]]] = [
    ("line_id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
    ("basket_id", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 0}}),
    ("customer_id", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 0}}),
    ("item_id", "bigint", {"required": True}),
    ("shop", "varchar", {"required": True, "quality": [valid(*SHOPS)]}),
    ("code", "varchar", {"required": True, "logicalTypeOptions": {"pattern": "^C-[0-9]+$", "minLength": 3, "maxLength": 14}}),
    ("sold_on", "date", {"required": True}),
    ("quantity", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 1, "maximum": 10}}),
    ("price", "decimal(10,2)", {"required": True, "logicalTypeOptions": {"minimum": 0, "maximum": 1000}}),
    ("weight", "double", {"logicalTypeOptions": {"minimum": 0}}),
]  # fmt: skip


def write_mesh(root: Path, rows: int, **settings: Any) -> None:
    """Write a mesh of one product whose source has so many rows, and the files that it reads."""
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    write(root / "pyproject.toml", f'[tool.kit]\nstorage = "state"\nas_of = 2024-01-10\n{lines}')
    _write_feed(root / "feed", rows)
    folder = root / "domains" / "growth"
    inputs, outputs = ["raw.sold", "raw.items"], {"lines": "dbt", "customers": "dbt"}
    write(folder / "product.odps.yaml", descriptor("growth", inputs=inputs, outputs=outputs))
    write(
        folder / "ingest.py",
        "def sold():\n    return '../../feed/sold.parquet'\n\n\ndef items():\n    return '../../feed/items.parquet'\n",
    )
    raw = [item if item[0] != "quantity" else (*item[:2], {**item[2], "customProperties": [_QUARANTINE]}) for item in _LINES]
    source = json.loads(contract("growth.raw.sold", "sold", raw))
    source["customProperties"].append({"property": "quarantineLimit", "value": 0.001})
    write(folder / "sources/sold.odcs.yaml", json.dumps(source, indent=1))
    key = {"required": True, "primaryKey": True, "primaryKeyPosition": 1}
    write(folder / "sources/items.odcs.yaml", contract("growth.raw.items", "items", [("item_id", "bigint", key)]))
    refers = {
        "item_id": {"relationships": [{"type": "foreignKey", "to": "raw.items.item_id"}]},
        "customer_id": {"relationships": [{"type": "foreignKey", "to": "growth.customers.customer_id"}]},
    }  # fmt: skip
    ports = [(name, kind, {**more, **refers.get(name, {})}) for name, kind, more in _LINES]
    amount = ("amount", "decimal(12,2)", {"required": True, "logicalTypeOptions": {"minimum": 0}})
    write(folder / "contracts/lines.odcs.yaml", contract("growth.lines", "lines", [*ports, amount], _LINE_RULES))
    customers = [
        ("customer_id", "bigint", key),
        ("lines", "bigint", {"required": True, "logicalTypeOptions": {"minimum": 1}}),
        ("amount", "decimal(38,2)", {"required": True, "logicalTypeOptions": {"minimum": 0}}),
        ("first_on", "date", {"required": True}),
        ("last_on", "date", {"required": True}),
    ]
    write(folder / "contracts/customers.odcs.yaml", contract("growth.customers", "customers", customers, _CUSTOMER_RULES))
    write_dbt_project(folder)
    write(folder / "models/sources.yml", "sources: [{name: raw, tables: [{name: sold}, {name: items}]}]\n")
    write(
        folder / "models/lines.sql",
        "select *, (quantity * price)::decimal(12,2) as amount from {{ source('raw', 'sold') }}\n",
    )
    write(
        folder / "models/customers.sql",
        "select customer_id, count(*) as lines, sum(amount)::decimal(38,2) as amount, min(sold_on) as first_on,\n"
        "max(sold_on) as last_on from {{ ref('lines') }} group by customer_id\n",
    )


def _sql(name: str, query: str) -> dict[str, Any]:
    return {"name": name, "type": "sql", "mustBe": 0, "query": query}


def _expectation(kind: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "custom", "engine": "greatExpectations", "implementation": {"type": kind, "kwargs": arguments}}


def _no_row(condition: str) -> dict[str, Any]:
    return _expectation("unexpected_rows_expectation", unexpected_rows_query=f"select * from {{batch}} where {condition}")


_LINE_RULES = [
    _no_row("amount <> quantity * price"),
    _no_row("weight > 100"),
    _no_row("sold_on < date '2023-01-01'"),
    _no_row("basket_id > line_id"),
    _expectation("expect_compound_columns_to_be_unique", column_list=["basket_id", "line_id"]),
    _sql("all lines", "select (select count(*) from ${table}) - (select count(*) from raw.sold)"),
]  # fmt: skip
_CUSTOMER_RULES = [
    _no_row("first_on > last_on"),
    _sql("amounts add up", "select (select sum(amount) from ${table}) - (select sum(amount) from lines)"),
]


def _write_feed(feed: Path, rows: int) -> None:
    feed.mkdir(parents=True, exist_ok=True)
    shops = ", ".join(f"'{shop}'" for shop in SHOPS)
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '500MB'; set threads = 2; set preserve_insertion_order = false")
        connection.execute(f"set temp_directory = '{feed / 'spill'}'")
        connection.execute(
            f"copy (select i as item_id from range({ITEMS}) t(i)) to '{feed / 'items.parquet'}' (format parquet)"
        )
        connection.execute(
            f"""copy (select i as line_id, i // 7 as basket_id, (hash(i // 7) % {max(rows // 20, 1)})::bigint as customer_id,
            (hash(i + 1) % {ITEMS})::bigint as item_id, [{shops}][1 + i % {len(SHOPS)}] as shop, 'C-' || i % 1000003 as code,
            (date '2023-01-01' + (i * 365 // {rows})::integer)::date as sold_on,
            if(i % {ASIDE} = 5, 11, 1 + i % 10) as quantity,
            ((hash(i) % 90000)::integer / 100)::decimal(10,2) as price, (i % 977) / 10.0::double as weight
            from range({rows}) t(i)) to '{feed / 'sold.parquet'}' (format parquet, compression zstd)"""
        )  # fmt: skip
