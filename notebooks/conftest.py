"""The lessons that read the demo's domains; they are skipped in a mesh without these."""

from pathlib import Path

import pytest

READS = {
    "00_start.ipynb": {"orders", "demand"},
    "01_explore_orders.ipynb": {"customers", "orders"},
    "02_quality_and_lineage.ipynb": {"demand", "orders", "products"},
}
_HERE = Path(__file__).parent


def missing(name: str) -> str:
    """Return the domains that a lesson reads and this mesh does not have, as a reason to skip it; empty without any."""
    lost = sorted(product for product in READS.get(name, ()) if not (_HERE.parent / "domains" / product).is_dir())
    return f"it teaches with the demo, and this mesh has no {', '.join(lost)}" if lost else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the cells of lessons that cannot run."""
    for item in items:
        if item.path.parent == _HERE and (reason := missing(item.path.name)):
            item.add_marker(pytest.mark.skip(reason=reason))
