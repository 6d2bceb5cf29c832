from kit.build.places import forbidden, notebook_places
from tests.support.small_mesh import SmallMesh, write


def test_a_product_must_not_read_other_folders_and_the_storage(small: SmallMesh) -> None:
    assert forbidden(small.config, "plan") == {
        small.domains / "shop": "the folder of 'shop'",
        small.config.storage: "the storage of the mesh",
    }


def test_a_notebook_opens_its_own_folder_and_its_tables(small: SmallMesh) -> None:
    write(small.config.storage / "products/shop/v1/totals/data.parquet", "x")
    pinned = small.config.storage / "products/shop/v1/totals/data.parquet"
    places = notebook_places(small.config, "plan", small.domains / "plan", [pinned])
    for allowed in (pinned, small.domains / "plan/product.odps.yaml", small.root / "pyproject.toml"):
        assert places.allow(allowed)
    for refused in (pinned.with_name("other.parquet"), small.domains / "shop/ingest.py", small.feed):
        assert not places.allow(refused)
