"""What a person does all day must not wait for the heavy libraries."""

import subprocess
import sys

import pytest

from tests.support.small_mesh import SmallMesh

HEAVY = ["dagster", "dbt", "great_expectations", "pandas", "papermill", "pyarrow", "statsmodels", "intake"]
REPORT = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"


def imported(code: str, small: SmallMesh) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=small.root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "module",
    [
        "kit",
        "kit.build",
        "kit.cli",
        "kit.mesh",
        "kit.reading",
        "kit.status",
        "kit.lint",
        "kit.catalog",
        "kit.sync",
        "kit.magic",
    ],
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


def test_imports_point_one_way() -> None:
    """No module of the kit takes part in an import cycle, lazy imports included."""
    import ast
    from graphlib import TopologicalSorter
    from pathlib import Path

    folder = Path(__file__).parents[2] / "kit"
    names = {path.stem for path in folder.glob("*.py")}
    graph: dict[str, set[str]] = {}
    for path in folder.glob("*.py"):
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "kit":
                found |= {alias.name for alias in node.names if alias.name in names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kit."):
                found.add(str(node.module).split(".")[1])
        graph[path.stem] = found
    assert list(TopologicalSorter(graph).static_order())
