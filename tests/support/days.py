"""The product `days`: it reads `shop.sales` and publishes one partition for each day with dbt."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.build.plan import BuildPlan, BuildRequest, gather_inputs, plan
from kit.build.progress import Progress
from kit.storage.partition_inputs import partitions_to_json
from tests.support.contracts import contract
from tests.support.files import write
from tests.support.products import descriptor, partition, write_dbt_project

if TYPE_CHECKING:
    from tests.support.small_mesh import SmallMesh


def write_days(folder: Path, **how: Any) -> None:
    """`how` is part of the declaration of partitions, such as a lookback."""
    write(folder / "product.odps.yaml", descriptor("days", inputs=["shop.sales"], outputs={"takings": "dbt"}))
    partition(folder, "sold_on", **({"start": "2024-01-07"} | how))
    columns = [
        ("sold_on", "date", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
        ("amount", "decimal(18,2)", {"required": True}),
    ]
    write(folder / "contracts/takings.odcs.yaml", contract("days.takings", "takings", columns))
    write_dbt_project(folder)
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


def publish_sales(small: "SmallMesh", amount: str, day: str = "2024-01-05") -> str:
    """Publish `shop.sales` of three days without a build, with this amount on one day."""
    days = ["2024-01-04", "2024-01-05", "2024-01-06"]
    amounts = [amount if sold_on == day else "7" for sold_on in days]
    return small.snapshot("shop", "sales", {"sold_on": days, "amount": amounts})


def plan_days(small: "SmallMesh", *partitions: str) -> BuildPlan:
    """The plan of `days`."""
    request, product = BuildRequest(partitions=partitions), small.product("days")
    with ExitStack() as held:
        return plan(small.config, product, request, gather_inputs(small.config, product, request, held, Progress()))


def publish_days(small: "SmallMesh", *partitions: str) -> BuildPlan:
    """Publish `days` as planned, without its build."""
    planned = plan_days(small, *partitions)
    inputs = {pin.port: pin.to_json() for pin in planned.inputs.pins.values()}
    made = partitions_to_json({**planned.kept, **planned.due}) | {"partition_column": "sold_on", "daily": True}
    small.snapshot("days", "takings", {"amount": []}, inputs=inputs, fingerprint=planned.fingerprint, **made)
    return planned
