import json
from pathlib import Path

import pytest

from kit.core.errors import KitError, NotPublished
from kit.scaffold.asset_notebook import to_asset_notebook
from kit.scaffold.blank_notebook import new_blank_notebook
from tests.support.notebooks import script_extension
from tests.support.small_mesh import SmallMesh


def sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def test_it_reads_a_published_port_and_ends_in_a_table(small: SmallMesh) -> None:
    small.publish("shop")
    path = new_blank_notebook(small.config)
    assert path == small.root / "notebooks" / "new_asset.ipynb"
    notebook = json.loads(path.read_text())
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert script_extension(path.read_text()) == ".py"
    assert notebook["cells"][1]["metadata"] == {"tags": ["parameters"]}
    assert sources(path)[1:] == [
        "rows: int = 10  # how many rows to keep",
        'import kit\n\nsales = kit.read("shop.sales")\nsales',
        "# The value of the last line becomes the table of the port.\nframe = sales.head(rows)\nframe",
    ]


def test_none_is_overwritten_and_each_names_itself(small: SmallMesh) -> None:
    small.publish("shop")
    first = new_blank_notebook(small.config)
    first.write_text("mine")
    second = new_blank_notebook(small.config)
    assert (first.read_text(), second.name) == ("mine", "new_asset_2.ipynb")
    assert "kit promote notebooks/new_asset_2.ipynb --product PRODUCT" in sources(second)[0]


def test_it_can_become_a_port_as_it_is(small: SmallMesh) -> None:
    small.publish("shop")
    adopted = to_asset_notebook(new_blank_notebook(small.config))
    assert adopted.port == "new_asset"
    made = ["".join(cell["source"]) for cell in json.loads(adopted.text)["cells"]]
    assert made[3].endswith('frame = sales.head(rows)\nkit.output("new_asset", frame)')


def test_without_anything_to_read_or_a_place_to_write_it_says_so(small: SmallMesh) -> None:
    with pytest.raises(NotPublished) as nothing:
        new_blank_notebook(small.config)
    assert str(nothing.value) == "no port is published yet that a notebook could read; build the mesh with `kit run`"
    small.publish("shop")
    (small.root / "notebooks").write_text("a file")
    with pytest.raises(KitError, match="notebooks cannot be written: File exists"):
        new_blank_notebook(small.config)
