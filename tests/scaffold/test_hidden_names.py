"""The names of the columns that a mesh hides."""

from kit.scaffold.hidden_names import hidden_names
from tests.support.small_mesh import SmallMesh, write


def test_personal_and_masked_columns_of_all_contracts_count(small: SmallMesh) -> None:
    assert hidden_names(small.domains) == frozenset()
    small.personal_items()
    small.mask("shop/contracts/sales.odcs.yaml", amount="hmac")
    assert hidden_names(small.domains) == {"item", "amount"}


def test_a_product_that_cannot_be_loaded_counts_and_a_file_that_cannot_be_read_does_not(small: SmallMesh) -> None:
    small.personal_items()
    write(small.domains / "shop/product.odps.yaml", "{")
    write(small.domains / "shop/contracts/totals.odcs.yaml", "{")
    assert hidden_names(small.domains) == {"item"}


def test_names_of_raw_columns_count(small: SmallMesh) -> None:
    column = "[{name: mail, physicalName: E-Mail, classification: personal}]"
    write(small.domains / "shop/sources/people.odcs.yaml", f"schema: [{{properties: {column}}}]")
    assert hidden_names(small.domains) == {"mail", "E-Mail"}
