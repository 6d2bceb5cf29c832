"""The documentation is true: commands, options, paths and links in it exist, and its instructions work.

A team rewrites most of these documents for its own mesh; tests of them are marked `release`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kit.cli.main import app
from kit.contracts.contract import Contract
from kit.core import database
from tests.conftest import ROOT
from tests.support.limits import HANG
from tests.system.test_imports import ORDER, imports

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "kit/README.md", "domains/README.md")),
    *sorted(ROOT.glob("domains/*/README.md")),
]
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
of_release = pytest.mark.release
EVERYWHERE = {"core", "contracts", "mesh"}
KIT: Any = typer.main.get_command(app)


def commands(text: str) -> list[str]:
    """Every `kit …` and `make …` of a document: as code in a sentence, and as a line of a code block."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    sentences = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [re.split(r" +# | \|\| ", line)[0] for line in [*lines, *sentences] if re.match(r"(kit|make) [a-z-]", line)]


def unknown_in_command(command: str) -> str | None:
    """The first command, option or target in a line that does not exist."""
    program, *words = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return next((word for word in words if word not in targets), None)
    node: Any = KIT
    options = {option for parameter in node.params for option in parameter.opts} | {"--install-completion", "--help"}
    for word in words:
        if word.startswith("-"):
            if word not in options:
                return word
        elif group := getattr(node, "commands", None):
            if word not in group:
                return word
            node = group[word]
            options = {option for parameter in node.params for option in parameter.opts} | {"--help"}
    return None


@of_release
@each_document
def test_every_command_with_its_options_exists(path: Path) -> None:
    assert {command: unknown_in_command(command) for command in commands(path.read_text()) if unknown_in_command(command)} == {}


def test_commands_that_do_not_exist_are_found() -> None:
    text = "`kit run --again`, `kit walk` and `make run`\n```\n$ kit contract draw a.b  # no\nkit status --json\n```\n"
    assert commands(text) == ["kit contract draw a.b", "kit status --json", "kit run --again", "kit walk", "make run"]
    assert [unknown_in_command(command) for command in commands(text)] == ["draw", None, "--again", "walk", None]


@of_release
@pytest.mark.parametrize(("name", "lines"), [("README.md", 200), ("CONTRIBUTING.md", 60)])
def test_documents_stay_short(name: str, lines: int) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= lines


@of_release
def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in KIT.commands if f"| `kit {name}" not in text] == []


def test_every_path_of_the_map_of_the_kit_exists() -> None:
    paths = re.findall(r"`((?:kit|tests|domains)/[\w./-]*)`", (ROOT / "kit/README.md").read_text())
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_map_of_the_kit_lists_every_package_with_its_imports_in_their_order() -> None:
    (table,) = re.findall(r"\| storey \| package \|.*?\n\n", (ROOT / "kit/README.md").read_text(), re.DOTALL)
    rows = re.findall(r"^\| [a-z ]*\| `([a-z_]+)` \| .* \|([a-z_, ]*)\|$", table, re.MULTILINE)
    arrows = {(item.importer, item.package) for item in imports()}
    others = [name for name in ORDER if name not in EVERYWHERE]
    assert [(name, text.strip()) for name, text in rows] == [
        (name, ", ".join(other for other in others if (name, other) in arrows)) for name in ORDER
    ]


@of_release
@each_document
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        assert link.startswith("https://") or (path.parent / link).exists(), link


@of_release
def test_every_domain_has_a_readme_that_names_its_ports_and_owner() -> None:
    from kit.mesh.mesh import Mesh

    for product in Mesh.load(ROOT / "domains").products:
        text = (product.folder / "README.md").read_text()
        assert product.owner in text
        assert f"kit run {product.name}" in text
        assert [port.name for port in product.ports if f"`{port.name}`" not in text] == []


@of_release
def test_every_setting_is_documented() -> None:
    from kit.core.config import _SETTINGS

    text = (ROOT / "domains/README.md").read_text()
    assert [name for name in _SETTINGS if f"| `{name}` |" not in text] == []


@of_release
@pytest.mark.slow
def test_the_instructions_for_a_new_domain_work(published: Path, tmp_path: Path) -> None:
    """The commands of domains/README.md, run in a copy of the mesh."""
    (block,) = re.findall(r"```bash\n(.*?)```", (ROOT / "domains/README.md").read_text(), re.DOTALL)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "domains", tmp_path / "domains")
    (tmp_path / "kit").symlink_to(ROOT / "kit")
    shutil.copytree(published, tmp_path / ".mesh", copy_function=os.link)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", block], cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "stores: domains/stores/README.md:10: still to be written (TODO: what this product is, in one sentence.)" in done.stdout
    )
    assert "what is still to be written" in done.stdout
    assert "  stores       published" in done.stdout


@of_release
def test_the_example_of_a_contract_has_every_kind_of_rule(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "domains/README.md").read_text(), re.DOTALL)
    (example,) = (block for block in blocks if "kind: DataContract" in block)
    (tmp_path / "visits.odcs.yaml").write_text(example)
    contract = Contract.load(tmp_path / "visits.odcs.yaml")
    tests = {rule.assertion.test.name for rule in contract.rules if rule.assertion.test}
    assert tests == {
        "not_null", "mostly_not_null", "unique", "in_range", "text_length", "accepted_values", "matches",
        "finite", "refers_to", "row_count", "query_returns", "returns_no_rows",
    }  # fmt: skip
    assert {rule.response for rule in contract.rules} == {"block", "quarantine", "warn"}


@of_release
@pytest.mark.slow
def test_the_sql_of_the_readme_runs(published: Path) -> None:
    (sql,) = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    with database.connect() as connection:
        assert len(connection.execute(sql.replace(".mesh", str(published))).fetchall()) > 7000


@of_release
@pytest.mark.slow
def test_the_ports_shown_in_the_readme_are_those_of_the_demo(published: Path) -> None:
    """Owner, rows and passed checks of every line; snapshot and age are other ones each time."""
    shown = re.findall(
        r"^(\w+) +(\w+) +([A-Z]\w+ \w+) +([\d,]+) .*?(\d+) passed *$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    status = subprocess.run(
        [sys.executable, "-m", "kit", "status", "--json"], cwd=ROOT, env={**os.environ, "KIT_STORAGE": str(published)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    listed = json.loads(status.stdout)
    ports = {(row["product"], row["port"]): (row["owner"], row["rows"], row["checks"]["passed"]) for row in listed}
    assert len(shown) >= 2
    assert [ports[product, port] for product, port, *_ in shown] == [
        (owner, int(rows.replace(",", "")), int(passed)) for _, _, owner, rows, passed in shown
    ]


@of_release
@pytest.mark.slow
def test_the_python_of_the_readme_runs(published: Path) -> None:
    first, *_ = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", f"{first}assert len(cat) == 13 and sales.height and baskets.collect().height"],
        cwd=ROOT, env={**os.environ, "KIT_STORAGE": str(published)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
