"""A product whose source is a stream of Airbyte's faker, for the small mesh."""

from pathlib import Path

from tests.support.contracts import contract
from tests.support.files import write
from tests.support.products import descriptor, write_dbt_project
from tests.support.small_mesh import SmallMesh

COLUMNS = [
    ("id", "bigint", {"primaryKey": True}),
    ("make", "varchar", {"required": True}),
    ("model", "varchar", {}),
    ("year", "bigint", {}),
    ("price", "double", {}),
    ("created_at", "timestamp with time zone", {}),
    ("updated_at", "timestamp with time zone", {}),
]
INGEST = """
from kit.ingest.connectors import airbyte


def products():
    config = {{"count": {count}, "seed": 7, "parallelism": 1, "always_updated": False}}
    return airbyte("source-faker==7.2.1", stream="products", config=config, cursor={cursor})
"""


def add_cars(small: SmallMesh, cursor: str = "'updated_at'", count: int = 10) -> Path:
    """Add the product `cars`, whose source is the stream `products` of the faker."""
    folder = small.domains / "cars"
    write(folder / "product.odps.yaml", descriptor("cars", inputs=["raw.products"], outputs={"cars": "dbt"}))
    write(folder / "sources/products.odcs.yaml", contract("cars.raw.products", "products", COLUMNS))
    write(folder / "contracts/cars.odcs.yaml", contract("cars.cars", "cars", COLUMNS[:2]))
    write_dbt_project(folder)
    write(folder / "models/sources.yml", "sources: [{name: raw, tables: [{name: products}]}]\n")
    write(folder / "models/cars.sql", "select id, make from {{ source('raw', 'products') }} order by id\n")
    write(folder / "ingest.py", INGEST.format(cursor=cursor, count=count))
    return folder
