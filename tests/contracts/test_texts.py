"""Contracts and descriptors without their texts."""

import json
from typing import Any

import pytest

from kit.contracts.texts import promised_version, without_texts
from tests.support.contracts import contract, valid
from tests.support.products import descriptor

COLUMNS: list[tuple[str, str, dict[str, Any]]] = [("item", "varchar", {"required": True, "quality": [valid("tea")]})]


def of_contract() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(contract("shop.totals", "totals", COLUMNS))
    return found


def test_texts_people_and_the_patch_of_a_version_are_left_out_at_every_level() -> None:
    plain, edited = of_contract(), of_contract()
    edited |= {"version": "1.0.7", "name": "Totals", "description": {"usage": "x"}, "tags": ["x"], "team": {"name": "x"}}
    edited |= {"support": [{"channel": "x", "url": "https://x.example"}], "domain": "x"}
    table = edited["schema"][0]
    table |= {"description": "x", "businessName": "x", "dataGranularityDescription": "x"}
    table["properties"][0] |= {"description": "x", "examples": ["x"], "tags": ["x"]}
    table["properties"][0]["quality"][0] |= {"dimension": "conformity", "businessImpact": "x"}
    assert without_texts(edited, "odcs") == without_texts(plain, "odcs")
    assert without_texts(plain, "odcs")["version"] == "1.0"


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        ((), {"version": "1.1.0"}),
        ((), {"roles": [{"role": "reader"}]}),
        ((), {"customProperties": [{"property": "maxRowLoss", "value": 0.1}]}),
        (("schema", 0), {"name": "other"}),
        (("schema", 0, "properties", 0), {"physicalType": "text"}),
        (("schema", 0, "properties", 0), {"classification": "personal"}),
        (("schema", 0, "properties", 0, "quality", 0), {"description": "a text of results of checks"}),
        (("schema", 0, "properties", 0, "quality", 0, "arguments"), {"validValues": ["cake"]}),
        (("slaProperties", 0), {"value": 2}),
    ],
)
def test_what_is_promised_stays(place: tuple[Any, ...], fields: dict[str, Any]) -> None:
    edited = of_contract()
    part: Any = edited
    for step in place:
        part = part[step]
    part.update(fields)
    assert without_texts(edited, "odcs") != without_texts(of_contract(), "odcs")


def test_a_descriptor_keeps_ports_and_settings_only() -> None:
    data = json.loads(descriptor("shop", inputs=["plan.forecast"], outputs={"sales": "dbt"}))
    kept = without_texts(data | {"tags": ["x"], "customProperties": [{"property": "schedule", "value": "0 6 * * *"}]}, "odps")
    assert kept == {
        "apiVersion": "v1.0.0", "kind": "DataProduct", "id": "shop", "name": "shop", "version": "1.0",
        "inputPorts": [{"name": "plan.forecast", "version": "1.0", "contractId": "plan.forecast"}],
        "outputPorts": [{"name": "sales", "version": "1.0", "contractId": "shop.sales", "type": "dbt"}],
        "customProperties": [{"property": "schedule", "value": "0 6 * * *"}],
    }  # fmt: skip


def test_what_is_no_version_counts_as_it_is() -> None:
    assert [promised_version(value) for value in ("1.2.3", "v1.0.0", 1, None)] == ["1.2", "v1.0.0", 1, None]
