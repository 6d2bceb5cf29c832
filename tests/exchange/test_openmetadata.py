import json
import re
from itertools import groupby
from typing import Any

import pytest

from kit.exchange.openmetadata import Call, openmetadata_calls, summary
from tests.support.small_mesh import SmallMesh


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallMesh:
    """Both products published; the items are personal."""
    small = SmallMesh(tmp_path_factory.mktemp("mesh"))
    small.personal_items()
    small.publish("shop")
    small.publish("plan")
    return small


@pytest.fixture(scope="module")
def calls(small: SmallMesh) -> list[Call]:
    return openmetadata_calls(small.context)


def value(calls: list[Call], path: str, name: str) -> dict[str, Any]:
    (found,) = [call.value for call in calls if call.path == path and call.value.get("name") == name]
    return found


def _ids(value: Any) -> list[str]:
    """The texts under `id` in nested values."""
    if isinstance(value, dict):
        return [item for key, item in value.items() if key == "id"] + [found for item in value.values() for found in _ids(item)]
    return [found for item in value for found in _ids(item)] if isinstance(value, list) else []


def test_entities_come_before_those_that_name_them(calls: list[Call]) -> None:
    kinds = [re.sub(r"\{.*\}|testCaseResults/.*", "…", call.path) for call in calls]
    order = [kind for kind, _ in groupby(kind for kind in kinds if "…" not in kind)]
    assert order == [
        "services/databaseServices", "domains", "classifications", "tags", "databases", "databaseSchemas", "tables",
        "dataQuality/testDefinitions", "dataQuality/testCases", "dataProducts", "lineage",
    ]  # fmt: skip
    assert kinds.index("dataProducts") < kinds.index("dataContracts/odcs?entityId=…&entityType=table") < kinds.index("lineage")
    made: set[str] = set()
    for call in calls:
        texts = [call.path, *_ids(call.value)]
        named = {name for text in texts for name in re.findall(r"\{([^{}]+)\}", text)}
        assert named <= made, call.path
        made.add(call.makes)
    assert summary(calls) == "2 products, 4 tables, 36 test cases"


def test_a_table_with_its_profile(calls: list[Call]) -> None:
    table = value(calls, "tables", "totals")
    assert (table["databaseSchema"], table["displayName"], table["tableType"]) == (
        "data-mesh.mesh.shop",
        "shop.totals",
        "Regular",
    )
    assert [(item["name"], item["dataType"], item["constraint"]) for item in table["columns"]] == [
        ("item", "STRING", "PRIMARY_KEY"), ("amount", "DECIMAL", "NOT_NULL"),
    ]  # fmt: skip
    assert table["columns"][0]["tags"][0]["tagFQN"] == "DataMesh.personal"
    (profile,) = [call.value for call in calls if call.path == "tables/{data-mesh.mesh.shop.totals}/tableProfile"]
    assert profile["tableProfile"]["rowCount"] == 2
    columns = [{key: item for key, item in column.items() if key != "timestamp"} for column in profile["columnProfile"]]
    assert columns == [{"name": "item", "nullCount": 0}, {"name": "amount", "nullCount": 0, "min": 170.0, "max": 310.0}]


def test_checks_are_test_cases_with_results(calls: list[Call]) -> None:
    cases = {call.value["displayName"]: call for call in calls if call.path == "dataQuality/testCases"
             if call.value["entityLink"].startswith("<#E::table::data-mesh.mesh.shop.totals")}  # fmt: skip
    case = cases["amount is required"]
    assert case.value["testDefinition"] == "dataMeshColumnRule"
    assert case.value["entityLink"] == "<#E::table::data-mesh.mesh.shop.totals::columns::amount>"
    assert case.makes == f"data-mesh.mesh.shop.totals.amount.{case.value['name']}"
    (result,) = [call for call in calls if call.path.endswith(f"testCaseResults/{case.makes}")]
    assert (result.method, result.value["testCaseStatus"], result.value["result"]) == (
        "POST",
        "Success",
        "0 of 2 rows break it",
    )
    assert len({call.makes for call in calls if call.path == "dataQuality/testCases"}) == 36


def test_lineage_of_tables_and_columns(calls: list[Call]) -> None:
    edges = {
        (call.value["edge"]["fromEntity"]["id"], call.value["edge"]["toEntity"]["id"]): call.value["edge"]["lineageDetails"]
        for call in calls
        if call.path == "lineage"
    }
    base = "data-mesh.mesh"
    assert list(edges) == [
        (f'{{{base}.shop."raw.sales"}}', f"{{{base}.shop.sales}}"), (f"{{{base}.shop.sales}}", f"{{{base}.shop.totals}}"),
        (f"{{{base}.shop.totals}}", f"{{{base}.plan.forecast}}"),
    ]  # fmt: skip
    assert edges[f"{{{base}.shop.sales}}", f"{{{base}.shop.totals}}"]["columnsLineage"] == [
        {"fromColumns": [f"{base}.shop.sales.{name}"], "toColumn": f"{base}.shop.totals.{name}"} for name in ("item", "amount")
    ]


def test_nothing_of_a_hidden_column_leaves(calls: list[Call]) -> None:
    text = json.dumps([call.to_json() for call in calls])
    assert [word for word in ("tea", "cake") if re.search(rf"\b{word}\b", text)] == []


def test_the_same_mesh_gives_the_same_requests(small: SmallMesh, calls: list[Call]) -> None:
    assert openmetadata_calls(small.context) == calls


def test_a_mesh_before_its_first_build(tmp_path: Any) -> None:
    calls = openmetadata_calls(SmallMesh(tmp_path).context, "other")
    assert summary(calls) == "2 products, 4 tables, 0 test cases"
    assert calls[0].value["name"] == "other"
