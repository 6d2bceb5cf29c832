import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.governance.check import check_mesh
from kit.notebooks.lint import check_module, check_notebook, notebooks
from kit.notebooks.requirements import Declared
from tests.conftest import ROOT
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, notebook, write

URL = "file://" + "/var/x"


def given(folder: Path, *cells: str, tags: tuple[tuple[str, ...], ...] = (), **changes: Any) -> Path:
    data = notebook(list(cells))
    for cell, found in zip(data["cells"], tags, strict=False):
        cell["metadata"] = {"tags": list(found)}
    data["cells"][0] |= changes
    write(folder / "nb.ipynb", json.dumps(data))
    return folder / "nb.ipynb"


def found(folder: Path, path: Path, port: str | None = None) -> list[str]:
    return [message.removeprefix(f"{path}: ") for _, message in pairs(check_notebook("plan", path, port))]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (
            "import no_such_module.part",
            "imports 'no_such_module', which is not installed; run `pip install no_such_module` and",
        ),
        ("def f():\n    from no_such_module import x", "imports 'no_such_module', which is not installed"),
        ("p = '/mnt/me/data.csv'", "names '/mnt/me/data.csv', a place on one machine; name it from the notebook's"),
        ("read(f'/tmp/{x}')", "names '/tmp/', a place on one machine"),
        (r"p = 'C:\\data\\x.csv'", r"names 'C:\data\x.csv', a place on one machine"),
        ("p = '~/x'", "names '~/x', a place on one machine"),
        (f"p = '{URL}'", f"names '{URL}', a place on one machine"),
    ],
)
def test_what_works_on_one_machine_only(tmp_path: Path, cell: str, says: str) -> None:
    path = given(tmp_path, "1", cell)
    (finding,) = check_notebook("plan", path)
    assert (finding.product, finding.path, finding.line, finding.cell) == ("plan", path, cell.count("\n") + 1, 2)
    assert f"{finding.message}; {finding.fix}".startswith(says)


@pytest.mark.parametrize(
    "cell",
    [
        "try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None",
        "import helper\nfrom . import x\nimport os.path",
        "'/home is where the heart is'",
        "x = '/catalog/v1', 'a/tmp/b', 'https://example.com/tmp/x', '%Y/%m'",
        "%load_ext kit\n!ls",
        "x = (",
    ],
)
def test_what_is_nothing_wrong(tmp_path: Path, cell: str) -> None:
    write(tmp_path / "helper.py", "")
    assert found(tmp_path, given(tmp_path, cell)) == []


def test_a_port_imports_what_the_mesh_declares(tmp_path: Path) -> None:
    write(tmp_path / "helper.py", "import nbval\nimport polars\n")
    path = given(tmp_path, "import polars, helper\nimport nbval.plugin", "kit.output('p', f)")
    nothing, nbval = Declared(frozenset({"polars"})), Declared(frozenset({"polars", "nbval"}))
    (finding,) = check_notebook("plan", path, "p", nothing)
    assert (finding.cell, finding.line) == (1, 2)
    assert f"{finding.message}; {finding.fix}" == (
        "imports 'nbval', which pyproject.toml does not declare; add 'nbval' to its dependencies"
    )
    assert [*check_notebook("plan", path, "p", nbval), *check_notebook("plan", path, None, nothing)] == []
    assert [finding.line for finding in check_module("plan", tmp_path / "helper.py", nothing)] == [1]
    assert list(check_module("plan", tmp_path / "helper.py", nbval)) == []


def test_parameters_are_tagged_once(tmp_path: Path) -> None:
    path = given(tmp_path, "a: int = 1", "kit.output('p', f)")
    assert found(tmp_path, path, "p") == ["cell 1 looks like parameters; tag it `parameters`, so that a run can set them"]
    assert found(tmp_path, path) == []
    path = given(tmp_path, "a = 1", "b = 2", "kit.output('p', f)", tags=(("parameters",), ("parameters",)))
    assert found(tmp_path, path, "p") == ["cells 1, 2 are tagged `parameters`; keep the tag on one of them"]
    path = given(tmp_path, "a = 1", "a = 2", "kit.output('p', f)", tags=(("parameters",), ("injected-parameters",)))
    assert found(tmp_path, path, "p") == ["cell 2 was put in by a run; delete it, or take the notebook it was executed from"]
    path = given(tmp_path, "text", "kit.output('p', f)", tags=(("parameters",),), cell_type="markdown")
    assert found(tmp_path, path, "p") == ["cell 1 is tagged `parameters`, but is no Python; tag the cell that assigns them"]


@pytest.mark.parametrize(
    "cell", ["items: list = ['a']", "n: int = -1", "names: dict[str, int] = {'a': 1}", "a: int = 1\nb = [2.5]"]
)
def test_parameters_of_every_type_are_recognised(tmp_path: Path, cell: str) -> None:
    path = given(tmp_path, cell, "kit.output('p', f)")
    assert found(tmp_path, path, "p") == ["cell 1 looks like parameters; tag it `parameters`, so that a run can set them"]


