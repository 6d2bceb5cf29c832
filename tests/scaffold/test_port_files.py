from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.core.yaml import read_yaml
from kit.scaffold.port_files import PortFiles, add_files, check_port_name
from kit.scaffold.templates import SAMPLE
from tests.support.files import write

DESCRIPTOR = """\
inputPorts:
  - {name: raw.a, version: 1.0.0, contractId: tea.raw.a}
outputPorts:
  - {name: a, type: dbt, version: 1.0.0, contractId: tea.a}
team:
  - {username: a@b.c}
"""
PORT = {"name": "b", "type": "dbt", "version": "1.0.0", "contractId": "tea.b"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tea/product.odps.yaml", DESCRIPTOR)
    return tmp_path / "tea"


def test_texts_and_copies_are_added_and_each_input_once(folder: Path) -> None:
    write(folder.parent / "rows.csv", "x\n1\n")
    known, new = ({"name": name, "version": "1.0.0", "contractId": name} for name in ("raw.a", "shop.sales"))
    files = {"models/b.sql": "select 1\n", "data/rows.csv": folder.parent / "rows.csv"}
    add_files(folder, PortFiles(PORT, (known, new), files))
    assert (folder / "models/b.sql").read_text() == "select 1\n"
    assert (folder / "data/rows.csv").read_text() == "x\n1\n"
    descriptor = read_yaml(folder / "product.odps.yaml").data
    assert [port["name"] for port in descriptor["inputPorts"]] == ["raw.a", "shop.sales"]
    assert [port["name"] for port in descriptor["outputPorts"]] == ["a", "b"]
    project = (folder / "dbt_project.yml").read_text()
    assert "name: tea\n" in project
    assert "macro-paths: [macros]\n" in project


def test_a_notebook_port_needs_no_dbt_project(folder: Path) -> None:
    add_files(folder, PortFiles(PORT, has_dbt=False))
    assert not (folder / "dbt_project.yml").exists()


def test_no_file_is_overwritten(folder: Path) -> None:
    write(folder / "models/b.sql", "mine")
    with pytest.raises(KitError, match=r"^tea/models/b\.sql: exists already"):
        add_files(folder, PortFiles(PORT, files={"models/b.sql": "select 1\n"}))
    assert (folder / "models/b.sql").read_text() == "mine"


def test_a_function_is_added_below_those_of_ingest_py(folder: Path) -> None:
    add_files(folder, PortFiles(PORT, ingest="def feed():\n    return 1\n", has_dbt=False))
    first_line = (SAMPLE / "ingest.py").read_text().splitlines()[0]
    assert (folder / "ingest.py").read_text() == f"{first_line}\n\n\ndef feed():\n    return 1\n"
    with pytest.raises(KitError, match=r"^ingest\.py has a 'feed' already"):
        add_files(folder, PortFiles({**PORT, "name": "c"}, ingest="def feed():\n    return 2\n", has_dbt=False))


def test_a_dbt_source_is_declared_where_its_schema_is(folder: Path) -> None:
    port = PortFiles(PORT, reads=("raw", "feed", "As delivered."))
    add_files(folder, port)
    assert read_yaml(folder / "models/sources.yml").data["sources"] == [
        {"name": "raw", "tables": [{"name": "feed", "description": "As delivered."}]}
    ]
    (folder / "models/sources.yml").rename(folder / "models/others.yml")
    for table in ("feed", "more"):
        add_files(folder, PortFiles(PORT, reads=("raw", table, "")))
    assert not (folder / "models/sources.yml").exists()
    (source,) = read_yaml(folder / "models/others.yml").data["sources"]
    assert [table["name"] for table in source["tables"]] == ["feed", "more"]


@pytest.mark.parametrize("name", ["raw", "A", "1a", "a-b", ""])
def test_a_port_needs_a_name_that_sql_and_contracts_can_have(name: str) -> None:
    with pytest.raises(KitError, match="cannot name a port"):
        check_port_name(name)
