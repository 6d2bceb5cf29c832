"""Data products as files: descriptors, dbt projects, partitions."""

import json
from pathlib import Path
from typing import Any

from kit.dbt import committed
from tests.support.contracts import contract
from tests.support.files import write


def descriptor(name: str, *, inputs: list[str] = (), outputs: dict[str, str] | None = None, version: str = "1.0.0") -> str:
    """A `product.odps.yaml`; JSON is YAML."""
    ports = [{"name": n, "version": "1.0.0", "contractId": f"{name}.{n}", "type": kind} for n, kind in (outputs or {}).items()]
    data = {
        "apiVersion": "v1.0.0", "kind": "DataProduct", "id": name, "name": name, "version": version, "status": "active",
        "description": {"purpose": f"what {name} is for"},
        "inputPorts": [
            {"name": i, "version": "1.0.0", "contractId": f"{name}.{i}" if i.startswith("raw.") else i} for i in inputs
        ],
        "outputPorts": ports,
        "team": [{"username": "o@example.com", "name": f"{name} owner", "role": "owner"}],
    }  # fmt: skip
    return json.dumps(data, indent=1)


def write_dbt_project(folder: Path) -> None:
    """A dbt project whose models are published, with the kit's macros."""
    name = folder.name
    write(folder / "macros" / committed.MACROS, committed.macros())
    write(
        folder / "dbt_project.yml",
        f"name: {name}\nversion: 1.0.0\nprofile: kit\nmodel-paths: [models]\nmacro-paths: [macros]\n"
        f"models: {{{name}: {{+materialized: published}}}}\n",
    )


def write_dbt_reader(folder: Path, column: str, version: str) -> None:
    """A product that copies `item` and one column of `shop.totals`, in the given version, with dbt."""
    name = folder.name
    data = json.loads(descriptor(name, inputs=["shop.totals"], outputs={"copy": "dbt"}))
    data["inputPorts"][0]["version"] = version
    write(folder / "product.odps.yaml", json.dumps(data, indent=1))
    columns = [("item", "varchar", {"required": True}), (column, "decimal(18,2)", {"required": True})]
    write(folder / "contracts/copy.odcs.yaml", contract(f"{name}.copy", "copy", columns))
    write_dbt_project(folder)
    write(folder / "models/sources.yml", "sources: [{name: shop, tables: [{name: totals}]}]\n")
    write(folder / "models/copy.sql", f"select item, {column} from {{{{ source('shop', 'totals') }}}} order by item\n")


def partition(folder: Path, column: str, **how: Any) -> None:
    """Declare that a product is partitioned by `column` into days (`start`) or `keys`, in place of an earlier declaration."""
    file = folder / "product.odps.yaml"
    value = {"column": column, **how}
    data = json.loads(file.read_text()) | {"customProperties": [{"property": "partitions", "value": value}]}
    write(file, json.dumps(data))
