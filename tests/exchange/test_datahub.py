import json
import re
from collections import Counter
from typing import Any

import pytest

from kit.exchange.datahub import datahub_records
from kit.exchange.datahub_aspects import PLATFORM, origin_urn
from kit.ingest import Origin
from tests.support.small_mesh import SmallMesh

Records = list[dict[str, Any]]


def table(name: str) -> str:
    return f"urn:li:dataset:({PLATFORM},{name},PROD)"


def aspect(records: Records, urn: str, name: str) -> Any:
    (found,) = [item["aspect"]["json"] for item in records if (item["entityUrn"], item["aspectName"]) == (urn, name)]
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallMesh:
    """Both products published; the items are personal."""
    small = SmallMesh(tmp_path_factory.mktemp("mesh"))
    small.personal_items(tags=["retail"], team={"name": "tills, and more"})
    small.publish("shop")
    small.publish("plan")
    return small


@pytest.fixture(scope="module")
def records(small: SmallMesh) -> Records:
    return datahub_records(small.context)


def test_every_kind_of_entity_is_there(records: Records) -> None:
    found = Counter((item["entityType"], item["aspectName"]) for item in records)
    assert found[("dataset", "datasetProperties")] == 4
    assert {kind for kind, _ in found} == {
        "dataPlatform", "domain", "tag", "dataset", "dataProduct", "assertion", "dataContract",
    }  # fmt: skip
    assert {name: number for (kind, name), number in found.items() if kind == "dataset"} == {
        "datasetProperties": 4, "status": 5, "subTypes": 4, "domains": 4, "ownership": 4, "schemaMetadata": 4, "globalTags": 3,
        "upstreamLineage": 4, "datasetProfile": 4,
    }  # fmt: skip
    assert found[("dataContract", "dataContractProperties")] == 3
    twice = Counter((item["entityUrn"], item["aspectName"]) for item in records)
    assert [entry for entry, number in twice.items() if number > 1] == []


def test_every_entity_that_is_named_is_there(records: Records) -> None:
    named = set(re.findall(r"urn:li:(?:dataset:\([^()]*\)|(?!schemaField|dataset|corp)\w+:[^\"(),\\]+)", json.dumps(records)))
    known = {item["entityUrn"] for item in records}
    assert named - known == set()


def test_a_schema_and_its_key(records: Records) -> None:
    schema = aspect(records, table("shop.sales"), "schemaMetadata")
    assert schema["primaryKeys"] == ["sale_id"]
    fields = {
        field["fieldPath"]: (*field["type"]["type"], field["nativeDataType"], field["nullable"]) for field in schema["fields"]
    }
    assert {name: (kind.rpartition(".")[2], *rest) for name, (kind, *rest) in fields.items()} == {
        "sale_id": ("NumberType", "bigint", False), "item": ("StringType", "varchar", False),
        "amount": ("NumberType", "decimal(10,2)", False), "sold_on": ("DateType", "date", False),
    }  # fmt: skip
    item = next(field for field in schema["fields"] if field["fieldPath"] == "item")
    assert item["globalTags"] == {"tags": [{"tag": "urn:li:tag:classification.personal"}]}


def test_lineage_of_tables_and_columns_across_products(records: Records) -> None:
    lineage = aspect(records, table("shop.totals"), "upstreamLineage")
    assert [item["dataset"] for item in lineage["upstreams"]] == [table("shop.sales")]
    assert [(item["upstreams"], item["downstreams"]) for item in lineage["fineGrainedLineages"]] == [
        ([f"urn:li:schemaField:({table('shop.sales')},{name})"], [f"urn:li:schemaField:({table('shop.totals')},{name})"])
        for name in ("item", "amount")
    ]
    other = aspect(records, table("plan.forecast"), "upstreamLineage")
    assert [item["dataset"] for item in other["upstreams"]] == [table("shop.totals")]


def test_the_product_has_its_ports(records: Records) -> None:
    properties = aspect(records, "urn:li:dataProduct:shop", "dataProductProperties")
    assert [(item["destinationUrn"], item["outputPort"]) for item in properties["assets"]] == [
        (table("shop.raw.sales"), False), (table("shop.sales"), True), (table("shop.totals"), True),
    ]  # fmt: skip
    owners = aspect(records, table("shop.sales"), "ownership")["owners"]
    assert owners == [
        {"owner": "urn:li:corpuser:o@example.com", "type": "TECHNICAL_OWNER"},
        {"owner": "urn:li:corpGroup:tills%2C and more", "type": "PRODUCER"},
    ]


