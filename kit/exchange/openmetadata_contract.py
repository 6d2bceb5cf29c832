"""Contracts and columns in the words of OpenMetadata 2.0, whose reader of ODCS takes a dialect of the standard."""

import re
from typing import Any

from kit.contracts import Column, Contract
from kit.exchange.tables import Tables
from kit.mesh import DataProduct

CLASSIFICATION = "DataMesh"
"""The classification in OpenMetadata whose tags are the classifications of columns."""

_NUMBER = re.compile(r"(\w+)\((\d+)(?:,\s*(\d+))?\)")
_UNSIGNED = re.compile(r"u(tiny|small|big|huge)?int(eger)?")
_TYPES = {
    "varchar": "STRING", "uuid": "UUID", "json": "JSON", "boolean": "BOOLEAN", "date": "DATE", "time": "TIME",
    "timestamp": "TIMESTAMP", "timestamp with time zone": "TIMESTAMPZ", "blob": "BLOB", "tinyint": "TINYINT",
    "smallint": "SMALLINT", "integer": "INT", "bigint": "BIGINT", "hugeint": "LARGEINT", "float": "FLOAT", "double": "DOUBLE",
    "interval": "INTERVAL",
}  # fmt: skip


def column(item: Column, position: int, key: tuple[str, ...]) -> dict[str, Any]:
    """Return a column of a table."""
    kind, match = item.type, _NUMBER.fullmatch(item.type)
    name = _TYPES.get(kind, "UINT" if _UNSIGNED.fullmatch(kind) else "UNKNOWN")
    sizes: dict[str, Any] = {}
    if match and match[1] == "decimal":
        name, sizes = "DECIMAL", {"precision": int(match[2]), "scale": int(match[3] or 0)}
    elif kind.endswith("]"):
        name, sizes = "ARRAY", {"arrayDataType": _TYPES.get(kind.partition("[")[0], "UNKNOWN")}
    elif kind.startswith(("struct", "map")):
        name = "STRUCT" if kind.startswith("struct") else "MAP"
    constraint = "PRIMARY_KEY" if key == (item.name,) else "NOT_NULL" if item.required else "NULL"
    tags = [tag(item.classification)] if item.classification else []
    return {
        "name": item.name, "dataType": name, **sizes, "dataTypeDisplay": kind, "description": item.description,
        "ordinalPosition": position, "constraint": constraint, **({"tags": tags} if tags else {}),
    }  # fmt: skip


def tag(name: str) -> dict[str, Any]:
    """Return the label of a classification of columns."""
    return {
        "tagFQN": f"{CLASSIFICATION}.{name}", "source": "Classification", "labelType": "Manual", "state": "Confirmed",
    }  # fmt: skip


def odcs(tables: Tables, product: DataProduct, contract: Contract) -> dict[str, Any]:
    """Return a contract in the dialect that OpenMetadata 2.0 reads.

    Against ODCS 3.1 the team is a list, and values of service levels are texts. Rules are texts: they are measured by the
    kit, whose results are test cases; a rule that may list values of a hidden column is named by its kind.
    """
    sla = contract.sla
    levels = {"latency": sla.latency, "frequency": sla.frequency, "retention": sla.retention}
    hours = {name: f"{level.total_seconds() / 3600:g}" for name, level in levels.items() if level}
    element = {"element": f"{contract.table}.{sla.latency_column}"} if sla.latency_column else {}
    team = [{"name": contract.team, "role": "team"}] if contract.team else []
    team.append({"username": product.owner_contact, "name": product.owner, "role": "owner"})
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": contract.id,
        "name": contract.id,
        "version": str(contract.version),
        "status": contract.status,
        "domain": product.domain,
        "dataProduct": product.name,
        "tags": list(contract.tags),
        "description": {"purpose": contract.description},
        "team": team,
        "slaProperties": [
            {"property": name, "value": value, "unit": "h", **(element if name == "latency" else {})}
            for name, value in hours.items()
        ],
        "schema": [
            {
                "name": contract.table,
                "physicalType": "table",
                "description": contract.description,
                "properties": [_property(item, contract.key) for item in contract.columns],
                "quality": [
                    {"type": "text", "name": tables.rule_name(rule), "description": tables.rule_name(rule)}
                    for rule in contract.rules
                ],
            }
        ],
    }


def _property(item: Column, key: tuple[str, ...]) -> dict[str, Any]:
    position = {"primaryKey": True, "primaryKeyPosition": key.index(item.name) + 1} if item.name in key else {}
    return {
        "name": item.name,
        "logicalType": item.logical_type,
        "physicalType": item.type,
        "description": item.description,
        "required": item.required,
        **position,
        **({"classification": item.classification} if item.classification else {}),
    }
