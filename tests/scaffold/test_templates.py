from pathlib import Path

from kit.scaffold import templates
from tests.support.notebooks import script_extension
from tests.support.small_mesh import SmallMesh


def test_whole_names_are_replaced_all_at_once() -> None:
    assert templates.renamed("a ab a_b b", {"a": "b", "b": "a"}) == "b ab a_b a"
    assert templates.renamed("tea_sales tea", {"tea": "x", "tea_sales": "tea"}) == "tea x"
    assert templates.renamed("same", {}) == "same"


def test_the_sample_is_renamed_in_paths_and_texts() -> None:
    files = templates.sample_files({"tea_sales": "drinks"})
    assert "models/marts/drinks.sql" in files
    assert not any("tea_sales" in path for path in files)
    assert "id: tearoom.drinks\n" in files["contracts/drinks.odcs.yaml"]
    assert "contractId: tearoom.drinks" in files["product.odps.yaml"]


def test_a_product_without_ports_has_an_owner_and_no_inputs() -> None:
    files = templates.empty_product({templates.OWNER: "Ann Lee"})
    assert sorted(files) == ["README.md", "product.odps.yaml"]
    assert "Ann Lee" in files["product.odps.yaml"]
    assert "Ports:" not in files["product.odps.yaml"]


def test_words_of_sql_are_quoted_in_models() -> None:
    assert templates.staging("feed", ["id", "order"]).count('"order"') == 1
    assert templates.mart({"id": "bigint", "order": "varchar"}, [], "ref('a')") == (
        'select\n    cast(id as bigint) as id,\n    cast("order" as varchar) as "order"\nfrom {{ ref(\'a\') }}\norder by all\n'
    )


def test_an_ingest_function_returns_the_path() -> None:
    code = templates.ingest_function("feed", 'data/a"b.csv', "b.csv")
    names: dict[str, object] = {}
    exec(code, names)
    function = names["feed"]
    assert callable(function)
    assert function() == 'data/a"b.csv'


def test_a_contract_keeps_columns_and_drops_rules(small: SmallMesh, tmp_path: Path) -> None:
    provider = small.mesh.port("shop.sales")
    (tmp_path / "copy.odcs.yaml").write_text(templates.contract_of(provider, "plan.copy"))
    copied = type(provider.contract).load(tmp_path / "copy.odcs.yaml")
    assert (copied.id, copied.table) == ("plan.copy", "copy")
    assert [(column.name, column.type) for column in copied.columns] == [
        (column.name, column.type) for column in provider.contract.columns
    ]
    assert copied.sla.latency is None


def test_an_asset_notebook_becomes_a_python_script(small: SmallMesh) -> None:
    assert script_extension(templates.notebook("sums", small.mesh.product("shop").ports)) == ".py"
