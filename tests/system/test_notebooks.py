"""Every notebook runs by hand, from its first cell to its last."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.notebooks import script_extension

FOLDERS = ("notebooks", "domains/*/notebooks")
NOTEBOOKS = sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.ipynb"))
"""The lessons, the catalog, and the asset notebooks of the demo."""


def test_the_notebooks_are_found() -> None:
    assert {"notebooks/00_start.ipynb", "domains/demand/notebooks/predicted_sales.ipynb"} < set(NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_names_that_a_notebook_imports_from_the_kit_exist(path: str) -> None:
    """From the face of a package, or from a module of it."""
    for module, names in re.findall(r"from (kit\.[\w.]+) import ([\w, ]+)", (ROOT / path).read_text()):
        public = getattr(import_module(module), "__all__", vars(import_module(module)))
        assert [name for name in names.split(", ") if name not in public] == [], module


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_every_notebook_becomes_a_python_script(path: str) -> None:
    assert script_extension((ROOT / path).read_text()) == ".py"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS)
def test_every_notebook_runs_by_hand(demo: Path, path: str) -> None:
    """nbval, lax: each cell runs in the current environment, over the published snapshots."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", path]
    environment = {**os.environ, "KIT_STORAGE": str(demo)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
