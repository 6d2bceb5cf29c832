import ast
import json
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import InvalidFile, NotebookError
from kit.notebooks.cells import check_language, code_cells
from kit.notebooks.sql_cells import SqlText
from tests.support.small_mesh import SmallMesh


def test_lines_only_ipython_understands_are_set_apart(small: SmallMesh) -> None:
    path = small.notebook("plan", "forecast", ["%matplotlib inline\nx = 1\n!ls", "%%bash\nls", "y = 2"])
    found = [(cell.number, cell.magics, len(cell.tree.body)) for cell in code_cells(path)]
    assert found == [(1, ((1, "%matplotlib inline"), (3, "!ls")), 1), (2, ((1, "%%bash"), (2, "ls")), 0), (3, (), 1)]


def test_shell_lines_that_are_assigned_and_questions_are_set_apart(small: SmallMesh) -> None:
    cells = ["files = !ls\nx = 1", "a, b = %time 1, 2\nif x:\n    !ls", "frame?", "?frame", "frame.head()??", "!!ls"]
    found = code_cells(small.notebook("plan", "forecast", cells))
    assert [cell.magics for cell in found] == [
        ((1, "files = !ls"),),
        ((1, "a, b = %time 1, 2"), (3, "    !ls")),
        *(((1, line),) for line in cells[2:]),
    ]
    assert [ast.unparse(cell.tree) for cell in found[:3]] == ["files = None\nx = 1", "a, b = None\nif x:\n    pass", ""]


@pytest.mark.parametrize("source", ["x = '''\n!ls\n%time 1\nframe?\n'''", "x = (7\n% 4)", "y = x != 1"])
def test_lines_of_plain_python_are_no_magics(small: SmallMesh, source: str) -> None:
    (cell,) = code_cells(small.notebook("plan", "forecast", [source]))
    assert (cell.magics, ast.dump(cell.tree)) == ((), ast.dump(ast.parse(source)))


@pytest.mark.parametrize("metadata", [{"language_info": {"name": "R"}}, {"kernelspec": {"name": "ir", "language": "R"}}])
def test_another_language_is_named(small: SmallMesh, metadata: dict[str, Any]) -> None:
    path = small.notebook("plan", "forecast", ["x <- 1"])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metadata": metadata}))
    with pytest.raises(NotebookError, match=r"forecast\.ipynb: its language is R; notebooks of a mesh are Python$"):
        code_cells(path)


def test_a_notebook_without_metadata_is_python() -> None:
    for notebook in ({}, [], {"metadata": None}, {"metadata": {"kernelspec": "python3", "language_info": {}}}):
        check_language(notebook, Path("a.ipynb"))


def test_sql_is_set_apart_too(small: SmallMesh) -> None:
    cells = ["%%sql --out tea\nselect 1\nfrom a.b", "if x:\n    y = %sql from c.d\n%sql --out z select 2", "%sqlite x"]
    found = code_cells(small.notebook("plan", "forecast", cells))
    assert [cell.queries for cell in found] == [
        (SqlText("select 1\nfrom a.b", 2, "tea"),),
        (SqlText("from c.d", 2), SqlText("select 2", 3, "z")),
        (),
    ]
    assert [cell.magics for cell in found] == [(), (), ((1, "%sqlite x"),)]
    assert ast.unparse(found[1].tree) == "if x:\n    y = None\npass"


def test_sql_with_unknown_options_is_named(small: SmallMesh) -> None:
    path = small.notebook("plan", "forecast", ["%%sql --into x\nselect 1"])
    with pytest.raises(InvalidFile, match=r"forecast\.ipynb: cell 1, line 1: '--into x' after %%sql is not understood"):
        code_cells(path)


def test_what_is_timed_is_python(small: SmallMesh) -> None:
    path = small.notebook("plan", "forecast", ["%%time\nx = 1", "if x:\n    %time y = 2"])
    assert [len(list(ast.walk(cell.tree))) for cell in code_cells(path)] == [5, 8]


def test_what_is_no_python_is_named(small: SmallMesh) -> None:
    path = small.notebook("plan", "forecast", ["x = 1", "y =\n"])
    with pytest.raises(InvalidFile, match=r"forecast\.ipynb: cell 2, line 1: not Python: invalid syntax"):
        code_cells(path)


def test_what_is_no_notebook_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(InvalidFile, match=r"a\.ipynb: not a notebook with cells"):
        code_cells(tmp_path / "a.ipynb")
