"""What builds in other processes have done so far."""

import tempfile
from pathlib import Path


def dbt_targets(storage: Path, product: str) -> set[Path]:
    """The target folders of dbt of the builds of a product that run now."""
    temporary = Path(tempfile.gettempdir())
    runs = (storage / "runs" / product).glob("*")
    return {folder for run in runs for folder in temporary.glob(f"kit-{run.name}-*") if (folder / "run").is_dir()}
