from kit.exchange.openlineage_datasets import Datasets
from tests.support.small_mesh import SmallMesh


def test_a_table_of_another_product_has_the_schema_of_its_contract(small: SmallMesh) -> None:
    dataset = Datasets(small.context, small.product("plan"), "n").read("shop.totals")
    assert (dataset["namespace"], dataset["name"]) == ("n", "shop.totals")
    assert [field["name"] for field in dataset["facets"]["schema"]["fields"]] == ["item", "amount"]


def test_a_table_of_a_broken_product_is_there_all_the_same(small: SmallMesh) -> None:
    product = small.product("plan")
    (small.domains / "shop/contracts/totals.odcs.yaml").write_text("{")
    assert Datasets(small.context, product, "n").read("shop.totals") == {"namespace": "n", "name": "shop.totals"}


def test_a_masked_column_is_said_to_be_masked(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    small.mask("shop/contracts/totals.odcs.yaml", amount={"generalise": 100})
    made = Datasets(small.context, small.product("shop"), "n", snapshot).made("shop.totals")["facets"]
    fields = made["columnLineage"]["fields"]
    masking = {name: value["inputFields"][0]["transformations"][0]["masking"] for name, value in fields.items()}
    assert masking == {"item": False, "amount": True}
    assert made["dataQualityMetrics"]["columnMetrics"]["amount"] == {"nullCount": 0}
    assert [tag for tag in made["tags"]["tags"] if tag["key"] == "mask"] == [
        {"key": "mask", "value": "generalise", "source": "contract", "field": "amount"}
    ]


def test_files_that_are_gone_have_no_profile(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    assert snapshot is not None
    for path in snapshot.paths("totals"):
        path.unlink()
    made = Datasets(small.context, small.product("shop"), "n", snapshot).made("shop.totals")
    assert "outputFacets" not in made
    assert made["facets"]["version"]["datasetVersion"] == snapshot.version


def test_a_source_has_the_columns_of_the_dataset_outside_that_it_is_read_from(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    entry = snapshot.manifest["sources"]["sales"]
    assert [(origin["namespace"], origin["name"][-15:]) for origin in entry["origins"]] == [("file", "/feed/sales.csv")]
    orders = {"namespace": "postgres://db:5432", "name": "shop.public.sales", "columns": {"item": "varchar", "more": "json"}}
    entry["origins"] = [orders]
    datasets = Datasets(small.context, small.product("shop"), "n", snapshot)
    (found,) = datasets.origins("shop.raw.sales")
    assert (found["namespace"], found["name"]) == ("postgres://db:5432", "shop.public.sales")
    assert found["facets"]["schema"]["fields"] == [{"name": "item", "type": "varchar"}, {"name": "more", "type": "json"}]
    fields = datasets.made("shop.raw.sales")["facets"]["columnLineage"]["fields"]
    assert {name: value["inputFields"][0]["field"] for name, value in fields.items()} == {"item": "item"}
    entry["origins"] = [orders, {"namespace": "postgres://db:5432", "name": "shop.public.items"}]
    datasets = Datasets(small.context, small.product("shop"), "n", snapshot)
    assert [found["name"] for found in datasets.origins("shop.raw.sales")] == ["shop.public.sales", "shop.public.items"]
    assert "columnLineage" not in datasets.made("shop.raw.sales")["facets"]
    assert datasets.origins("shop.sales") == []