def test_a_contract_consists_of_assertions_with_results(small: SmallMesh, records: Records) -> None:
    (contract,) = [
        item["aspect"]["json"] for item in records
        if item["aspectName"] == "dataContractProperties" and item["aspect"]["json"]["entity"] == table("shop.totals")
    ]  # fmt: skip
    (schema,), (fresh,) = contract["schema"], contract["freshness"]
    assert aspect(records, schema["assertion"], "assertionInfo")["schemaAssertion"]["compatibility"] == "EXACT_MATCH"
    interval = aspect(records, fresh["assertion"], "assertionInfo")["freshnessAssertion"]["schedule"]["fixedInterval"]
    assert interval == {"unit": "HOUR", "multiple": 24}
    logic = {
        aspect(records, item["assertion"], "assertionInfo")["customAssertion"]["logic"]: aspect(
            records, item["assertion"], "assertionRunEvent"
        )["result"]["type"]
        for item in contract["dataQuality"]
    }
    assert logic["amount is required"] == "SUCCESS"
    assert len(logic) == len(contract["dataQuality"]) == 6
    snapshot = small.store.current("shop")
    assert snapshot is not None
    event = aspect(records, contract["dataQuality"][0]["assertion"], "assertionRunEvent")
    assert event["runId"] == snapshot.manifest["run_id"]


def test_a_profile_without_values_of_hidden_columns(small: SmallMesh, records: Records) -> None:
    profile = aspect(records, table("shop.totals"), "datasetProfile")
    assert (profile["rowCount"], profile["columnCount"]) == (2, 2)
    assert profile["fieldProfiles"] == [
        {"fieldPath": "item", "nullCount": 0}, {"fieldPath": "amount", "nullCount": 0, "min": "170", "max": "310"},
    ]  # fmt: skip
    text = json.dumps(records)
    assert [word for word in ("tea", "cake") if re.search(rf"\b{word}\b", text)] == []


def test_a_contract_goes_with_it_only_where_nothing_is_hidden(tmp_path: Any, records: Records) -> None:
    def raw(records: Records) -> list[Any]:
        found = [item["aspect"]["json"] for item in records if item["aspectName"] == "dataContractProperties"]
        return [item.get("rawContract") for item in found]

    assert raw(records) == [None, None, None]
    other = SmallMesh(tmp_path)
    other.publish("shop")
    paths = [other.domains / f"shop/contracts/{name}.odcs.yaml" for name in ("sales", "totals")]
    assert raw(datahub_records(other.context)) == [path.read_text() for path in paths]


def test_the_same_mesh_gives_the_same_records(small: SmallMesh, records: Records) -> None:
    assert datahub_records(small.context) == records


def test_a_mesh_before_its_first_build(tmp_path: Any) -> None:
    small = SmallMesh(tmp_path)
    records = datahub_records(small.context, "DEV")
    kinds = {item["entityType"] for item in records}
    assert {"assertion", "dataContract"} & kinds == set()
    assert aspect(records, f"urn:li:dataset:({PLATFORM},shop.sales,DEV)", "schemaMetadata")["primaryKeys"] == ["sale_id"]


def test_an_older_major_version_is_deprecated(tmp_path: Any) -> None:
    small = SmallMesh(tmp_path)
    small.two_majors()
    found = aspect(datahub_records(small.context), table("shop.totals_v1"), "deprecation")
    assert found["note"] == "last day 2024-03-31; read shop.totals"


def test_a_secret_is_in_no_record(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small = SmallMesh(tmp_path)
    small.replace("domains/shop/contracts/totals.odcs.yaml", "One row per totals.", "One row, see open-sesame-17.")
    monkeypatch.setenv("SHOP_PASSWORD", "open-sesame-17")
    text = json.dumps(datahub_records(small.context))
    assert "open-sesame-17" not in text
    assert "see [SHOP_PASSWORD]." in text


def test_a_source_comes_from_the_dataset_of_another_platform(small: SmallMesh, records: Records) -> None:
    path = small.store.current("shop").manifest["sources"]["sales"]["origins"][0]["name"]
    (upstream,) = aspect(records, table("shop.raw.sales"), "upstreamLineage")["upstreams"]
    assert upstream["dataset"] == f"urn:li:dataset:(urn:li:dataPlatform:file,{path},PROD)"
    origin = Origin("postgres://db:5432", "shop.public.a, (b)")
    assert origin_urn(origin, "DEV") == "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.a%2C %28b%29,DEV)"
