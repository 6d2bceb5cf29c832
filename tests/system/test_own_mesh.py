"""The mesh of this repository, whatever domains there are: it is checked, built, and read without the kit.

Its notebooks are tests by themselves (`--nbval-lax`), and tests of one domain lie in its folder.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import duckdb
import pytest

from kit.core import Config
from kit.dbt import committed
from kit.governance import check_mesh
from kit.mesh import DESCRIPTOR, Context
from kit.notebooks import lint
from kit.storage import Store
from kit.sync import drifts, texts
from tests.conftest import ROOT
from tests.support.lineage_events import faults
from tests.support.plain_dbt import plain_dbt, published_files

PRODUCTS = sorted(path.parent.name for path in ROOT.glob(f"domains/*/{DESCRIPTOR}"))
DBT = [name for name in PRODUCTS if (ROOT / "domains" / name / "dbt_project.yml").is_file()]
NOTEBOOKS = [path for folder in sorted(ROOT.glob("domains/*/notebooks")) for path in lint.notebooks(folder)]
NOTEBOOKS += lint.notebooks(ROOT / "notebooks")
FirstRun = tuple[Path, "subprocess.CompletedProcess[str]"]

each_product = pytest.mark.parametrize(
    "name", PRODUCTS or [pytest.param("", marks=pytest.mark.skip(reason="this mesh has no data product yet"))]
)
each_notebook = pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=str(path.relative_to(ROOT))) for path in NOTEBOOKS]
    or [pytest.param(ROOT, marks=pytest.mark.skip(reason="this mesh has no notebooks"))],
)


@pytest.fixture(scope="module")
def context() -> Context:
    return Context.load(ROOT)


def test_kit_check_finds_nothing_but_texts_that_are_still_to_be_written(context: Context) -> None:
    """A new product has such texts: `kit check` names them, and they are no fault of what it publishes."""
    unwritten = {finding for product in context.mesh.products for finding in texts.check_unfinished(product)}
    problems = [finding for finding in check_mesh(context) if finding.severity == "error" and finding not in unwritten]
    assert [f"{finding.product}: {finding}" for finding in problems] == []


def test_generated_files_are_up_to_date(context: Context) -> None:
    assert drifts(context) == []


@each_notebook
def test_names_that_a_notebook_imports_from_the_kit_exist(path: Path) -> None:
    """From the face of a package, or from a module of it."""
    for module, names in re.findall(r"from (kit\.[\w.]+) import ([\w, ]+)", path.read_text()):
        public = getattr(import_module(module), "__all__", vars(import_module(module)))
        assert [name for name in names.split(", ") if name not in public] == [], module


@pytest.mark.slow
@each_product
def test_it_builds_and_its_checks_pass(first_run: FirstRun, name: str) -> None:
    _, done = first_run
    assert done.stdout, done.stderr
    outcomes = {outcome["product"]: outcome for outcome in json.loads(done.stdout)}
    assert name in outcomes, done.stderr
    assert outcomes[name]["status"] == "published", outcomes[name]["message"]


@pytest.mark.slow
def test_another_run_leaves_the_repository_as_it_was(published: Path) -> None:
    """Products with unchanged sources are up to date; a source may have new data each time."""

    def changes() -> str:
        return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    before = changes()
    done = kit("run", "--json", storage=published)
    assert {outcome["status"] for outcome in json.loads(done.stdout)} <= {"up to date", "published"}
    assert changes() == before


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "report"])
def test_commands_over_the_whole_mesh_work(published: Path, command: str) -> None:
    done = kit(command, storage=published)
    assert (done.returncode, done.stderr) == (0, "")


def kit(*arguments: str, storage: Path) -> "subprocess.CompletedProcess[str]":
    given = {"KIT_MASK_KEY": "a key for tests only", **os.environ, "KIT_STORAGE": str(storage)}
    command = [sys.executable, "-m", "kit", *arguments]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


PLAIN = """
    import json, sys
    sys.modules["kit"] = None
    import intake

    found = {}
    for path in sys.argv[1:]:
        catalog = intake.open_catalog(path)
        for product in catalog:
            ports = getattr(catalog, product).read()
            for port in ports:
                found.setdefault(f"{product}.{port}", []).append(ports[port].read().collect().height)
    print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(not PRODUCTS, reason="this mesh has no data product yet")
