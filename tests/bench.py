"""What the kit costs beside the least that could do the same: `make bench`.

The demo mesh through `kit run` beside the same SQL in one plain DuckDB process, writing the same ports as Parquet; loading
300 domains beside reading the same YAML files with the C loader and nothing else; loading Dagster's code location, with all
that its web server asks for, beside importing Dagster; and `cat.browse()` beside importing the widgets. Each run is a new
process. Runs alternate, so that a busy machine slows all; medians are compared. CPU time includes notebook kernels, memory
is that of the largest process.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Annotated

import typer

from kit.core.config import Config
from kit.dbt.compiler import statements as sql_of
from kit.dbt.project import Project
from kit.lineage import source_kinds
from kit.mesh.mesh import Mesh
from kit.storage.runs import Runs
from kit.storage.store import Store
from tests.support.many import many

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """What one process tree took: seconds on the clock, seconds of CPU, megabytes of the largest process."""

    wall: float
    cpu: float
    memory: float


def measure(command: list[str], **environment: str) -> Cost:
    """Run a command to its end; raises `RuntimeError` when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {process.returncode}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def plain_script(storage: Path, products: list[str]) -> list[str]:
    """The SQL of a built mesh, as plain statements: views for staging, `copy` for ports."""
    config = Config.load(ROOT, {"KIT_STORAGE": str(storage)})
    mesh, store = Mesh.load(config.domains, config.cache), Store(config.storage)
    statements = []
    for product in mesh.products:
        if product.name not in products:
            continue
        statements += [
            "use memory",
            "detach database if exists kit_work",
            "attach ':memory:' as kit_work",
            "use kit_work",
            "create schema raw",
        ]
        snapshot = store.current(product.name)
        assert snapshot is not None
        for source in product.sources:
            path = (
                config.storage
                / "raw"
                / product.name
                / source.name
                / f"{snapshot.manifest['sources'][source.name]['digest']}.parquet"
            )
            statements.append(f"create view raw.{source.name} as from read_parquet('{path}')")
        for port in product.inputs:
            statements.append(f"create schema if not exists {port.product}")
            statements.append(f"create view {port.port} as from read_parquet('{{out}}/{port.port}.parquet')")
        compiled = {item.name: item.sql for item in sql_of(config, product) if item.kind == "model"}
        reads = {model.name: set(model.reads) & set(compiled) for model in Project.read(product.folder).models}
        for name in TopologicalSorter({name: reads[name] for name in compiled}).static_order():
            if product.port(name):
                target = f"{{out}}/{product.name}.{name}.parquet"
                statements.append(f"copy ({compiled[name]}) to '{target}' (format parquet, compression zstd)")
                statements.append(f"create view {name} as from read_parquet('{target}')")
            else:
                statements.append(f"create view {name} as {compiled[name]}")
    return statements


PLAIN = """
import json, sys, tempfile
import duckdb
connection = duckdb.connect()
with tempfile.TemporaryDirectory() as out:
    for statement in json.load(open(sys.argv[1])):
        connection.execute(statement.replace("{out}", out))
"""


PLAIN_YAML = """
import sys
from pathlib import Path
import yaml
for path in Path(sys.argv[1]).rglob("*.yaml"):
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
"""
LOAD = """
import sys
from pathlib import Path
from kit.mesh import Mesh
mesh = Mesh.load(Path(sys.argv[1]), Path(sys.argv[2]))
sys.exit(bool(mesh.broken))
"""
DOMAINS = 300
CODE_LOCATION = """
from dagster._core.remote_representation.external_data import RepositorySnap
from kit.orchestration.definitions import defs
RepositorySnap.from_def(defs().get_repository_def())
"""
PRODUCTS = 1_000
BROWSE = """
import kit
browser = kit.open().browse()
browser.widget._repr_mimebundle_()
"""


def bench(runs: Annotated[int, typer.Option(help="How often each is run.", min=1)] = 5) -> None:
    """Print medians and ratios: building the demo mesh, loading a big one, showing both to Dagster and to a person."""
    with tempfile.TemporaryDirectory() as folder:
        costs, over = building(runs, Path(folder))
        report(runs, costs)
        print(f"an asset notebook took {statistics.median(over):.2f} s over its cells")
    print()
    with tempfile.TemporaryDirectory() as folder:
        report(runs, loading(runs, Path(folder)))
    print()
    with tempfile.TemporaryDirectory() as folder:
        report(runs, orchestrating(runs, Path(folder)))
    print()
    with tempfile.TemporaryDirectory() as folder:
        report(runs, browsing(runs, Path(folder)))


