"""Dagster's own commands in the root of a mesh."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh

COMMANDS = [["dagster", "definitions", "validate"], ["dg", "check", "defs"]]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_dagster_checks_the_definitions_and_names_what_is_wrong(small: SmallMesh, command: list[str]) -> None:
    """With the tables of the repository's own pyproject.toml."""
    tables = re.search(
        r"\[tool\.dagster\].*?(?=^\[tool\.ruff\])", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE
    )
    assert tables
    (small.root / "kit").symlink_to(ROOT / "kit")  # dg looks for it in the project
    with (small.root / "pyproject.toml").open("a") as file:
        file.write(tables[0])
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "DAGSTER_HOME": ""}
    path = Path(sys.executable).parent / command[0]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path, *command[1:]], cwd=small.root, env=environment, capture_output=True, text=True, timeout=200, check=False
        )

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    (small.root / "pyproject.toml").write_text("[tool.kit]\nno_setting = 1\n" + tables[0])
    done = run()
    assert done.returncode != 0
    assert "has no setting 'no_setting'" in done.stdout + done.stderr
