"""The facts of descriptor and contracts in manifests."""

from kit.storage.facts import facts_of, product_facts, sla_from_json, sla_to_json, with_facts
from tests.support.small_mesh import SmallMesh


def test_the_facts_of_a_product_are_those_of_its_descriptor_and_contracts(small: SmallMesh) -> None:
    product = small.product("shop")
    facts = facts_of(product)
    assert facts["about"] == product_facts(product)
    assert (facts["about"]["owner"], facts["product_version"]) == ("shop owner", "1.0.0")
    assert facts["ports"]["totals"]["contract_version"] == "1.0.0"
    assert facts["ports"]["totals"]["about"]["columns"][0] == ["item", "varchar", "the item"]
    assert facts["sources"]["sales"]["about"]["description"] == "One row per sales."


def test_a_manifest_keeps_what_a_build_wrote(small: SmallMesh) -> None:
    facts = facts_of(small.product("shop"))
    manifest = {"rows": 1, "ports": {"totals": {"rows": 2, "about": {}}, "gone": {"rows": 3}}, "sources": {}}
    found = with_facts(manifest, facts)
    assert (found["rows"], found["ports"]["totals"]["rows"], found["ports"]["gone"]) == (1, 2, {"rows": 3})
    assert found["ports"].keys() == {"totals", "gone"}
    assert found["ports"]["totals"]["about"] == facts["ports"]["totals"]["about"]
    assert found["sources"] == {}


def test_service_levels_are_the_same_after_a_way_through_json(small: SmallMesh) -> None:
    for port in small.product("shop").ports:
        assert sla_from_json(sla_to_json(port.contract.sla)) == port.contract.sla
