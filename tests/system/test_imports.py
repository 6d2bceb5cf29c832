"""Imports: packages in one order, each behind its face, and nothing heavy before it is needed."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh

KIT = ROOT / "kit"
ORDER = [
    "core", "drawing", "contracts", "mesh", "storage", "ingest", "dbt", "quality", "language_models", "notebooks", "lineage",
    "build", "sync", "governance", "scaffold", "exchange", "orchestration", "catalog", "jupyter", "cli",
]  # fmt: skip
"""A package imports only packages before it."""
FACELESS = {"dbt", "exchange", "orchestration", "jupyter", "cli"}
"""Heavy packages, and the one with a module for each outside system: modules are imported by name from an empty face."""
PUBLIC = {
    *(("ingest", name) for name in ("Connector", "Delivery", "Environment", "State", "Stream", "StreamColumn")),
    ("ingest", "package_file"),
    ("ingest", "Connector"),
    ("ingest", "Environment"),
    ("ingest", "State"),
    ("mesh", "Partitions"),
    ("catalog", "Catalog"),
    ("catalog", "Entry"),
}
"""Names of faces for domains and notebooks."""
HEAVY = ["dagster", "dbt", "great_expectations", "pandas", "papermill", "pyarrow", "statsmodels", "intake"]
REPORT = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"


def imported(code: str, small: SmallMesh) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=small.root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "module",
    ["kit", "kit.cli.main", "kit.jupyter.magics", *(f"kit.{package}" for package in ORDER)],
)
def test_importing_is_light(small: SmallMesh, module: str) -> None:
    assert imported(f"import {module}\n{REPORT}; print('polars' in sys.modules)", small) == "False"
    assert imported(f"import {module}\n{REPORT}", small) == "[]"


@pytest.mark.parametrize(
    "command", [["status"], ["check"], ["sync"], ["history", "shop.totals"], ["read", "shop.totals"], ["doctor"]]
)
def test_looking_is_light(small: SmallMesh, command: list[str]) -> None:
    small.publish("shop")
    code = (
        f"import sys; sys.argv[1:] = {command}\nfrom kit.cli.main import main\ntry: main()\nexcept SystemExit: pass\n{REPORT}"
    )
    assert imported(code, small) == "[]"


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["run", "--help"]])
def test_help_loads_the_texts_of_commands_only(small: SmallMesh, command: list[str]) -> None:
    code = f"import sys; sys.argv[1:] = {command}\nfrom kit.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
    packages = "sorted({name.split('.')[1] for name in sys.modules if name.startswith('kit.')})"
    heavy = f"[name for name in {[*HEAVY, 'duckdb', 'polars']} if name in sys.modules]"
    assert imported(f"{code}print({packages}, {heavy})", small) == "['cli', 'core'] []"


def test_a_command_imports_only_the_packages_that_it_needs(small: SmallMesh) -> None:
    small.publish("shop")
    code = "import sys; sys.argv[1:] = ['status']\nfrom kit.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
    packages = "sorted({name.split('.')[1] for name in sys.modules if name.startswith('kit.')})"
    light = f"[name for name in {[*HEAVY, 'duckdb', 'polars']} if name in sys.modules]"
    assert imported(f"{code}print({packages}, {light})", small) == "['cli', 'contracts', 'core', 'mesh', 'storage'] []"


def test_importing_the_kit_loads_its_foundation_only(small: SmallMesh) -> None:
    loaded = "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('kit.')}))"
    assert imported(f"import sys, kit\n{loaded}", small) == "[]"
    assert imported(f"import sys, kit\nassert set(kit.__all__) <= set(dir(kit))\nkit.read\n{loaded}", small) == (
        "['contracts', 'core', 'mesh', 'notebooks', 'quality', 'storage']"
    )


def test_finding_data_is_light(small: SmallMesh) -> None:
    small.publish("shop")
    look = "import kit\ncat = kit.open().search('sale'); [repr(x) + x._repr_html_() for x in (cat, cat['shop.sales'])]"
    assert imported(f"{look}\n{REPORT}", small) == "[]"
    assert imported(f"{look}\n{REPORT}; print('polars' in sys.modules, 'duckdb' in sys.modules)", small) == "False False"


def test_pictures_are_light(small: SmallMesh) -> None:
    look = "import kit\ncat = kit.open(); cat.lineage('shop.sales', 'item').uri, cat.quality('shop.sales').uri"
    heavy = [*HEAVY, "polars", "duckdb"]
    assert imported(f"{look}\nimport sys; print([name for name in {heavy} if name in sys.modules])", small) == "[]"


def test_browsing_is_light(small: SmallMesh) -> None:
    small.publish("shop")
    look = "import kit\nb = kit.open().browse('totals')\nfor tab in range(8): b._tabs.selected_index = tab"
    assert imported(f"{look}\n{REPORT}", small) == "[]"


def test_finding_nothing_to_do_is_light(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("plan")
    code = f"import sys; sys.argv[1:] = ['run']\nfrom kit.cli.main import main\ntry: main()\nexcept SystemExit: pass\n{REPORT}"
    assert imported(code, small) == "[]"


def test_every_module_is_in_a_package_of_the_order() -> None:
    assert sorted(path.name for path in KIT.glob("*.py")) == ["__init__.py", "__main__.py"]
    folders = {path.parent.relative_to(KIT).as_posix() for path in KIT.rglob("*.py") if "sample" not in path.parts}
    assert folders == {".", *ORDER}


def test_packages_import_packages_above_them_only() -> None:
    """Lazy imports count too; a package that imports nothing of the kit would show that the walk finds nothing."""
    arrows = {(item.importer, item.package) for item in imports() if item.importer}
    assert {importer for importer, _ in arrows} == {*ORDER[1:]}
    against = [(importer, package) for importer, package in arrows if ORDER.index(package) >= ORDER.index(importer)]
    assert against == []


def test_other_packages_are_used_through_their_face() -> None:
    """`from kit.PACKAGE import NAME` with a name of its `__all__`; packages with an empty face go by their modules."""
    faces = {package: set(import_module(f"kit.{package}").__all__) for package in ORDER if package not in FACELESS}
    past = [item for item in imports() if item.package in faces and (item.module or item.name not in faces[item.package])]
    assert past == []
    used = {(item.package, item.name) for item in imports()}
    assert {(package, name) for package in faces for name in faces[package]} - used - PUBLIC == set()


def test_modules_of_a_package_import_each_other_without_circles() -> None:
    for package in ORDER:
        graph = {path.stem: siblings(path, package) for path in (KIT / package).glob("*.py") if path.stem != "__init__"}
        assert list(TopologicalSorter(graph).static_order()), package


class Import(NamedTuple):
    """One name imported from a package of the kit: by whom (empty for `kit` itself), from which package and module."""

    importer: str
    where: str
    package: str
    module: str
    name: str


def imports() -> list[Import]:
    """Every import of the kit's code from another package of the kit, lazy ones included."""
    found = []
    for path in KIT.rglob("*.py"):
        importer, _, _ = path.relative_to(KIT).as_posix().rpartition("/")
        where = path.relative_to(KIT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())) if "sample" not in path.parts else ():
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("kit.") for alias in node.names), where
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kit."):
                package, _, module = str(node.module).removeprefix("kit.").partition(".")
                if package != importer:
                    found += [Import(importer, where, package, module, alias.name) for alias in node.names]
            assert not (isinstance(node, ast.ImportFrom) and (node.level or node.module == "kit")), where
    return found


def siblings(path: Path, package: str) -> set[str]:
    """The modules of its own package that a module imports."""
    names = {other.stem for other in path.parent.glob("*.py")}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == f"kit.{package}":
            found |= {alias.name for alias in node.names if alias.name in names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"kit.{package}."):
            found.add(str(node.module).rpartition(".")[2])
    return found