def test_plain_intake_reads_every_port_through_the_committed_catalogs(published: Path, tmp_path: Path) -> None:
    """Through the catalog of the mesh and through that of the domain."""
    configured = Config.load(ROOT, {}).storage
    if not configured.is_relative_to(ROOT):
        pytest.skip(f"its catalogs name {configured}, which is outside of this repository")
    storage = tmp_path / configured.relative_to(ROOT)
    shutil.copytree(published, storage)
    catalogs = [Path("catalog.yaml"), *(Path("domains", name, "catalog.yaml") for name in PRODUCTS)]
    for path in catalogs:
        (tmp_path / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    store, rows = Store(storage), {}
    for name in PRODUCTS:
        snapshot = store.current(name)
        assert snapshot is not None, f"{name} is not published"
        rows |= {f"{name}.{port}": [entry["rows"]] * 2 for port, entry in snapshot.manifest["ports"].items()}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PLAIN), *map(str, catalogs)], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KIT_ROOT")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {name: found for name, found in json.loads(done.stdout).items() if "__quarantine" not in name} == {
        name: found for name, found in rows.items() if "__quarantine" not in name
    }


@pytest.mark.slow
@pytest.mark.skipif(not PRODUCTS, reason="this mesh has no data product yet")
def test_every_event_of_lineage_is_valid_by_the_specification(published: Path) -> None:
    events = [
        json.loads(line)
        for path in sorted(published.glob("runs/*/*/openlineage.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert {event["job"]["name"] for event in events} >= set(PRODUCTS)
    assert [(event["job"]["name"], found) for event in events if (found := faults(event))] == []


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name", DBT or [pytest.param("", marks=pytest.mark.skip(reason="this mesh has no product that is made by dbt"))]
)
def test_plain_dbt_makes_the_rows_of_the_ports(first_run: FirstRun, context: Context, tmp_path: Path, name: str) -> None:
    """With nothing set, in a copy of the domain folder with the databases that `kit run` has left."""
    built, product = first_run[0], context.mesh.product(name)
    assert Store(built).current(name) is not None, f"{name} is not published"
    folder, storage = tmp_path / "domains" / name, tmp_path / "storage"
    shutil.copytree(product.folder, folder, ignore=shutil.ignore_patterns("target", "logs"))
    for database in (f"dbt/{name}.duckdb", "mesh.duckdb"):  # their views lead to the files in `built`
        (storage / database).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built / database, storage / database)
    (folder / "profiles.yml").write_text(committed.files(folder, tmp_path, storage)[folder / "profiles.yml"])
    published = published_files(built)
    key = product.partitions and str(product.partitions.all(context.config.clock())[-1])
    for command in (["build"], ["show", "--select", product.ports[0].name], ["docs", "generate"]):
        done = plain_dbt(folder, *command, *(["--vars", json.dumps({"partition": key})] if key else []))
        assert done.returncode == 0, done.stdout[-2000:]
    assert published_files(built) == published
    with duckdb.connect(str(storage / f"dbt/{name}.duckdb"), read_only=True) as connection:
        connection.execute(f"attach '{storage / 'mesh.duckdb'}' as mesh (read_only)")
        for port in (port for port in product.ports if port.notebook is None):
            plain = [column for column in port.contract.columns if column not in port.contract.masked_columns]
            columns = ", ".join(f'"{column.name}"' for column in plain)
            made, served = f'select {columns} from "{port.name}"', f'select {columns} from mesh."{name}"."{port.name}"'
            extra, missing = (
                connection.execute(f"select count(*) from ({one} except all {other})").fetchone()
                for one, other in ((made, served), (served, made))
            )
            assert (key or missing == (0,)) and (port.contract.quarantine_limit or extra == (0,)), f"{port.id} differs"
            assert connection.execute(f"select count(*) from ({made})").fetchone() != (0,)
