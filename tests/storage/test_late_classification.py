"""The build since which a column is hidden is known from snapshot to snapshot; what is older is named."""

from pathlib import Path
from typing import Any

from kit.storage.late_classification import Remains, hidden_since, shown_before
from kit.storage.snapshot import Snapshot
from tests.support.small_mesh import SmallMesh


def _parent(**manifest: Any) -> Snapshot:
    return Snapshot("shop", "1", Path(), {"ports": {}, **manifest})


def test_a_column_hidden_by_the_first_snapshot_always_was(small: SmallMesh) -> None:
    small.personal_items()
    assert hidden_since(small.product("shop"), None, "run 1") == {"item": ""}


def test_a_column_hidden_later_is_hidden_since_that_run(small: SmallMesh) -> None:
    small.personal_items()
    product = small.product("shop")
    assert hidden_since(product, _parent(hidden_since={}), "run 2") == {"item": "run 2"}
    assert hidden_since(product, _parent(hidden_since={"item": "run 2"}), "run 3") == {"item": "run 2"}
    assert hidden_since(product, _parent(), "run 2") == {"item": "run 2"}  # an earlier kit made it, and hid nothing


def test_what_is_left_is_counted_and_dated() -> None:
    found = Remains("shop", ("item",), "20240110T120000Z-000001", ("v1", "v2"), (("shop", "r1"),), events=True)
    assert str(found) == "2 snapshots, 1 run, events of Dagster"
    assert str(found.before) == "2024-01-10 12:00:00.000001"


def test_nothing_is_left_of_a_product_that_hides_nothing(small: SmallMesh) -> None:
    small.snapshot("shop", "totals", {"amount": ["1"]})
    assert list(shown_before(small.context)) == []
    small.personal_items()
    (found,) = shown_before(small.context)
    assert (found.product, found.columns, found.since) == ("shop", ("item",), "")
