import json
from dataclasses import replace
from pathlib import Path

import pytest

from kit.scaffold.notebook_source import external_reads
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
def test_files_and_the_network_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, says: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("helper.py", "there_already.py", "there/there_already.py"):
        write(tmp_path / name, "")
    write(tmp_path / "nb.ipynb", json.dumps(notebook([cell])))
    found = [replace(item, path=None) for item in external_reads("plan", Path("nb.ipynb"), Path("there"))]
    assert [str(item).partition(";")[0] for item in found] == [f"cell 1, {text}".partition(";")[0] for text in says]