def building(runs: int, folder: Path) -> tuple[dict[str, list[Cost]], list[float]]:
    """What building the demo mesh takes; the first entry is what the others are compared with.

    And the seconds that an asset notebook took over those of its cells, in each run.
    """
    kit = [sys.executable, "-m", "kit", "run"]
    storage = folder / "mesh"
    measure(kit, KIT_STORAGE=str(storage))
    config = Config.load(ROOT, {})
    # A connector calls another program, which plain SQL has no counterpart for.
    products = [product for product in Mesh.load(config.domains).products if not source_kinds(product.folder)]
    names, dbt = [product.name for product in products], [product.name for product in products if product.has_dbt]
    script = folder / "plain.json"
    script.write_text(json.dumps(plain_script(storage, dbt)))
    costs: dict[str, list[Cost]] = {
        "plain DuckDB": [],
        "kit run, SQL products": [],
        "kit run, all products": [],
        "kit run, no change": [],
    }
    over = []
    for number in range(runs):
        print(f"run {number + 1} of {runs}", file=sys.stderr, flush=True)
        costs["plain DuckDB"].append(measure([sys.executable, "-c", PLAIN, str(script)]))
        for name, selection in (("kit run, SQL products", dbt), ("kit run, all products", names)):
            target = folder / "run"
            costs[name].append(measure([*kit, *selection], KIT_STORAGE=str(target)))
            if selection is names:
                over.append(over_cells(target))
                costs["kit run, no change"].append(measure([*kit, *names], KIT_STORAGE=str(target)))
            shutil.rmtree(target)
    return costs, over


def over_cells(storage: Path) -> float:
    """The mean, over the notebooks of the last builds, of what their steps took beyond their cells."""
    runs, steps, cells, count = Runs(storage), 0.0, 0.0, 0
    for folder in runs.root.iterdir():
        record = runs.last(folder.name)
        assert record is not None
        steps += record.steps.get("notebook", 0)
        for path in record.notebooks.values():
            notebook = json.loads(Path(path).read_text())
            cells += sum(cell["metadata"]["papermill"]["duration"] for cell in notebook["cells"])
            count += 1
    return (steps - cells) / count


def loading(runs: int, folder: Path) -> dict[str, list[Cost]]:
    """What loading many domains takes, with nothing remembered (first) and with all of it (again)."""
    many(folder, DOMAINS)
    domains, cache = folder / "domains", folder / "cache"
    costs: dict[str, list[Cost]] = {"plain YAML": [], f"{DOMAINS} domains, first": [], f"{DOMAINS} domains, again": []}
    for number in range(runs):
        print(f"run {number + 1} of {runs}", file=sys.stderr, flush=True)
        shutil.rmtree(cache, ignore_errors=True)
        commands = ([PLAIN_YAML, str(domains)], [LOAD, str(domains), str(cache)], [LOAD, str(domains), str(cache)])
        for found, arguments in zip(costs.values(), commands, strict=True):
            found.append(measure([sys.executable, "-c", *arguments]))
    return costs


def orchestrating(runs: int, folder: Path) -> dict[str, list[Cost]]:
    """What loading the code location takes, files that were found valid being remembered."""
    many(folder, DOMAINS)
    commands = {
        "import dagster": ("import dagster", ROOT),
        "demo, 5 domains": (CODE_LOCATION, ROOT),
        f"{DOMAINS} domains": (CODE_LOCATION, folder),
    }
    return in_turn(runs, commands)


def browsing(runs: int, folder: Path) -> dict[str, list[Cost]]:
    """What showing the catalog's application takes, the index being there."""
    many(folder, PRODUCTS)
    commands = {
        "import ipywidgets": ("import ipywidgets, anywidget", ROOT),
        "browse 5 products": (BROWSE, ROOT),
        f"browse {PRODUCTS:,} products": (BROWSE, folder),
    }
    return in_turn(runs, commands)


def in_turn(runs: int, commands: dict[str, tuple[str, Path]]) -> dict[str, list[Cost]]:
    """What pieces of Python take, each over the mesh at a folder; the first round fills what is remembered."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(runs + 1):
        print(f"run {number} of {runs}", file=sys.stderr, flush=True)
        for name, (code, root) in commands.items():
            cost = measure([sys.executable, "-c", code], KIT_ROOT=str(root))
            costs[name] += [cost] if number else []
    return costs


def report(runs: int, costs: dict[str, list[Cost]]) -> None:
    """Print the medians of all, and their ratios to the first."""
    middles = {
        name: {unit: statistics.median(getattr(cost, unit) for cost in found) for unit in ("wall", "cpu", "memory")}
        for name, found in costs.items()
    }
    plain, base = next(iter(middles.items()))
    print(f"median of {runs} alternating runs; x is the ratio to {plain}")
    print(f"{'':<24}{'wall':>9}{'x':>7}{'CPU':>10}{'x':>7}{'memory':>11}{'x':>7}")
    for name, middle in middles.items():
        print(
            f"{name:<24}{middle['wall']:>7.1f} s{middle['wall'] / base['wall']:>7.1f}{middle['cpu']:>8.1f} s"
            f"{middle['cpu'] / base['cpu']:>7.1f}{middle['memory']:>8.0f} MB{middle['memory'] / base['memory']:>7.1f}"
        )


if __name__ == "__main__":
    typer.run(bench)
