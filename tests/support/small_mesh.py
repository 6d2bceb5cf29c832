"""A complete mesh of two small products, written below a temporary folder for tests to use and abuse.

`shop` lands a CSV of sales and publishes `sales` and `totals` with dbt; `plan` reads `shop.totals` and publishes
`forecast` with a notebook.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from kit.build.build import Outcome, build
from kit.build.plan import BuildRequest
from kit.build.progress import Progress
from kit.core.config import Config
from kit.mesh.mesh import Mesh
from kit.mesh.product import DataProduct
from kit.storage import index
from kit.storage.snapshots import Store
from kit.sync.sync import sync

SALES = ["sale_id,item,amount,sold_on"] + [
    f"{i},{'tea' if i % 3 else 'cake'},{i}.50,2024-01-{i % 9 + 1:02d}" for i in range(1, 31)
]

# The first publication of a product as it was written makes the same snapshot in every test: it is built once per process.
_images = tempfile.TemporaryDirectory()
_KEPT = ("products", "raw", "runs")


class SmallMesh:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.domains = root / "domains"
        self.feed = root / "feed" / "sales.csv"
        write(root / "pyproject.toml", '[tool.kit]\nstorage = "state"\nas_of = 2024-01-10\ncell_timeout_seconds = 20\n')
        self.feed_rows(SALES)
        self._shop()
        self._plan()
        sync(self.config, self.mesh)

    @property
    def config(self) -> Config:
        return Config.load(self.root, {})

    @property
    def mesh(self) -> Mesh:
        return Mesh.load(self.domains)

    @property
    def store(self) -> Store:
        return Store(self.config.storage)

    def product(self, name: str) -> DataProduct:
        return self.mesh.product(name)

    def build(self, name: str, *, progress: Progress | None = None, **request: Any) -> Outcome:
        return build(self.config, self.product(name), BuildRequest(**request), progress=progress)

    def publish(self, name: str, **options: Any) -> str:
        first = not options and not any((self.config.storage / kind / name).exists() for kind in _KEPT)
        image = Path(_images.name, self._looks(name)) if first else None
        if image is None or not image.is_dir():
            outcome = self.build(name, **options)
            assert outcome.status == "published", outcome.message
            if image:
                self._copy(name, self.config.storage, image)
        else:
            self._copy(name, image, self.config.storage)
            self.store.repair_catalogs(name)
            index.update(self.config, self.product(name))
        version = self.store.pointer(name)
        assert version is not None
        return version.version

    def _looks(self, name: str) -> str:
        """A digest of all that decides what the first publication of a product is."""
        product = self.product(name)
        inputs = [self.store.pointer(item.product) for item in product.inputs]
        needs = [port.needs for port in product.ports]
        given = (product.code_digest(), needs, self.feed.read_bytes() if product.sources else b"", inputs, self.config.as_of)
        return hashlib.sha256(repr((name, given)).encode()).hexdigest()

    def _copy(self, name: str, origin: Path, target: Path) -> None:
        for kind in _KEPT:
            if (origin / kind / name).is_dir():
                shutil.copytree(origin / kind / name, target / kind / name)

    def kit(self, *arguments: str, check: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "kit", *arguments],
            cwd=self.root, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=check,
        )  # fmt: skip

    def feed_rows(self, rows: list[str]) -> None:
        write(self.feed, "\n".join(rows) + "\n")

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new))

    def notebook(self, product: str, port: str, cells: list[str], parameters: str = "") -> Path:
        path = self.domains / product / "notebooks" / f"{port}.ipynb"
        write(path, json.dumps(notebook(cells, parameters)))
        return path

    def mask(self, path: str, **masks: Any) -> None:
        """Mask columns of a contract, by name."""
        file = self.domains / path
        data = json.loads(file.read_text())
        for column in data["schema"][0]["properties"]:
            if column["name"] in masks:
                column["customProperties"] = [{"property": "mask", "value": masks[column["name"]]}]
        write(file, json.dumps(data))

    def partition(self, name: str, column: str, **how: Any) -> None:
        """Declare that a product is cut by `column` into days (`start`) or `keys`; anew, when it already is."""
        file = self.domains / name / "product.odps.yaml"
        value = {"column": column, **how}
        write(
            file, json.dumps({**json.loads(file.read_text()), "customProperties": [{"property": "partitions", "value": value}]})
        )

    def partitioned_shop(self, column: str = "item", **how: Any) -> None:
        """Cut `shop` by item, or by day: a build of one partition makes the files of that partition only."""
        shop = self.domains / "shop"
        self.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales", "from sales")
        self.partition("shop", column, **(how or {"keys": ["tea", "cake"]}))
        only = f" where {column}::varchar = '{{{{ var('partition') }}}}' order by"
        self.replace("domains/shop/models/marts/sales.sql", " order by", only)
        if column != "item":
            text = (shop / "contracts/totals.odcs.yaml").read_text()
            data = json.loads(text)
            day = {"name": column, "logicalType": "date", "physicalType": "date", "description": "the day", "required": True}
            data["schema"][0]["properties"].append({**day, "primaryKey": True, "primaryKeyPosition": 2})
            write(shop / "contracts/totals.odcs.yaml", json.dumps(data))
            write(
                shop / "models/marts/totals.sql",
                f"select item, sum(amount)::decimal(18,2) as amount, {column} from {{{{ ref('sales') }}}}\n"
                "group by item, sold_on order by item, sold_on\n".replace("sold_on", column),
            )
        sync(self.config, self.mesh)

    def partitioned_plan(self, *keys: str) -> None:
        """Cut `plan` by item; its notebook takes the partition as a parameter."""
        self.partition("plan", "item", keys=list(keys or ("tea", "cake")))
        cells = [FORECAST[0], "totals = kit.inputs().read('shop.totals').filter(pl.col('item') == partition)", *FORECAST[2:]]
        self.notebook("plan", "forecast", cells, "factor: float = 2.0  # growth\npartition: str = 'tea'\n")

    def two_majors(self, end: str = "2024-03-31") -> None:
        """Give `shop` version 2 of `totals`, which renames a column; version 1 goes on as `totals_v1` until `end`."""
        shop = self.domains / "shop"
        old = json.loads((shop / "contracts/totals.odcs.yaml").read_text())
        (shop / "contracts/totals.odcs.yaml").write_text(json.dumps(old, indent=1).replace("amount", "value"))
        self.replace("domains/shop/contracts/totals.odcs.yaml", "sum(value) from raw.sales", "sum(amount) from raw.sales")
        self.replace("domains/shop/contracts/totals.odcs.yaml", '"version": "1.0.0"', '"version": "2.0.0"')
        old |= {
            "id": "shop.totals_v1",
            "status": "deprecated",
            "customProperties": [{"property": "majorOf", "value": "totals"}],
        }
        old["schema"][0]["name"] = "totals_v1"
        old["slaProperties"].append({"property": "endOfLife", "value": end})
        write(shop / "contracts/totals_v1.odcs.yaml", json.dumps(old, indent=1))
        product = json.loads((shop / "product.odps.yaml").read_text())
        product["outputPorts"][1]["version"] = "2.0.0"
        product["outputPorts"].append({"name": "totals_v1", "version": "1.0.0", "contractId": "shop.totals_v1", "type": "dbt"})
        write(shop / "product.odps.yaml", json.dumps(product, indent=1))
        model = shop / "models/marts/totals.sql"
        write(shop / "models/marts/totals_v1.sql", model.read_text())
        write(model, model.read_text().replace("as amount", "as value"))
        self.replace("domains/shop/models/marts/sales.yml", "model: totals", "model: totals_v1")
        sync(self.config, self.mesh)

    def dbt_reader(self, name: str, column: str, version: str) -> None:
        """A product that copies `shop.totals`, in the given version, with dbt."""
        folder = self.domains / name
        data = json.loads(descriptor(name, inputs=["shop.totals"], outputs={"copy": "dbt"}))
        data["inputPorts"][0]["version"] = version
        write(folder / "product.odps.yaml", json.dumps(data, indent=1))
        columns = [("item", "varchar", {"required": True}), (column, "decimal(18,2)", {"required": True})]
        write(folder / "contracts/copy.odcs.yaml", contract(f"{name}.copy", "copy", columns))
        write(folder / "dbt_project.yml", (self.domains / "shop/dbt_project.yml").read_text().replace("shop", name))
        write(folder / "models/sources.yml", "sources: [{name: shop, tables: [{name: totals}]}]\n")
        write(folder / "models/copy.sql", f"select item, {column} from {{{{ source('shop', 'totals') }}}} order by item\n")

    def need(self, columns: list[tuple[str, str, dict[str, Any]]], quality: list[dict[str, Any]] = (), **more: Any) -> Path:
        """State what `plan` needs of `shop.totals`."""
        path = self.domains / "plan/consumes/shop.totals.odcs.yaml"
        write(path, contract(more.pop("id", "plan.needs.shop.totals"), "totals", columns, quality, **more))
        return path

    def _shop(self) -> None:
        shop = self.domains / "shop"
        write(shop / "product.odps.yaml", descriptor("shop", inputs=["raw.sales"], outputs={"sales": "dbt", "totals": "dbt"}))
        columns = [
            ("sale_id", "bigint", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
            ("item", "varchar", {"required": True, "quality": [valid("tea", "cake")]}),
            ("amount", "decimal(10,2)", {"required": True, "logicalTypeOptions": {"minimum": 0, "maximum": 1000}}),
            ("sold_on", "date", {"required": True}),
        ]
        rows = {"name": "rows", "type": "library", "metric": "rowCount", "mustBeBetween": [20, 100]}
        latency = {"property": "latency", "value": 2, "unit": "d", "element": "sales.sold_on"}
        write(shop / "sources/sales.odcs.yaml", contract("shop.raw.sales", "sales", columns, [rows], [latency]))
        write(shop / "contracts/sales.odcs.yaml", contract("shop.sales", "sales", columns, [rows], [latency]))
        totals = [
            ("item", "varchar", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
            ("amount", "decimal(18,2)", {"required": True}),
        ]
        balance = {
            "name": "totals add up", "type": "sql", "mustBe": 0,
            "query": "select (select sum(amount) from ${table}) - (select sum(amount) from raw.sales)",
        }  # fmt: skip
        write(shop / "contracts/totals.odcs.yaml", contract("shop.totals", "totals", totals, [balance]))
        suite = {
            "name": "sales.extra",
            "expectations": [
                {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "amount", "min_value": 5, "max_value": 50}},
                {
                    "type": "expect_column_unique_value_count_to_be_between", "severity": "warning",
                    "kwargs": {"column": "item", "min_value": 2}, "meta": {"notes": "both items sell every week"},
                },
            ],
        }  # fmt: skip
        write(shop / "expectations/sales.extra.json", json.dumps(suite))
        write(shop / "ingest.py", "def sales():\n    return '../../feed/sales.csv'\n")
        write(
            shop / "dbt_project.yml",
            "name: shop\nversion: 1.0.0\nprofile: kit\nmodel-paths: [models]\n"
            f"macro-paths: [{json.dumps(str(Path(__file__).parents[2] / 'kit/dbt/macros'))}]\n"
            "models: {shop: {+materialized: published}}\n",
        )
        write(shop / "models/sources.yml", "sources: [{name: raw, tables: [{name: sales}]}]\n")
        write(shop / "models/marts/sales.sql", "select * from {{ source('raw', 'sales') }} order by sale_id\n")
        write(
            shop / "models/marts/totals.sql",
            "select item, sum(amount)::decimal(18,2) as amount from {{ ref('sales') }} group by item order by item\n",
        )
        write(
            shop / "models/marts/sales.yml",
            "models:\n  # kit sync: begin\n  # kit sync: end\n      - unique: {arguments: {column_name: sale_id}}\n"
            "unit_tests:\n- name: adds\n  model: totals\n  given:\n"
            "  - input: ref('sales')\n    rows: [{item: tea, amount: 1}, {item: tea, amount: 2}]\n"
            "  expect: {rows: [{item: tea, amount: 3}]}\n",
        )

    def _plan(self) -> None:
        plan = self.domains / "plan"
        write(plan / "product.odps.yaml", descriptor("plan", inputs=["shop.totals"], outputs={"forecast": "notebook"}))
        columns = [
            ("item", "varchar", {"required": True, "primaryKey": True, "primaryKeyPosition": 1}),
            ("amount", "double", {"required": True, "logicalTypeOptions": {"minimum": 0}}),
        ]
        write(plan / "contracts/forecast.odcs.yaml", contract("plan.forecast", "forecast", columns, []))
        self.notebook("plan", "forecast", FORECAST, "factor: float = 2.0  # growth\nname: str = 'base'\n")


FORECAST = [
    "import kit\nimport polars as pl",
    "totals = kit.inputs().read('shop.totals')",
    "frame = totals.select('item', amount=pl.col('amount').cast(pl.Float64) * factor)",
    "kit.output('forecast', frame)",
]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


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


def valid(*values: str) -> dict[str, Any]:
    arguments = {"validValues": list(values)}
    return {"name": "known values", "type": "library", "metric": "invalidValues", "arguments": arguments, "mustBe": 0}


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


def notebook(cells: list[str], parameters: str = "") -> dict[str, Any]:
    """A notebook whose first cell, if any, is the one tagged `parameters`."""

    def cell(number: int, source: str, tags: list[str]) -> dict[str, Any]:
        return {
            "cell_type": "code", "id": f"cell{number}", "metadata": {"tags": tags} if tags else {},
            "source": textwrap.dedent(source), "outputs": [], "execution_count": None,
        }  # fmt: skip

    first = [cell(0, parameters, ["parameters"])] if parameters else []
    return {
        "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": first + [cell(i, source, []) for i, source in enumerate(cells, 1)],
    }  # fmt: skip
