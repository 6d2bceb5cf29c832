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
    reads: str = "../../feed",
) -> str:
    """An ODCS contract; `columns` are name, type and further properties. A source `reads` the folder of the feed."""
    properties = [
        {"name": n, "logicalType": logical_type(kind), "physicalType": kind, "description": f"the {n}", **more}
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
    if ".raw." in identifier:
        data["customProperties"] = [{"property": "reads", "value": [reads]}]
    return json.dumps(data, indent=1)


def logical_type(kind: str) -> str:
    """The logical type of a DuckDB type."""
    if kind.endswith("]"):
        return "array"
    whole = "integer" if kind.endswith(("int", "integer")) else "number"
    same = ("boolean", "date", "timestamp", "time", "varchar", "uuid", "blob", "json")
    name = next((name for name in same if kind.startswith(name)), whole)
    return "string" if name in ("varchar", "uuid", "blob", "json") else name


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
