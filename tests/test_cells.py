import ast
from pathlib import Path

import pytest

from kit.cells import code_cells
from kit.errors import InvalidFile
from tests.small_mesh import SmallMesh


def test_lines_only_ipython_understands_are_set_apart(small: SmallMesh) -> None:
    path = small.notebook("plan", "forecast", ["%matplotlib inline\nx = 1\n!ls", "%%sql\nselect 1", "y = 2"])
    found = [(cell.number, cell.magics, len(cell.tree.body)) for cell in code_cells(path)]
    assert found == [(1, ((1, "%matplotlib inline"), (3, "!ls")), 1), (2, ((1, "%%sql"), (2, "select 1")), 0), (3, (), 1)]


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
