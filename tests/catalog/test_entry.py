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
        "column  type           description", "item    varchar        the item", "amount  decimal(18,2)  the amount",
    ]  # fmt: skip


@pytest.mark.parametrize(("rows", "text"), [(None, ""), (0, "0"), (1234567, "1,234,567")])
def test_the_number_of_rows_has_separators(small: SmallMesh, rows: int | None, text: str) -> None:
    entry = kit.open(small.root)["shop.totals"]
    object.__setattr__(entry.port, "rows", rows)
    assert entry.format_rows() == text
