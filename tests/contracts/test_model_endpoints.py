from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.model_endpoints import ModelEndpoints
from kit.core.errors import InvalidFile
from tests.support.small_mesh import SmallMesh, write

A, B = "https://a.example.com/v1", "https://b.example.com/v1"


def load(tmp_path: Path, value: Any, identifier: str = "shop.sales", name: str = "modelEndpoints") -> Contract:
    import yaml

    table = {"name": "sales", "description": "One row per sale.", "physicalType": "table", "properties": [
        {"name": "item", "logicalType": "string", "physicalType": "varchar", "description": "The item."}]}  # fmt: skip
    data = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": identifier, "version": "1.0.0", "status": "active",
            "schema": [table], "customProperties": [{"property": name, "value": value}]}  # fmt: skip
    write(tmp_path / "sales.odcs.yaml", yaml.safe_dump(data))
    return Contract.load(tmp_path / "sales.odcs.yaml")


def test_a_list_allows_endpoints_for_all_rows(tmp_path: Path) -> None:
    endpoints = load(tmp_path, [f"{A}/"]).model_endpoints
    assert endpoints == ModelEndpoints((A,))
    assert endpoints.allows(A, None)
    assert endpoints.allows(A, "north")
    assert not endpoints.allows(B, None)
    assert not endpoints.allows("https://a.example.com", None)


def test_a_mapping_allows_them_for_the_rows_of_one_partition(tmp_path: Path) -> None:
    endpoints = load(tmp_path, {"north": [A, B], "south": [B]}).model_endpoints
    assert endpoints.allows(A, "north")
    assert not endpoints.allows(A, "south")
    assert not endpoints.allows(A, "west")
    assert endpoints.allows(B, None)
    assert not endpoints.allows(A, None)
    assert endpoints.any == {A, B}


def test_without_the_property_no_endpoint_is_allowed(small: SmallMesh) -> None:
    port = small.product("shop").port("sales")
    assert port and not port.contract.model_endpoints.allows(A, None)


@pytest.mark.parametrize("value", ["https://a.example.com", [], ["a.example.com"], {"north": A}, {"north": []}, None, [1]])
def test_anything_else_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InvalidFile, match=r"modelEndpoints: .* is no list of addresses"):
        load(tmp_path, value)


def test_it_is_written_at_a_port_and_in_this_spelling(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="'modelEndpoints' has no effect at a source"):
        load(tmp_path, [A], "shop.raw.sales")
    with pytest.raises(InvalidFile, match="'model_endpoints' has no effect; write modelEndpoints"):
        load(tmp_path, [A], name="model_endpoints")
