import json
from pathlib import Path

import pytest

from kit.core.errors import NotebookError
from kit.mesh.parameters import Parameter, check_parameters, parameters
from tests.notebooks.test_executor import write_notebook
from tests.support.small_mesh import notebook, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_notebook(tmp_path, ["x = 1"])


def test_parameters_are_read_with_type_default_and_help(path: Path) -> None:
    assert parameters(path) == {
        "horizon": Parameter("horizon", "int", 30, "days ahead"),
        "level": Parameter("level", "float", 0.5, ""),
        "name": Parameter("name", "str", "base", ""),
        "deep": Parameter("deep", "bool", True, ""),
        "items": Parameter("items", "list", [1, 2], ""),
    }


def test_given_text_takes_the_declared_type(path: Path) -> None:
    given = {"horizon": "14", "level": "1", "name": "14", "deep": "False", "items": "[3]"}
    expected = {"horizon": 14, "level": 1, "name": "14", "deep": False, "items": [3]}
    assert check_parameters(path, parameters(path), given) == expected


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"horizon": "soon"}, "the parameter 'horizon' is 'soon'; it must be of type int"),
        ({"horizon": 1.5}, "the parameter 'horizon' is 1.5; it must be of type int"),
        ({"horizon": True}, "the parameter 'horizon' is True; it must be of type int"),
        ({"level": "high"}, "the parameter 'level' is 'high'; it must be of type float"),
        ({"deep": "maybe"}, "the parameter 'deep' is 'maybe'; it must be of type bool"),
        ({"items": "{}"}, "the parameter 'items' is {}; it must be of type list"),
        ({"name": 5}, "the parameter 'name' is 5; it must be of type str"),
        (
            {"import os; x": 1},
            "has no parameter 'import os; x'; there are: horizon: int, level: float, name: str, deep: bool, items: list",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(path: Path, given: dict[str, object], says: str) -> None:
    with pytest.raises(NotebookError) as error:
        check_parameters(path, parameters(path), given)
    assert str(error.value) == f"{path}: {says}"


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x.ipynb", "{")
    with pytest.raises(NotebookError) as error:
        parameters(tmp_path / "x.ipynb")
    assert str(error.value).startswith(f"{tmp_path / 'x.ipynb'}: not a notebook that can be read: ")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("x = today()", "the default of parameter 'x' is today(); write a plain value"),
        ("x = (", "its cell tagged `parameters` is not Python: '(' was never closed"),
    ],
)
def test_a_parameter_that_cannot_be_told_is_refused(tmp_path: Path, cell: str, says: str) -> None:
    write(tmp_path / "x.ipynb", json.dumps(notebook([], cell)))
    with pytest.raises(NotebookError) as error:
        parameters(tmp_path / "x.ipynb")
    assert str(error.value) == f"{tmp_path / 'x.ipynb'}: {says}"


def test_what_is_no_parameter_is_passed_over(tmp_path: Path) -> None:
    cell = "%load_ext x\nimport os\n'text # none'\nfirst: 'int' = (\n    1  # inner\n)  # the # first\na = b = 2\nother: int\n"
    write(tmp_path / "x.ipynb", json.dumps(notebook(["y = 1"], cell)))
    assert parameters(tmp_path / "x.ipynb") == {"first": Parameter("first", "int", 1, "the # first")}
