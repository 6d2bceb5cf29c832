import json
from dataclasses import replace
from typing import Any

import pytest

from kit.contracts.rule_kinds import not_null
from kit.contracts.rules import Rule
from kit.core.errors import InvalidFile
from kit.mesh.product import DataProduct
from tests.support.small_mesh import SmallMesh, contract, valid, write

AMOUNT = ("amount", "decimal(18,2)", {"required": True, "logicalTypeOptions": {"minimum": 0}})


def plan(small: SmallMesh) -> DataProduct:
    return DataProduct.load(small.domains / "plan")


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def test_a_need_says_who_relies_on_what(small: SmallMesh) -> None:
    small.need([AMOUNT])
    (need,) = plan(small).needs
    assert (need.consumer, need.owner, need.contact, need.port) == ("plan", "plan owner", "o@example.com", "shop.totals")
    assert need.columns == {"amount"}
    assert need.columns_rule == "needed by plan: has the columns and types it reads (1)"
    note = "plan owner (o@example.com) states it in plan/consumes/shop.totals.odcs.yaml"
    assert need.note == note
    rule = Rule("amount is required", not_null("amount"))
    assert need.contract.rules[0] == rule
    assert need.named(rule) == replace(rule, name="needed by plan: amount is required", description=note)
    assert need.named(replace(rule, description="We divide by it.")).description == f"We divide by it. {note}"


def test_columns_beside_those_needed_are_nobodys_business(small: SmallMesh) -> None:
    small.need([AMOUNT, ("item", "varchar", {})])
    (need,) = plan(small).needs
    assert need.column_problems({"amount": "decimal(18,2)", "item": "varchar", "more": "date"}) == []
    assert need.column_problems({"amount": "double"}) == [
        "column 'amount' is double, needed as decimal(18,2)",
        "column 'item' is missing, needed as varchar",
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": "plan.totals"}, "4: id: 'plan.totals' must be 'plan.needs.shop.totals', as 'plan' reads 'shop.totals' 1.0.0"),
        ({"version": "1.1.0"}, "5: version: '1.1.0' must be '1.0.0', as 'plan' reads 'shop.totals' 1.0.0"),
        (
            {
                "quality": [
                    {"type": "custom", "engine": "greatExpectations", "implementation": {"type": "expect_x", "kwargs": {}}}
                ]
            },
            "26: schema.0.quality.0.type: a 'custom' rule cannot be run in the build of the provider; use library or sql",
        ),
    ],
)
def test_a_need_that_cannot_be_used_is_refused_where_it_stands(small: SmallMesh, changed: dict[str, Any], message: str) -> None:
    small.need([AMOUNT], **changed)
    with pytest.raises(InvalidFile) as error:
        plan(small)
    assert str(error.value) == f"domains/plan/consumes/shop.totals.odcs.yaml:{message}"


def test_a_need_sets_no_rows_aside(small: SmallMesh) -> None:
    aside = [{"property": "onFailure", "value": "quarantine"}]
    rule = {"name": "sold", "type": "sql", "query": "select count(*) from ${table} where amount = 0", "mustBe": 0}
    item = ("item", "varchar", {"quality": [{**valid("tea", "cake"), "customProperties": aside}]})
    path = small.need([item, AMOUNT], [rule])
    data = json.loads(path.read_text())
    write(path, json.dumps({**data, "customProperties": [{"property": "quarantineLimit", "value": 0.1}]}, indent=1))
    with pytest.raises(
        InvalidFile, match=r"schema\.0: 'known values: item is one of 2 values' cannot set aside rows of a provider"
    ):
        plan(small)


def test_a_broken_need_breaks_its_consumer_only(small: SmallMesh) -> None:
    write(small.need([AMOUNT]), "a: [1\n")
    mesh = small.mesh
    assert [item.name for item in mesh.broken] == ["plan"]
    assert mesh.port("shop.totals").needs == ()


def test_a_need_is_no_code_of_its_consumer(small: SmallMesh) -> None:
    before = plan(small).code_digest()
    small.need([AMOUNT])
    assert plan(small).code_digest() == before


def test_a_port_knows_what_its_readers_need(small: SmallMesh) -> None:
    small.need([AMOUNT])
    shop = small.product("shop")
    assert [(port.name, [need.consumer for need in port.needs]) for port in shop.ports] == [("sales", []), ("totals", ["plan"])]


def test_the_port_that_keeps_an_older_version_knows_them(small: SmallMesh) -> None:
    small.two_majors()
    small.need([AMOUNT])
    needs = {port.name: [need.consumer for need in port.needs] for port in small.product("shop").ports}
    assert needs == {"sales": [], "totals": [], "totals_v1": ["plan"]}


def test_the_table_of_a_need_is_its_port(small: SmallMesh) -> None:
    path = small.need([AMOUNT])
    write(path, contract("plan.needs.shop.totals", "sums", [AMOUNT]))
    with pytest.raises(InvalidFile, match=r"schema\.0\.name: 'sums' must be 'totals', as 'plan' reads 'shop\.totals' 1\.0\.0"):
        plan(small)


def test_a_relationship_is_not_asked_of_a_provider(small: SmallMesh) -> None:
    small.need([("item", "varchar", {"relationships": [{"to": "crm.items.item"}]})])
    with pytest.raises(InvalidFile, match=r"shop\.totals\.odcs\.yaml:\d+: schema\.0\.properties\.0\.relationships\.0: "):
        plan(small)
