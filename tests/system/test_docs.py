"""The documentation is true: what it names exists, what it tells to do works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from kit.cli.main import app
from tests.conftest import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("domains/*/README.md"))]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_target_named_exists(path: Path) -> None:
    text = path.read_text()
    for command, rest in re.findall(r"`kit ([a-z]+)([^`]*)`", text):
        assert command in COMMANDS, command
        known = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= known, rest
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE):
        assert target in targets, target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def test_every_domain_has_a_readme_that_names_its_ports_and_owner() -> None:
    from kit.mesh.mesh import Mesh

    for product in Mesh.load(ROOT / "domains").products:
        text = (product.folder / "README.md").read_text()
        assert product.owner in text
        assert f"kit run {product.name}" in text
        assert [port.name for port in product.ports if f"`{port.name}`" not in text] == []


def test_every_setting_is_documented() -> None:
    from kit.core.config import _SETTINGS

    text = (ROOT / "README.md").read_text()
    assert [name for name in _SETTINGS if f"| `{name}` |" not in text] == []


@pytest.mark.slow
def test_the_instructions_for_a_new_domain_work(demo: Path, tmp_path: Path) -> None:
    """The block of CONTRIBUTING, run as it stands in a copy of the mesh."""
    (block,) = re.findall(r"```bash\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "domains", tmp_path / "domains")
    (tmp_path / "kit").symlink_to(ROOT / "kit")
    shutil.copytree(demo, tmp_path / ".mesh", copy_function=os.link)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", block], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "stores: domains/stores/README.md:10: still to be written (TODO: what this product is, in one sentence.)" in done.stdout
    )
    assert "what is still to be written" in done.stdout
    assert "  stores       published" in done.stdout
