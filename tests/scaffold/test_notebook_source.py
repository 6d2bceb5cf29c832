import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.core.errors import KitError, NotebookError
from kit.core.yaml import parse_yaml
from kit.mesh.context import Context
from kit.scaffold import notebook_source
from kit.scaffold.asset_notebook import to_asset_notebook
from kit.scaffold.notebook_source import files_from_notebook
from kit.scaffold.port_files import PortFiles
from tests.support.small_mesh import SmallMesh, notebook, write

PATH = "notebooks/explore.ipynb"
READS = ["import kit", "totals = kit.read('shop.totals')", "kit.read('shop.sales')", "totals"]


class Preview:
    """Runs of notebooks that hand over one frame, or fail."""

    def __init__(self, frame: pl.DataFrame | None = None, error: NotebookError | None = None) -> None:
        self.frame = pl.DataFrame({"item_id": [1, 2]}) if frame is None else frame
        self.error = error
        self.asked: list[tuple[Any, ...]] = []

    @contextmanager
    def __call__(self, config: object, product: str, path: Path, port: str, reads: list[str]) -> Iterator[Path]:
        self.asked.append((product, path, port, reads, path.read_text()))
        if self.error:
            raise self.error
        file = path.parents[3] / "made.parquet"
        self.frame.write_parquet(file)
        yield file


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    return small


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch) -> Preview:
    made = Preview()
    monkeypatch.setattr(notebook_source, "preview_notebook", made)
    return made


def made(mesh: SmallMesh, cells: list[str], product: str = "plan", port: str = "tripled") -> PortFiles:
    path = mesh.root / PATH
    write(path, json.dumps(notebook(cells)))
    return files_from_notebook(Context(mesh.config), product, to_asset_notebook(path, port), path, mesh.domains / product)


def test_a_notebook_becomes_a_port_with_the_inputs_it_reads(mesh: SmallMesh, preview: Preview) -> None:
    found = made(mesh, READS)
    assert [(item["id"], item["version"]) for item in found.output["inputContracts"]] == [
        ("shop.totals", "1.0.0"), ("shop.sales", "1.0.0")
    ]  # fmt: skip
    assert [item["name"] for item in found.inputs] == ["shop.totals", "shop.sales"]
    assert (list(found.files), found.has_dbt) == (["contracts/tripled.odcs.yaml", "notebooks/tripled.ipynb"], False)
    assert 'kit.output("tripled", totals)' in json.loads(str(found.files["notebooks/tripled.ipynb"]))["cells"][-1]["source"][-1]


def test_its_contract_is_drafted_from_one_run_in_its_place(mesh: SmallMesh, preview: Preview) -> None:
    found = made(mesh, READS)
    place = mesh.domains / "plan/notebooks/tripled.ipynb"
    ((product, path, port, reads, text),) = preview.asked
    assert (product, path, port, reads) == ("plan", place, "tripled", ["shop.totals", "shop.sales"])
    assert text == found.files["notebooks/tripled.ipynb"]
    assert not place.exists()
    contract = parse_yaml(path, str(found.files["contracts/tripled.odcs.yaml"])).data
    assert contract["id"] == "plan.tripled"
    assert [column["name"] for column in contract["schema"][0]["properties"]] == ["item_id"]


@pytest.mark.parametrize(("exception", "hint"), [("NotATable", "; --frame NAME chooses another frame"), ("KeyError", "")])
def test_a_run_that_fails_names_the_notebook_that_was_explored(
    mesh: SmallMesh, preview: Preview, exception: str, hint: str
) -> None:
    preview.error = NotebookError("cell 2 failed", mesh.domains / "plan/notebooks/tripled.ipynb")
    preview.error.exception = exception
    with pytest.raises(NotebookError) as error:
        made(mesh, READS)
    assert (error.value.path, error.value.problem) == (mesh.root / PATH, f"cell 2 failed{hint}")
    assert not (mesh.domains / "plan/notebooks/tripled.ipynb").exists()


def test_all_that_a_build_could_not_run_is_said_in_the_order_of_the_cells(mesh: SmallMesh, preview: Preview) -> None:
    cells = ["import kit\nimport sys", "open('x.csv')", "kit.read(sys.argv[1])", "kit.read('shop.totals')"]
    with pytest.raises(NotebookError) as error:
        made(mesh, cells)
    assert str(error.value).splitlines() == [
        f"{PATH} cannot be an asset as it stands:",
        "  cell 2, line 1: reads a file, 'x.csv'; make a port of it (kit new NAME --from FILE) and read that",
        "  cell 3, line 1: computes the name of a port; write it out, as in kit.read('product.port')",
    ]
    assert preview.asked == []


def test_no_port_is_made_twice_in_a_circle_or_under_a_bad_name(mesh: SmallMesh, preview: Preview) -> None:
    with pytest.raises(KitError, match=r"^domains/plan/notebooks/forecast\.ipynb: exists already; nothing was written$"):
        made(mesh, READS, port="forecast")
    with pytest.raises(KitError, match=r"'plan\.forecast' is itself made from 'shop'"):
        made(mesh, ["import kit", "kit.read('plan.forecast')"], product="shop")
    with pytest.raises(KitError, match="'raw' cannot name a port"):
        made(mesh, READS, port="raw")
    with pytest.raises(KitError, match="'shop' has no port 'none'"):
        made(mesh, ["import kit", "kit.read('shop.none')"])
    assert preview.asked == []
