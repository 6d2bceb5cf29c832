"""The product `plan`: it reads `shop.totals` and publishes `forecast` with a notebook."""

import json
from pathlib import Path

from tests.support.contracts import contract
from tests.support.files import write
from tests.support.notebooks import notebook
from tests.support.products import descriptor, partition

FORECAST = [
    "import kit\nimport polars as pl",
    "totals = kit.inputs().read('shop.totals')",
    "frame = totals.select('item', amount=pl.col('amount').cast(pl.Float64) * factor)",
    "kit.output('forecast', frame)",
]


def write_plan(folder: Path) -> None:
    write(folder / "product.odps.yaml", descriptor("plan", inputs=["shop.totals"], outputs={"forecast": "notebook"}))
    columns = [
        ("item", "varchar", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
        ("amount", "double", {"required": True, "logicalTypeOptions": {"minimum": 0}}),
    ]
    write(folder / "contracts/forecast.odcs.yaml", contract("plan.forecast", "forecast", columns, []))
    forecast = notebook(FORECAST, "factor: float = 2.0  # growth\nname: str = 'base'\n")
    write(folder / "notebooks/forecast.ipynb", json.dumps(forecast))


def partition_plan(folder: Path, keys: list[str]) -> None:
    """Partition `plan` by item; its notebook takes the partition as a parameter."""
    partition(folder, "item", keys=keys)
    cells = [FORECAST[0], "totals = kit.inputs().read('shop.totals').filter(pl.col('item') == partition)", *FORECAST[2:]]
    forecast = notebook(cells, "factor: float = 2.0  # growth\npartition: str = 'tea'\n")
    write(folder / "notebooks/forecast.ipynb", json.dumps(forecast))
