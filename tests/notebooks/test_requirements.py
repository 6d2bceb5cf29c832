from pathlib import Path

import pytest

from kit.core.errors import InvalidFile
from kit.notebooks.requirements import INSTALL, Declared, installed_by
from tests.support.files import write


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("%pip install prophet", ("prophet",)),
        ("!pip install -q 'prophet==1.1' polars[all]  # for the forecast", ("prophet==1.1", "polars[all]")),
        ("  %pip install -i https://example.com/simple --constraint pins.txt -U prophet", ("prophet",)),
        ("!python3 -m pip install -r requirements.txt", ("requirements.txt",)),
        ("%conda install -n base prophet", ("prophet",)),
        ("!uv pip install prophet", ("prophet",)),
        ("%pip install 'open", ("'open",)),
    ],
)
def test_a_line_that_installs_names_its_packages(line: str, names: tuple[str, ...]) -> None:
    assert installed_by(line) == names


@pytest.mark.parametrize("line", ["!pip list", "%pip uninstall prophet", "pip install prophet", "!ls", "%pipeline install x"])
def test_other_lines_install_nothing(line: str) -> None:
    assert INSTALL.fullmatch(line) is None
    assert installed_by(line) == ()


def test_what_a_mesh_declares_is_in_any_of_its_files(tmp_path: Path) -> None:
    write(
        tmp_path / "pyproject.toml",
        '[project]\ndependencies = ["Some_Package>=1", "data-mesh-kit[postgres]"]\n'
        '[project.optional-dependencies]\ndemo = ["demo-thing"]\n'
        '[dependency-groups]\ndev = ["grouped", {include-group = "x"}]\n',
    )
    write(tmp_path / "requirements-extra.txt", "# comment\n-r other.txt\npinned==1.2\n")
    write(tmp_path / "environment.yml", "name: x\ndependencies: [python, condaforge=1.1, {pip: [frompip]}]\n")
    declared = Declared.from_root(tmp_path)
    found = ["some-package", "demo.thing", "grouped", "pinned==2", "condaforge", "frompip", "duckdb-extension-postgres-scanner"]
    assert [name for name in found if not declared.has(name)] == []
    assert [name for name in ("other", "comment", "dlt", "statsmodels") if declared.has(name)] == []
    assert {"polars", "pandas", "data-mesh-kit"} <= declared.names  # what every mesh has by the kit


def test_an_import_needs_the_package_that_has_the_module(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.kit]\n")
    declared = Declared.from_root(tmp_path)
    assert [declared.missing(name) for name in ("os", "kit", "polars", "yaml", "sklearn_like")] == [
        "",
        "",
        "",
        "",
        "sklearn_like",
    ]
    assert declared.missing("nbval") == "nbval"
    write(tmp_path / "pyproject.toml", '[project]\ndependencies = ["nbval>=0.11"]\n[tool.kit]\n')
    assert Declared.from_root(tmp_path).missing("nbval") == ""


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[project\n")
    with pytest.raises(InvalidFile, match=r"pyproject\.toml: not valid TOML"):
        Declared.from_root(tmp_path)
