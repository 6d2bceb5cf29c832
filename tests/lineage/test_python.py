import json
from dataclasses import replace
from pathlib import Path

import pytest

from kit.lineage.python import PythonReads, external_reads, ingest_reads, notebook_reads
from tests.support.small_mesh import notebook, write


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("from urllib.request import urlopen", ["line 1: imports urllib, but an asset reads ports only"]),
        ("import polars as pl\npl.scan_parquet('data/*.parquet')", ["line 2: reads a file, 'data/*.parquet'"]),
        ("pd.read_csv('https://x.org/a.csv')", ["line 1: reads the network, 'https://x.org/a.csv'"]),
        ("open(f'{folder}/x'); open(f'x/{name}').read()", ["line 1: reads a file, 'x/'"]),
        ("import os, helper", ["line 1: imports helper.py, which lies beside it; copy that to there first"]),
        ("import there_already", []),
        ("open('out.csv', 'w')\nkit.open()\nkit.read('shop.sales')\nread_sql('select 1', con)", []),
    ],
)
def test_external_reads_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, says: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("helper.py", "there_already.py", "there/there_already.py"):
        write(tmp_path / name, "")
    write(tmp_path / "nb.ipynb", json.dumps(notebook([cell])))
    found = [replace(item, path=None) for item in external_reads("plan", Path("nb.ipynb"), Path("there"))]
    assert [str(item).partition(";")[0] for item in found] == [f"cell 1, {text}".partition(";")[0] for text in says]


def test_inputs_that_are_passed_on_may_all_be_read(tmp_path: Path) -> None:
    write(tmp_path / "nb.ipynb", json.dumps(notebook(["import kit\nuse(kit.inputs())"])))
    assert notebook_reads(tmp_path / "nb.ipynb", "plan", tmp_path, {}).reads_any


def test_ingest_that_is_missing_or_not_python_reads_nothing(tmp_path: Path) -> None:
    assert ingest_reads("shop", tmp_path, {}) == PythonReads((), (), False)
    write(tmp_path / "ingest.py", "def")
    assert ingest_reads("shop", tmp_path, {}) == PythonReads((), (), False)


def test_a_forbidden_file_is_a_fault_at_its_place(tmp_path: Path) -> None:
    write(tmp_path / "shop/ingest.py", "\nPATH = '../plan/x.csv'\n")
    (fault,) = ingest_reads("shop", tmp_path / "shop", {tmp_path / "plan": "the folder of 'plan'"}).faults
    assert (fault.product, fault.path, fault.line, fault.cell) == ("shop", tmp_path / "shop/ingest.py", 2, None)
    assert fault.message == "names '../plan/x.csv' in the folder of 'plan'"
