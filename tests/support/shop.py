"""The product `shop`: it lands a CSV of sales and publishes `sales` and `totals` with dbt."""

import json
from pathlib import Path
from typing import Any

from tests.support.contracts import contract, valid
from tests.support.files import replace, write
from tests.support.products import descriptor, partition, write_dbt_project

SALES = ["sale_id,item,amount,sold_on"] + [
    f"{i},{'tea' if i % 3 else 'cake'},{i}.50,2024-01-{i % 9 + 1:02d}" for i in range(1, 31)
]


def write_shop(folder: Path) -> None:
    write(folder / "product.odps.yaml", descriptor("shop", inputs=["raw.sales"], outputs={"sales": "dbt", "totals": "dbt"}))
    columns = [
        ("sale_id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
        ("item", "varchar", {"required": True, "quality": [valid("tea", "cake")]}),
        ("amount", "decimal(10,2)", {"required": True, "logicalTypeOptions": {"minimum": 0, "maximum": 1000}}),
        ("sold_on", "date", {"required": True}),
    ]
    rows = {"name": "rows", "type": "library", "metric": "rowCount", "mustBeBetween": [20, 100]}
    latency = {"property": "latency", "value": 2, "unit": "d", "element": "sales.sold_on"}
    write(folder / "sources/sales.odcs.yaml", contract("shop.raw.sales", "sales", columns, [rows], [latency]))
    write(folder / "contracts/sales.odcs.yaml", contract("shop.sales", "sales", columns, [rows], [latency]))
    totals = [
        ("item", "varchar", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
        ("amount", "decimal(18,2)", {"required": True}),
    ]
    balance = {
        "name": "totals add up", "type": "sql", "mustBe": 0,
        "query": "select (select sum(amount) from ${table}) - (select sum(amount) from raw.sales)",
    }  # fmt: skip
    write(folder / "contracts/totals.odcs.yaml", contract("shop.totals", "totals", totals, [balance]))
    suite = {
        "name": "sales.extra",
        "expectations": [
            {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "amount", "min_value": 5, "max_value": 50}},
            {
                "type": "expect_column_unique_value_count_to_be_between", "severity": "warning",
                "kwargs": {"column": "item", "min_value": 2}, "meta": {"notes": "both items sell every week"},
            },
        ],
    }  # fmt: skip
    write(folder / "expectations/sales.extra.json", json.dumps(suite))
    write(folder / "ingest.py", "def sales():\n    return '../../feed/sales.csv'\n")
    write_dbt_project(folder)
    write(folder / "models/sources.yml", "sources: [{name: raw, tables: [{name: sales}]}]\n")
    write(folder / "models/marts/sales.sql", "select * from {{ source('raw', 'sales') }} order by sale_id\n")
    write(
        folder / "models/marts/totals.sql",
        "select item, sum(amount)::decimal(18,2) as amount from {{ ref('sales') }} group by item order by item\n",
    )
    write(
        folder / "models/marts/sales.yml",
        "models:\n  # kit sync: begin\n  # kit sync: end\n      - unique: {arguments: {column_name: sale_id}}\n"
        "unit_tests:\n- name: adds\n  model: totals\n  given:\n"
        "  - input: ref('sales')\n    rows: [{item: tea, amount: 1}, {item: tea, amount: 2}]\n"
        "  expect: {rows: [{item: tea, amount: 3}]}\n",
    )


def partition_shop(folder: Path, column: str, **how: Any) -> None:
    """Partition `shop` by item or by day: a build of one partition makes the files of that partition only."""
    replace(folder / "contracts/totals.odcs.yaml", "from raw.sales", "from sales")
    partition(folder, column, **how)
    only = f" where {column}::varchar = '{{{{ var('partition') }}}}' order by"
    replace(folder / "models/marts/sales.sql", " order by", only)
    if column != "item":
        data = json.loads((folder / "contracts/totals.odcs.yaml").read_text())
        day = {"name": column, "logicalType": "date", "physicalType": "date", "description": "the day", "required": True}
        data["schema"][0]["properties"].append({**day, "primaryKey": True, "primaryKeyPosition": 2})
        write(folder / "contracts/totals.odcs.yaml", json.dumps(data))
        write(
            folder / "models/marts/totals.sql",
            f"select item, sum(amount)::decimal(18,2) as amount, {column} from {{{{ ref('sales') }}}}\n"
            f"group by item, {column} order by item, {column}\n",
        )


def add_second_major(folder: Path, end: str) -> None:
    """Give `shop` version 2 of `totals`, which renames a column; version 1 continues as `totals_v1` until `end`."""
    file = folder / "contracts/totals.odcs.yaml"
    old = json.loads(file.read_text())
    file.write_text(json.dumps(old, indent=1).replace("amount", "value"))
    replace(file, "sum(value) from raw.sales", "sum(amount) from raw.sales")
    replace(file, '"version": "1.0.0"', '"version": "2.0.0"')
    old |= {
        "id": "shop.totals_v1",
        "status": "deprecated",
        "customProperties": [{"property": "majorOf", "value": "totals"}],
    }
    old["schema"][0]["name"] = "totals_v1"
    old["slaProperties"].append({"property": "endOfLife", "value": end})
    write(folder / "contracts/totals_v1.odcs.yaml", json.dumps(old, indent=1))
    product = json.loads((folder / "product.odps.yaml").read_text())
    product["outputPorts"][1]["version"] = "2.0.0"
    product["outputPorts"].append({"name": "totals_v1", "version": "1.0.0", "contractId": "shop.totals_v1", "type": "dbt"})
    write(folder / "product.odps.yaml", json.dumps(product, indent=1))
    model = folder / "models/marts/totals.sql"
    write(folder / "models/marts/totals_v1.sql", model.read_text())
    replace(model, "as amount", "as value")
    replace(folder / "models/marts/sales.yml", "model: totals", "model: totals_v1")
