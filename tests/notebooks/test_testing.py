"""What a plain pytest runs in a mesh: the tests of its domains and its notebooks, found by folder."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.notebooks import notebook
from tests.support.small_mesh import SmallMesh, write

AGE = "import kit\nprint(kit.open()['shop.sales'].status.version, 'is', {number}, 'min old', end='');"


@pytest.fixture
def clone(small: SmallMesh) -> SmallMesh:
    """The mesh with the configuration of pytest that this repository has."""
    _, section = (ROOT / "pyproject.toml").read_text().split("[tool.pytest.ini_options]")
    path = small.root / "pyproject.toml"
    path.write_text(f"{path.read_text()}\n[tool.pytest.ini_options]{section}")
    return small


def run(clone: SmallMesh, *arguments: str) -> dict[str, str]:
    """The outcome of each test of a plain pytest from the root."""
    command = [sys.executable, "-m", "pytest", "-v", "--color=no", *arguments]
    done = subprocess.run(command, cwd=clone.root, capture_output=True, text=True, timeout=300, check=False)
    found = re.findall(r"^(\S+::.*?) (PASSED|FAILED|ERROR|SKIPPED)", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return dict(found)


@pytest.mark.slow
def test_every_notebook_and_the_tests_of_every_domain_run(clone: SmallMesh) -> None:
    """In a mesh that is built for them; what differs in each run is no difference to strict nbval."""
    clone.notebook("plan", "broken", ["import kit", "assert kit.read('shop.sales').height == 31"])
    write(clone.root / "notebooks/.ipynb_checkpoints/old.ipynb", json.dumps(notebook(["1 / 0"])))
    outputs = {3: "20240101T000000Z-000001 is 3 min old", 4: "20240101T000000Z-000001 is 4 days old"}
    for number, text in outputs.items():
        executed = notebook([AGE.format(number=number + 10)])
        output = {"output_type": "stream", "name": "stdout", "text": text}
        executed["cells"][0] |= {"execution_count": 1, "outputs": [output]}
        write(clone.root / f"notebooks/deep/age{number}.ipynb", json.dumps(executed))
    for name in ("shop", "plan"):
        test = "def test_rows(port):\n    assert 'read_parquet' in port('shop.sales')\n"
        write(clone.domains / name / "tests/test_same_name.py", test)
    outcomes = run(clone, "--nbval")
    assert {name: outcome for name, outcome in outcomes.items() if "forecast" not in name} == {
        "domains/plan/notebooks/broken::ipynb::Cell 0": "PASSED",
        "domains/plan/notebooks/broken::ipynb::Cell 1": "FAILED",
        "domains/plan/tests/test_same_name.py::test_rows": "PASSED",
        "domains/shop/tests/test_same_name.py::test_rows": "PASSED",
        "notebooks/deep/age3::ipynb::Cell 0": "PASSED",
        "notebooks/deep/age4::ipynb::Cell 0": "FAILED",
    }
    assert {outcome for name, outcome in outcomes.items() if "forecast" in name} == {"PASSED"}
