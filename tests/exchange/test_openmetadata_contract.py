import json

import pytest

from kit.contracts.contract import Column
from kit.exchange.openmetadata_contract import column, odcs
from kit.exchange.tables import Tables
from tests.support.small_mesh import SmallMesh


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("varchar", {"dataType": "STRING"}), ("bigint", {"dataType": "BIGINT"}), ("uinteger", {"dataType": "UINT"}),
        ("decimal(18,2)", {"dataType": "DECIMAL", "precision": 18, "scale": 2}), ("timestamp", {"dataType": "TIMESTAMP"}),
        ("timestamp with time zone", {"dataType": "TIMESTAMPZ"}),
        ("varchar[]", {"dataType": "ARRAY", "arrayDataType": "STRING"}),
        ("struct(a integer)", {"dataType": "STRUCT"}), ("other", {"dataType": "UNKNOWN"}),
    ],
)  # fmt: skip
def test_types(kind: str, made: dict[str, object]) -> None:
    found = column(Column("c", kind, "", "the c", required=True, classification=None), 1, ())
    assert found == {
        "name": "c", "dataTypeDisplay": kind, "description": "the c", "ordinalPosition": 1, "constraint": "NOT_NULL", **made,
    }  # fmt: skip


def test_a_contract_in_the_dialect(small: SmallMesh) -> None:
    product = small.product("shop")
    port = product.port("sales")
    assert port is not None
    made = odcs(Tables(small.context, product), product, port.contract)
    assert made["team"] == [{"username": "o@example.com", "name": product.owner, "role": "owner"}]
    assert made["slaProperties"] == [
        {"property": "latency", "value": "48", "unit": "h", "element": "sales.sold_on"},
        {"property": "frequency", "value": "24", "unit": "h"},
    ]
    (schema,) = made["schema"]
    assert schema["properties"][0] == {
        "name": "sale_id", "logicalType": "integer", "physicalType": "bigint", "description": "the sale_id", "required": True,
        "primaryKey": True, "primaryKeyPosition": 1,
    }  # fmt: skip
    assert {"type": "text", "name": "amount is between 0 and 1000", "description": "amount is between 0 and 1000"} in (
        schema["quality"]
    )
    assert (made["apiVersion"], made["status"]) == ("v3.1.0", "active")


def test_a_rule_of_a_hidden_column_is_named_by_its_kind(small: SmallMesh) -> None:
    file = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(file.read_text())
    data["schema"][0]["properties"][2] |= {"classification": "personal"}
    file.write_text(json.dumps(data))
    product = small.product("shop")
    port = product.port("sales")
    assert port is not None
    names = [item["name"] for item in odcs(Tables(small.context, product), product, port.contract)["schema"][0]["quality"]]
    assert "amount: expect_column_values_to_be_between" in names
    assert not any("1000" in name for name in names)