@pytest.mark.parametrize("cell", ["N = 3", "rows: int = len(x)", "x = f()", "a[0]: int = 1"])
def test_other_cells_are_no_parameters(tmp_path: Path, cell: str) -> None:
    assert found(tmp_path, given(tmp_path, cell, "kit.output('p', f)"), "p") == []


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("days: list = list('ab')", "the default of parameter 'days' is list('ab'); write a plain value"),
        ("a: int = 1\nb, c = 1, 2", "`b, c = (1, 2)` in cell 1 sets no parameter; write one `name: type = value` a line"),
        ("a: int", "`a: int` in cell 1 sets no parameter; write one `name: type = value` a line"),
        ("a = b = 1", "`a = b = 1` in cell 1 sets no parameter; write one `name: type = value` a line"),
    ],
)
def test_what_a_run_cannot_set_in_the_tagged_cell_is_named(tmp_path: Path, cell: str, says: str) -> None:
    path = given(tmp_path, cell, "kit.output('p', f)", tags=(("parameters",),))
    assert found(tmp_path, path, "p") == [says]


def test_cells_with_shell_lines_and_questions_are_checked_like_others(tmp_path: Path) -> None:
    path = given(tmp_path, "files = !ls\nimport no_such_module", "frame?\np = '/mnt/me/x'")
    assert [(finding.cell, finding.line) for finding in check_notebook("plan", path)] == [(1, 2), (2, 2)]


def test_another_language_is_named_wherever_it_is_written(tmp_path: Path) -> None:
    path = given(tmp_path, "x <- 1")
    for metadata in ({"language_info": {"name": "R"}}, {"kernelspec": {"name": "ir", "language": "R"}}):
        write(path, json.dumps(json.loads(path.read_text()) | {"metadata": metadata}))
        assert found(tmp_path, path) == ["its language is R; notebooks of a mesh are Python"]
        assert found(tmp_path, path, "p") == []  # the check of its reads names it


def test_several_cells_with_outputs_are_one_finding(tmp_path: Path) -> None:
    data = notebook(["1", "2"])
    write(tmp_path / "nb.ipynb", json.dumps(data | {"cells": [cell | {"execution_count": 4} for cell in data["cells"]]}))
    (message,) = found(tmp_path, tmp_path / "nb.ipynb")
    assert message.startswith("cells 1, 2 hold outputs; clear them")


def test_the_notebooks_beside_the_domains_are_checked_too(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    for folder in ("notebooks/deep", "notebooks/.ipynb_checkpoints", "domains/shop/notebooks"):
        given(small.root / folder, "1", execution_count=4)
    assert [path.name for path in notebooks(small.root / "notebooks")] == ["nb.ipynb"]
    says = "cell 1 holds outputs; clear them before you commit (Edit, Clear Outputs of All Cells)"
    assert pairs(check_mesh(small.context)) == [
        ("shop", f"domains/shop/notebooks/nb.ipynb: {says}"),
        ("notebooks", f"notebooks/deep/nb.ipynb: {says}"),
    ]


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (
            {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"1": {"value": "ann@example.com"}}}}},
            "holds the state of widgets, with the values they show; delete it before you commit: `nbstripout --keep-id`, "
            "or save without it (Settings, Save Widget State Automatically)",
        ),
        (
            {"papermill": {"parameters": {"mail": "ann@example.com"}, "input_path": "/mnt/ann/a.ipynb"}},
            "holds the record of a run, with its parameters and paths; take the notebook it was executed from",
        ),
    ],
)
def test_what_programs_record_in_a_notebook_is_not_committed(tmp_path: Path, metadata: dict[str, Any], says: str) -> None:
    path = given(tmp_path, "1")
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "metadata": data["metadata"] | metadata}))
    assert found(tmp_path, path) == [says]


def test_the_commit_hook_strips_a_notebook_and_keeps_its_tags(tmp_path: Path) -> None:
    ((hook,),) = [repo["hooks"] for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]]
    clean = given(tmp_path, "a: int = 1", "kit.output('p', f)", tags=(("parameters",),))
    wanted = json.loads(clean.read_text())
    output = {"output_type": "stream", "name": "stdout", "text": ["1"]}
    path = given(tmp_path, "a: int = 1", "kit.output('p', f)", tags=(("parameters",),), outputs=[output], execution_count=7)
    assert len(found(tmp_path, path, "p")) == 1
    subprocess.run([Path(sys.executable).parent / hook["entry"].split()[0], *hook["entry"].split()[1:], path], check=True)
    stripped = json.loads(path.read_text())
    assert [cell | {"source": "".join(cell["source"])} for cell in stripped["cells"]] == wanted["cells"]
    assert found(tmp_path, path, "p") == []
