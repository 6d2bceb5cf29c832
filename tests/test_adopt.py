import json
from pathlib import Path

import pytest

from kit.adopt import adopt
from kit.errors import NotebookError
from tests.small_mesh import notebook, write


def given(folder: Path, *cells: str, name: str = "Daily-Sums.ipynb") -> Path:
    write(folder / name, json.dumps(notebook(list(cells))))
    return folder / name


def cells(text: str) -> list[tuple[str, list[str]]]:
    return [("".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in json.loads(text)["cells"]]


def test_a_notebook_that_ends_in_a_table_becomes_one_that_makes_a_port(tmp_path: Path) -> None:
    path = given(tmp_path, "import kit", "top = 3\nname = 'ä'", "sales = kit.read('shop.sales')\n%time 1", "sales.head(top)")
    before = path.read_text()
    adopted = adopt(path)
    assert (adopted.port, adopted.reads) == ("daily_sums", ("shop.sales",))
    assert cells(adopted.text) == [
        ("import kit", []),
        ("top = 3\nname = 'ä'", ["parameters"]),
        ("sales = kit.inputs().read('shop.sales')\n%time 1", []),
        ('kit.output("daily_sums", sales.head(top))', []),
    ]
    assert path.read_text() == before


def test_what_it_asks_in_sql_is_read_too(tmp_path: Path) -> None:
    path = given(
        tmp_path, "%load_ext kit", "%%sql --out a\nfrom Shop.Sales join mine using (item)", "b = %sql from shop.totals", "b"
    )
    adopted = adopt(path)
    assert adopted.reads == ("shop.sales", "shop.totals")
    assert [source for source, _ in cells(adopted.text)][:3] == [source for source, _ in cells(path.read_text())][:3]


def test_what_it_hands_over_is_renamed_to_the_port_asked_for(tmp_path: Path) -> None:
    adopted = adopt(given(tmp_path, "import kit", "kit.output('old', frame)"), "fresh")
    assert (adopted.port, cells(adopted.text)[1][0]) == ("fresh", 'kit.output("fresh", frame)')


def test_kit_is_imported_where_it_was_not(tmp_path: Path) -> None:
    assert cells(adopt(given(tmp_path, "1 + 1")).text) == [('import kit\n\nkit.output("daily_sums", 1 + 1)', [])]


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["x = 1"], 'does not end in a table; write kit.output("nb", frame) as its last line'),
        ([], 'does not end in a table; write kit.output("nb", frame) as its last line'),
        (["x = ("], "code cell 1 is not Python: '(' was never closed"),
        (["kit.output('a', x)\nkit.output('b', x)"], "calls kit.output 2 times; a notebook makes one port, so keep one"),
        (["kit.read(name)"], 'code cell 1 works out what to read; write kit.read("product.port")'),
        (["kit.read('a.b', version=1)"], "reads 'a.b' with options; write kit.read('a.b')"),
        (["kit.output('No port', x)"], "'No port' cannot name a port; say how it is called with --port"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotebookError) as caught:
        adopt(given(tmp_path, *sources, name="nb.ipynb"))
    assert str(caught.value) == f"nb.ipynb: {says}"
