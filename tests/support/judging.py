"""Verdicts of datacontract-cli, which knows nothing of the kit: `judge.py`, run in its environment."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.core.yaml import read_yaml
from kit.mesh.mesh import Mesh
from tests.conftest import NO_NETWORK, ROOT

JUDGE = ROOT / ".venv/judge/bin/python"
needs_judge = pytest.mark.skipif(not JUDGE.exists(), reason="datacontract-cli is not in .venv/judge; `make test` puts it there")


def ask(question: dict[str, Any]) -> Any:
    """The answer to a request of `judge.py`, with the network cut off where that is permitted."""
    for start in ([sys.executable, "-c", NO_NETWORK], []):
        command = [*start, str(JUDGE), str(Path(__file__).with_name("judge.py"))]
        given = json.dumps({"lint": [], "tables": {}, "test": {}, "compare": {}} | question)
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
        if done.returncode != 77:
            break
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def failed(answer: Any, name: str) -> list[str]:
    """The checks of a contract that did not pass."""
    return [what for _, what, outcome in answer["test"][name] if outcome != "passed"]


def contracts(mesh: Mesh, *products: str) -> list[Path]:
    """All contracts of products."""
    folders = [mesh.product(name).folder for name in products]
    return [
        path for folder in folders for form in ("contracts", "sources", "consumes") for path in folder.glob(f"{form}/*.yaml")
    ]


def faults(product: str, files: Callable[[str], list[Path]]) -> dict[str, list[str]]:
    """What is wrong with the form of contracts of a product of this repository, by file, and with published rows, by port.

    `files` gives the files of a port. Rows are those of its ports, and of others for the contracts it has as a consumer.
    """
    mesh = Mesh.load(ROOT / "domains")
    tables = {port.id: list(map(str, files(port.id))) for port in mesh.ports}
    tests = {port.id: (product, read_yaml(port.contract.path).data) for port in mesh.product(product).ports}
    needs = [path for path in contracts(mesh, product) if path.parent.name == "consumes"]
    tests |= {path.name: (path.name.partition(".")[0], read_yaml(path).data) for path in needs}
    answer = ask({"lint": [str(path) for path in contracts(mesh, product)], "tables": tables, "test": tests})
    assert len(answer["lint"]) >= len(tests)
    return {name: says for name, says in (answer["lint"] | {name: failed(answer, name) for name in tests}).items() if says}
