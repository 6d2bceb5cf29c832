"""The demo mesh, built by the kit and by its peers from the same landed files."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from kit.core.config import Config
from kit.lineage import source_kinds
from kit.mesh.mesh import Mesh
from kit.mesh.product import DataProduct
from kit.storage.runs import Runs
from kit.storage.store import Store
from tests.bench import peers
from tests.bench.measuring import ROOT, Cost, Limit, Row, measure
from tests.bench.worker import WITH, WITHOUT, helpers

KIT = [sys.executable, "-m", "kit"]

_PLAIN = """
import json, sys, tempfile
import duckdb
connection = duckdb.connect()
with tempfile.TemporaryDirectory() as out:
    for statement in json.load(open(sys.argv[1])):
        connection.execute(statement.replace("{out}", out))
"""


@dataclass
class Demo:
    """A copy of the demo mesh below `folder`, built once: the files that all peers read, and the products that SQL makes."""

    folder: Path
    products: list[str] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        shutil.copytree(ROOT / "domains", self.folder / "domains", ignore=shutil.ignore_patterns("target", "__pycache__"))
        shutil.copyfile(ROOT / "pyproject.toml", self.folder / "pyproject.toml")
        # A connector calls another program, which plain SQL has no counterpart for.
        found = [product for product in self.mesh.products if not source_kinds(product.folder)]
        self.products = [product.name for product in found]
        self.sql = [product.name for product in found if product.has_dbt]
        measure([*KIT, "run", *self.products], self.folder, environment={**WITHOUT, "KIT_STORAGE": str(self.storage)})

    @property
    def storage(self) -> Path:
        """The storage of the first build."""
        return self.folder.parent / "built"

    @property
    def config(self) -> Config:
        """The settings of the first build."""
        return Config.load(self.folder, {"KIT_STORAGE": str(self.storage)})

    @property
    def mesh(self) -> Mesh:
        """The mesh of the copy."""
        return Mesh.load(self.folder / "domains")

    def landed(self) -> Iterator[tuple[DataProduct, dict[str, Path]]]:
        """Yield each SQL product in build order with the files that its sources were landed in."""
        store = Store(self.storage)
        for product in self.mesh.products:
            if product.name in self.sql:
                snapshot = store.current(product.name)
                assert snapshot is not None
                files = {source.name: snapshot.manifest["sources"][source.name]["digest"] for source in product.sources}
                raw = self.storage / "raw" / product.name
                yield product, {name: raw / name / f"{digest}.parquet" for name, digest in files.items()}

    def kit(self, *selection: str, storage: Path, worker: bool = False) -> Cost:
        """Run `kit run` over products of the copy."""
        environment = WITH if worker else WITHOUT
        pids = helpers() if worker else []
        return measure(
            [*KIT, "run", *selection], self.folder, helpers=pids, environment={**environment, "KIT_STORAGE": str(storage)}
        )


def building(demo: Demo) -> list[Row]:
    """The rows of building the SQL products, and all products, from nothing."""
    script = demo.folder.parent / "plain.json"
    script.write_text(json.dumps(plain_script(demo)))
    storages = (demo.folder.parent / f"run{number}" for number in count())

    def kit(selection: Sequence[str], worker: bool) -> Cost:
        storage = next(storages)
        try:
            return demo.kit(*selection, storage=storage, worker=worker)
        finally:
            shutil.rmtree(storage, ignore_errors=True)

    return [
        Row("plain DuckDB, the SQL products", partial(measure, [sys.executable, "-c", _PLAIN, str(script)])),
        *peers.rows(demo.folder.parent, list(demo.landed()), demo.config),
        Row("kit run, the SQL products", partial(kit, demo.sql, True), [Limit(2.2)]),
        Row("kit run --no-worker, the SQL products", partial(kit, demo.sql, False), [Limit(3.5)]),
        Row("kit run, all products with their notebooks", partial(kit, demo.products, True), [Limit(3)]),
        Row("kit run --no-worker, all products", partial(kit, demo.products, False)),
    ]


def editing(demo: Demo) -> list[Row]:
    """The rows of an edit of one small mart, and of a run with nothing to do."""
    edits = count(1)
    mart = demo.folder / "domains/orders/models/marts/daily_sales.sql"
    text = mart.read_text()

    def after_edit(worker: bool, *options: str) -> Cost:
        mart.write_text(f"{text}-- edit {next(edits)}\n")
        return demo.kit("orders", *options, storage=demo.storage, worker=worker)

    def no_change(worker: bool) -> Cost:
        return demo.kit(*demo.products, storage=demo.storage, worker=worker)

    return [
        Row("edit of daily_sales", partial(after_edit, True), [Limit(1.5, absolute=True)]),
        Row("edit of daily_sales, --no-worker", partial(after_edit, False), [Limit(5, absolute=True)]),
        Row("edit of daily_sales, --downstream", partial(after_edit, True, "--downstream")),
        Row("nothing to do", partial(no_change, True), [Limit(0.3, absolute=True)]),
        Row("nothing to do, --no-worker", partial(no_change, False)),
    ]


def notebooks(demo: Demo) -> list[Row]:
    """The rows of an asset notebook: its cells, and the time that its step takes beyond them."""
    over: list[Cost] = []

    def cells() -> Cost | None:
        names = [product.name for product in demo.mesh.products if product.name in demo.products and not product.has_dbt]
        demo.kit(*names, "--force", storage=demo.storage)
        steps, took, found = 0.0, 0.0, 0
        runs = Runs(demo.storage)
        for name in names:
            record = runs.last(name)
            assert record is not None
            steps += record.steps.get("notebook", 0)
            for path in record.notebooks.values():
                notebook = json.loads(Path(path).read_text())
                took += sum(cell["metadata"]["papermill"]["duration"] for cell in notebook["cells"])
                found += 1
        over.append(Cost((steps - took) / found))
        return Cost(took / found)

    return [
        Row("the cells of an asset notebook", cells),
        Row("its step beyond its cells", lambda: over[-1], [Limit(0.3, absolute=True)]),
    ]


def plain_script(demo: Demo) -> list[str]:
    """The SQL of the built mesh, as plain statements: views for staging, `copy` for ports."""
    statements = []
    for product, files in demo.landed():
        statements += [
            "use memory",
            "detach database if exists kit_work",
            "attach ':memory:' as kit_work",
            "use kit_work",
            "create schema raw",
        ]
        statements += [f"create view raw.{name} as from read_parquet('{path}')" for name, path in files.items()]
        for port in product.inputs:
            statements.append(f"create schema if not exists {port.product}")
            statements.append(f"create view {port.port} as from read_parquet('{{out}}/{port.port}.parquet')")
        for name, sql in peers.compiled_models(demo.config, product):
            if product.port(name):
                target = f"{{out}}/{product.name}.{name}.parquet"
                statements.append(f"copy ({sql}) to '{target}' (format parquet, compression zstd)")
                statements.append(f"create view {name} as from read_parquet('{target}')")
            else:
                statements.append(f"create view {name} as {sql}")
    return statements
