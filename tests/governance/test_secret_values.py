import json
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.governance.check import check_mesh
from kit.scaffold.promotion import plan_promotion
from tests.support.notebooks import notebook
from tests.support.small_mesh import SmallMesh

SECRET = 'API_TOKEN = "sk-0123abcd4567"'


def write_notebook(path: Path, cells: list[str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook(cells)))
    return path


def test_files_and_notebooks_of_a_domain(small: SmallMesh) -> None:
    ingest = small.domains / "shop/ingest.py"
    ingest.write_text(ingest.read_text() + f"\n{SECRET}\n")
    line = len(ingest.read_text().splitlines())
    write_notebook(small.domains / "plan/notebooks/more.ipynb", ["1", f"x = 2\n{SECRET}"])
    write_notebook(small.root / "notebooks/explore.ipynb", [SECRET])
    found = [item for item in check_mesh(small.context) if "secret" in item.message]
    assert [(item.product, item.path and item.path.name, item.cell, item.line) for item in found] == [
        ("shop", "ingest.py", None, line), ("plan", "more.ipynb", 2, 2), ("notebooks", "explore.ipynb", 1, 1),
    ]  # fmt: skip
    assert all('os.environ["API_TOKEN"]' in item.fix and "sk-0123" not in str(item) for item in found)


def test_a_notebook_with_a_secret_is_not_promoted(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_notebook(small.root / "notebooks/mine.ipynb", ["import polars as pl", SECRET, "pl.DataFrame({'a': [1]})"])
    monkeypatch.chdir(small.root)
    with pytest.raises(KitError, match=r"(?s)nothing was written.*mine.ipynb: cell 2, line 1: holds a secret.*API_TOKEN"):
        plan_promotion(small.context, str(path), "plan", "mine", None, lambda step: None)
