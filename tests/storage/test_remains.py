"""All that a storage holds of a product without a folder is found by its name, and goes."""

from pathlib import Path

import pytest

from kit.core.errors import UnknownName
from kit.storage import remains
from kit.storage.snapshot import Pruned
from tests.support.small_mesh import SmallMesh, write

ROWS = {"item": ["tea"], "amount": ["1.50"]}


def held(small: SmallMesh, product: str) -> list[Path]:
    """The paths in the storage that lead to something of a product."""
    return [path for path in small.config.storage.rglob("*") if product in str(path.relative_to(small.config.storage))]


@pytest.fixture
def gone(small: SmallMesh) -> SmallMesh:
    small.snapshot("gone", "sales", ROWS)
    for path in ("raw/gone/feed/1.parquet", "runs/gone/1/record.json", "runs/gone/1/notebooks/a.ipynb", "dbt/gone.duckdb",
                 "dbt/gone/feed.parquet", "openlineage/1.gone", "cache/sql/gone", "cache/safe-gone"):  # fmt: skip
        write(small.config.storage / path, "")
    return small


def test_nothing_is_left_of_a_product_without_a_folder(gone: SmallMesh) -> None:
    names = gone.mesh.names
    assert remains.without_domain(gone.config, names) == ["gone"]
    before = held(gone, "gone")
    (version,) = gone.store.versions("gone")
    looked = remains.remove(gone.config, "gone", dry_run=True)
    assert (looked.deleted, looked.runs, looked.raw_files, held(gone, "gone")) == ([version], 1, 1, before)
    assert remains.remove(gone.config, "gone") == looked
    assert (held(gone, "gone"), remains.without_domain(gone.config, names)) == ([], [])


def test_a_product_that_was_never_published_or_half_removed_is_found(small: SmallMesh) -> None:
    write(small.config.storage / "runs/failed/1/record.json", "")
    (small.config.storage / ".removed-half").mkdir(parents=True)
    assert remains.without_domain(small.config, small.mesh.names) == ["failed", "half"]
    remains.remove(small.config, "half")
    assert remains.without_domain(small.config, small.mesh.names) == ["failed"]


def test_a_product_that_is_read_or_built_stays_as_a_whole(gone: SmallMesh) -> None:
    with gone.store.open("gone") as snapshot:
        assert remains.remove(gone.config, "gone") == Pruned(problem=f"snapshot {snapshot.version} is being read")
    with gone.store.build_lock("gone"):
        assert remains.remove(gone.config, "gone").problem == "the product is being built"
    assert (gone.config.storage / "raw/gone/feed/1.parquet").exists()


def test_names_are_those_of_the_mesh_and_of_the_storage(gone: SmallMesh) -> None:
    assert remains.select(gone.config, gone.mesh.names, ["gone", "shop", "gone"]) == ["gone", "shop"]
    with pytest.raises(UnknownName, match="has a product 'gome'; there are: gone, plan, shop"):
        remains.select(gone.config, gone.mesh.names, ["gome"])
    with pytest.raises(UnknownName, match=r"'shop\.sales' is a port; its product is pruned as a whole: shop"):
        remains.select(gone.config, gone.mesh.names, ["shop.sales"])
