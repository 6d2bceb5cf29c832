import pytest

import kit
from kit.storage import index
from tests.support.small_mesh import SmallMesh


def test_the_facts_of_a_port_that_was_never_built(small: SmallMesh) -> None:
    assert kit.open(small.root)["shop.sales"].facts() == {
        "product": "shop: what shop is for",
        "domain": "shop",
        "owner": "shop owner (o@example.com)",
        "promised": "data at most 2 d old, published every 1 d",
        "freshness": "never built",
        "read it": 'kit.read("shop.sales")',
    }


def test_the_facts_of_a_published_port(small: SmallMesh) -> None:
    version = small.publish("shop")
    facts = kit.open(small.root)["shop.sales"].facts()
    assert {name: facts[name] for name in ("rows", "snapshot", "contract")} == {
        "rows": "30", "snapshot": version, "contract": "1.0.0",
    }  # fmt: skip
    assert facts["checks"].endswith(" passed")


def test_quarantined_rows_and_parameters_are_facts(small: SmallMesh) -> None:
    rule = '"customProperties": [{"property": "onFailure", "value": "quarantine"}]'
    limit = '"customProperties": [{"property": "quarantineLimit", "value": 0.5}]'
    sales = "domains/shop/contracts/sales.odcs.yaml"
    small.replace(sales, '"metric": "invalidValues"', f'"metric": "invalidValues", {rule}')
    small.replace(sales, '"kind": "DataContract"', f'"kind": "DataContract", {limit}')
    small.publish("shop")
    index.write(small.context)
    catalog = kit.open(small.root)
    assert catalog["shop.sales"].facts()["quarantined"] == '0 rows, see kit.read("shop.sales__quarantine")'
    assert catalog["plan.forecast"].facts()["parameters"] == "factor: float = 2.0 (growth), name: str = 'base'"


def test_an_entry_as_text_has_its_facts_and_columns(small: SmallMesh) -> None:
    lines = repr(kit.open(small.root)["shop.totals"]).splitlines()
    assert lines[:3] == ["shop.totals", "One row per totals.", ""]
    assert lines[-3:] == [
        "column  type           key  classification  mask  description",
        "item    varchar        key                        the item",
        "amount  decimal(18,2)                             the amount",
    ]


def test_an_entry_shows_key_classification_and_mask_of_its_columns(small: SmallMesh) -> None:
    small.personal_items()
    small.mask("shop/contracts/sales.odcs.yaml", item="hmac")
    index.write(small.context)
    entry = kit.open(small.root)["shop.sales"]
    shown = {line.split()[0]: line.split()[1:-2] for line in repr(entry).splitlines()[-4:]}
    assert shown["sale_id"] == ["bigint", "key", "internal"]
    assert shown["item"] == ["varchar", "personal", "hmac"]
    page = entry._repr_html_()
    assert all(f">{text}</td>" in page for text in ("key", "personal", "hmac"))
    assert list(kit.open(small.root).search("personal")) == ["shop.sales", "shop.totals"]


def test_a_broken_product_shows_the_columns_of_its_last_snapshot(small: SmallMesh) -> None:
    small.personal_items()
    small.publish("shop")
    small.replace("domains/shop/product.odps.yaml", '"owner"', '"boss"')
    index.write(small.context)
    entry = kit.open(small.root)["shop.sales"]
    assert [(column.name, column.is_key, column.classification) for column in entry.port.columns][:2] == [
        ("sale_id", True, "internal"), ("item", False, "personal"),
    ]  # fmt: skip


@pytest.mark.parametrize(("rows", "text"), [(None, ""), (0, "0"), (1234567, "1,234,567")])
def test_the_number_of_rows_has_separators(small: SmallMesh, rows: int | None, text: str) -> None:
    entry = kit.open(small.root)["shop.totals"]
    object.__setattr__(entry.port, "rows", rows)
    assert entry.format_rows() == text
