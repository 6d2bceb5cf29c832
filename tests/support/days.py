"""The product `days`: it reads `shop.sales` and publishes one partition for each day with dbt."""

from pathlib import Path
from typing import Any

from tests.support.contracts import contract
from tests.support.files import write
from tests.support.products import dbt_project, descriptor, partition


def write_days(folder: Path, **how: Any) -> None:
    """`how` is part of the declaration of partitions, such as a lookback."""
    write(folder / "product.odps.yaml", descriptor("days", inputs=["shop.sales"], outputs={"takings": "dbt"}))
    partition(folder, "sold_on", **({"start": "2024-01-07"} | how))
    columns = [
        ("sold_on", "date", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
        ("amount", "decimal(18,2)", {"required": True}),
    ]
    write(folder / "contracts/takings.odcs.yaml", contract("days.takings", "takings", columns))
    write(folder / "dbt_project.yml", dbt_project("days"))
    write(folder / "models/sources.yml", "sources: [{name: shop, tables: [{name: sales}]}]\n")
    write(
        folder / "models/takings.sql",
        "select sold_on, sum(amount)::decimal(18,2) as amount from {{ source('shop', 'sales') }}\n"
        "where sold_on::varchar = '{{ var('partition') }}' group by sold_on\n",
    )


def correct(sales: list[str], day: str, amount: str) -> list[str]:
    """The rows of a feed with another amount for the first sale of a day."""
    changed = next(row for row in sales if row.endswith(day))
    number, item, *_ = changed.split(",")
    return [f"{number},{item},{amount},{day}" if row == changed else row for row in sales]
