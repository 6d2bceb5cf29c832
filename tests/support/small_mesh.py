"""A complete mesh of two small products, written below a temporary folder for a test to use and change.

`shop` lands a CSV of sales and publishes `sales` and `totals` with dbt; `plan` reads `shop.totals` and publishes
`forecast` with a notebook.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from kit.build.build import Outcome, build
from kit.build.plan import BuildRequest
from kit.build.progress import Progress
from kit.core.config import Config
from kit.mesh.context import Context
from kit.mesh.mesh import Mesh
from kit.mesh.product import DataProduct
from kit.quality import suite
from kit.storage import index
from kit.storage.store import Store
from kit.sync.sync import sync
from tests.support import contracts, files, plan, products, shop
from tests.support.contracts import contract, valid
from tests.support.files import write
from tests.support.forked import run_kit
from tests.support.notebooks import notebook
from tests.support.plan import FORECAST
from tests.support.products import descriptor
from tests.support.shop import SALES

__all__ = ["FORECAST", "SALES", "SmallMesh", "contract", "descriptor", "notebook", "valid", "write"]

# Every test makes the same first snapshot of a product it has not changed: that snapshot is built once per process.
_images = tempfile.TemporaryDirectory()
_COPIED = ("products", "raw", "runs")


class SmallMesh:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.domains = root / "domains"
        self.feed = root / "feed" / "sales.csv"
        settings = (
            'storage = "state"\nas_of = 2024-01-10\ncell_timeout_seconds = 20\nreader_grace_minutes = 0\nparallel_builds = 1\n'
        )
        write(root / "pyproject.toml", f"[tool.kit]\n{settings}")
        self.feed_rows(SALES)
        shop.write_shop(self.domains / "shop")
        plan.write_plan(self.domains / "plan")
        sync(self.context)

    @property
    def config(self) -> Config:
        return Config.load(self.root, {})

    @property
    def mesh(self) -> Mesh:
        return Mesh.load(self.domains)

    @property
    def context(self) -> Context:
        return Context(self.config).with_mesh(self.mesh)

    @property
    def store(self) -> Store:
        return Store(self.config.storage)

    def product(self, name: str) -> DataProduct:
        return self.mesh.product(name)

    def build(self, name: str, *, progress: Progress | None = None, **request: Any) -> Outcome:
        self.write_suites(name)
        return build(self.config, self.product(name), BuildRequest(**request), progress=progress)

    def write_suites(self, name: str) -> None:
        """Write the suites of a product whose contracts a test changed, as `kit sync` does."""
        for path, text in suite.files(self.product(name)).items():
            write(path, text)

    def publish(self, name: str, **options: Any) -> str:
        """Build a product and return the version of its snapshot; a first snapshot is copied where it was built before."""
        self.write_suites(name)
        first = not options and not any((self.config.storage / kind / name).exists() for kind in _COPIED)
        image = Path(_images.name, self._digest(name)) if first else None
        if image is None or not image.is_dir():
            outcome = self.build(name, **options)
            assert outcome.status == "published", outcome.message
            if image:
                _copy(name, self.config.storage, image)
        else:
            _copy(name, image, self.config.storage)
            self.store.repair_catalog(name)
            index.update(self.config, self.product(name))
        version = self.store.read_pointer(name)
        assert version is not None
        return version.version

    def snapshot(self, name: str, port: str, rows: dict[str, list[str]], **manifest: Any) -> str:
        """Publish rows of one port without a build; `amount` becomes a decimal."""
        frame = pl.DataFrame(rows).with_columns(pl.col("amount").cast(pl.Decimal(18, 2)))
        pointer = self.store.read_pointer(name)
        with self.store.build_lock(name):
            staging = self.store.stage(name, "r", [port])
            frame.write_parquet(staging / port / "data.parquet")
            entry = {"rows": frame.height, "contract_version": "1.0.0", "newest": None, "checks": {"passed": 0, "warned": 0}}
            content = {"run_id": "r", "fingerprint": "f", "inputs": {}, "sources": {}, "checks": [], "ports": {port: entry}}
            return self.store.publish(name, staging, content | manifest, parent=pointer.version if pointer else None).version

    def _digest(self, name: str) -> str:
        """A digest of everything that the first snapshot of a product is made from."""
        product = self.product(name)
        inputs = [self.store.read_pointer(item.product) for item in product.inputs]
        needs = [port.needs for port in product.ports]
        feed = self.feed.read_bytes() if product.sources else b""
        return hashlib.sha256(repr((name, product.code_digest(), needs, feed, inputs, self.config.as_of)).encode()).hexdigest()

    def kit(self, *arguments: str, check: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own."""
        done = run_kit(self.root, list(arguments), {**os.environ, **environment})
        if check:
            done.check_returncode()
        return done

    def feed_rows(self, rows: list[str]) -> None:
        write(self.feed, "\n".join(rows) + "\n")

    def replace(self, path: str, old: str, new: str) -> None:
        files.replace(self.root / path, old, new)

    def notebook(self, product: str, port: str, cells: list[str], parameters: str = "") -> Path:
        path = self.domains / product / "notebooks" / f"{port}.ipynb"
        write(path, json.dumps(notebook(cells, parameters)))
        return path

    def mask(self, path: str, **masks: Any) -> None:
        contracts.mask(self.domains / path, **masks)

    def personal_items(self, **fields: Any) -> None:
        """Classify the items of `shop` as personal and all other columns as internal; its contracts also get `fields`."""
        for path in ("sources/sales", "contracts/sales", "contracts/totals"):
            file = self.domains / f"shop/{path}.odcs.yaml"
            data = {**json.loads(file.read_text()), **fields}
            for column in data["schema"][0]["properties"]:
                column["classification"] = "personal" if column["name"] == "item" else "internal"
            file.write_text(json.dumps(data))

    def partition(self, name: str, column: str, **how: Any) -> None:
        products.partition(self.domains / name, column, **how)

    def partitioned_shop(self, column: str = "item", **how: Any) -> None:
        shop.partition_shop(self.domains / "shop", column, **(how or {"keys": ["tea", "cake"]}))
        sync(self.context)

    def partitioned_plan(self, *keys: str) -> None:
        plan.partition_plan(self.domains / "plan", list(keys or ("tea", "cake")))

    def two_majors(self, end: str = "2024-03-31") -> None:
        shop.add_second_major(self.domains / "shop", end)
        sync(self.context)

    def dbt_reader(self, name: str, column: str, version: str) -> None:
        products.write_dbt_reader(self.domains / name, column, version)

    def need(self, columns: list[tuple[str, str, dict[str, Any]]], quality: list[dict[str, Any]] = (), **more: Any) -> Path:
        """Write the consumer contract of `plan` for `shop.totals`."""
        path = self.domains / "plan/consumes/shop.totals.odcs.yaml"
        write(path, contract(more.pop("id", "plan.needs.shop.totals"), "totals", columns, quality, **more))
        return path


def _copy(product: str, origin: Path, target: Path) -> None:
    for kind in _COPIED:
        if (origin / kind / product).is_dir():
            shutil.copytree(origin / kind / product, target / kind / product)
