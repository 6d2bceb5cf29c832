"""Contracts as JSON, which is YAML too."""

import json
from pathlib import Path
from typing import Any


def contract(
    identifier: str,
    table: str,
    columns: list[tuple[str, str, dict[str, Any]]],
    quality: list[dict[str, Any]] = (),
    sla: list[dict[str, Any]] = (),
    version: str = "1.0.0",
) -> str:
    """An ODCS contract; `columns` are name, type and further properties."""
    logical = {"bigint": "integer", "varchar": "string", "date": "date"}
    properties = [
        {"name": n, "logicalType": logical.get(kind, "number"), "physicalType": kind, "description": f"the {n}", **more}
        for n, kind, more in columns
    ]
    data = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": identifier, "version": version, "status": "active",
        "schema": [
            {
                "name": table, "physicalType": "table", "description": f"One row per {table}.",
                "properties": properties, "quality": list(quality),
            }
        ],
        "slaProperties": [{"property": "frequency", "value": 1, "unit": "d"}, *sla],
    }  # fmt: skip
    return json.dumps(data, indent=1)


def valid(*values: str) -> dict[str, Any]:
    """The rule that a column contains only these values."""
    arguments = {"validValues": list(values)}
    return {"name": "known values", "type": "library", "metric": "invalidValues", "arguments": arguments, "mustBe": 0}


def mask(path: Path, **masks: Any) -> None:
    """Mask columns of a contract, by name."""
    data = json.loads(path.read_text())
    for column in data["schema"][0]["properties"]:
        if column["name"] in masks:
            column["customProperties"] = [{"property": "mask", "value": masks[column["name"]]}]
    path.write_text(json.dumps(data))
