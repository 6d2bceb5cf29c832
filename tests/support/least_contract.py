"""The least contract that can be read, and changes of it."""

import json
from pathlib import Path
from typing import Any

from kit.contracts.contract import Contract
from kit.contracts.rules import Rule
from tests.support.edit import edited

BASE: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "shop.sales",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "sales",
            "description": "One row per sale.",
            "properties": [
                {"name": "sale_id", "logicalType": "integer", "physicalType": "bigint"},
                {"name": "item", "logicalType": "string", "physicalType": "varchar"},
                {"name": "sold_on", "logicalType": "date", "physicalType": "date"},
            ],
        }
    ],
}

TABLE = "schema 0"

FIRST, ITEM, DAY = (f"{TABLE} properties {position}" for position in range(3))


def load(*changes: tuple[str, Any]) -> Contract:
    data = BASE
    for where, value in changes:
        data = edited(data, where, value)
    path = Path.cwd() / "sales.yaml"
    path.write_text(json.dumps(data, indent=1))
    return Contract.load(path)


def rules(*changes: tuple[str, Any]) -> list[Rule]:
    return list(load(*changes).rules)
