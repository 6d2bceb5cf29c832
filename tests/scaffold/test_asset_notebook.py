import difflib
import json
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.scaffold.asset_notebook import to_asset_notebook
from tests.support.findings import assert_names
from tests.support.notebooks import script_extension
from tests.support.small_mesh import notebook, write


def given(folder: Path, *cells: str, name: str = "Daily-Sums.ipynb") -> Path:
    write(folder / name, json.dumps(notebook(list(cells))))
    return folder / name


def cells(text: str) -> list[tuple[str, list[str]]]:
    return [("".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in json.loads(text)["cells"]]


def test_a_notebook_that_ends_in_a_table_becomes_one_that_makes_a_port(tmp_path: Path) -> None:
    top = "top = 3  # rows\nname: str = 'ä'\nnothing = None"
    path = given(tmp_path, "import kit", "LIMIT = 4", top, "sales = kit.read('shop.sales')\n%time 1", "sales.head(top)")
    before = path.read_text()
    adopted = to_asset_notebook(path)
    assert adopted.port == "daily_sums"
    assert (script_extension(path.read_text()), script_extension(adopted.text)) == (".txt", ".py")
    assert cells(adopted.text) == [
        ("import kit", []),
        ("LIMIT = 4", []),
        ("top: int = 3  # rows\nname: str = 'ä'\nnothing = None", ["parameters"]),
        ("sales = kit.read('shop.sales')\n%time 1", []),
        ('kit.output("daily_sums", sales.head(top))', []),
    ]
    assert path.read_text() == before
    assert [line for line in difflib.ndiff(adopted.before, adopted.after) if line[0] in "+-"] == [
        "- # %%", "+ # %% [parameters]", "- top = 3  # rows", "+ top: int = 3  # rows", "- sales.head(top)",
        '+ kit.output("daily_sums", sales.head(top))',
    ]  # fmt: skip


def test_a_cell_that_also_works_or_names_constants_holds_no_parameters(tmp_path: Path) -> None:
    adopted = to_asset_notebook(
        given(tmp_path, "import kit\ntop = 3", "LIMIT = 3\nx = 1", "day = date.today()", "a = b = 1", "1 + 1")
    )
    assert [tags for _, tags in cells(adopted.text)] == [[], [], [], [], []]


def test_a_tagged_cell_is_left_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "nb.ipynb", json.dumps(notebook(["a = 1", "1 + 1"], "top = 3")))
    assert cells(to_asset_notebook(tmp_path / "nb.ipynb").text)[:2] == [("top = 3", ["parameters"]), ("a = 1", [])]


@pytest.mark.parametrize("before", ["'old', frame", "port='old', frame=frame", "name, frame"])
def test_what_it_hands_over_is_renamed_to_the_port_asked_for(tmp_path: Path, before: str) -> None:
    adopted = to_asset_notebook(given(tmp_path, "import kit", f"kit.output({before})", "days.plot()"), "fresh")
    assert adopted.port == "fresh"
    assert cells(adopted.text)[1][0] == f"kit.output({before.replace('name', repr('old'))})".replace("'old'", '"fresh"')


def test_a_named_frame_is_handed_over_in_a_cell_of_its_own(tmp_path: Path) -> None:
    adopted = to_asset_notebook(given(tmp_path, "import kit", "ä = 1; days = 2", "days.plot()"), "fresh", "days")
    assert [source for source, _ in cells(adopted.text)] == [
        "import kit", "ä = 1; days = 2", "days.plot()", 'kit.output("fresh", days)',
    ]  # fmt: skip


def test_the_form_that_promotes_it_stays_behind(tmp_path: Path) -> None:
    adopted = to_asset_notebook(
        given(tmp_path, "import kit", "1 + 1", "import kit\nkit.promote()", "kit.promote(product='shop')")
    )
    assert [source for source, _ in cells(adopted.text)] == ["import kit", 'kit.output("daily_sums", 1 + 1)']


def test_kit_is_imported_where_it_was_not(tmp_path: Path) -> None:
    assert cells(to_asset_notebook(given(tmp_path, "%%time\n'ü', (1 +\n 1)")).text) == [
        ("%%time\nimport kit\n\nkit.output(\"daily_sums\", 'ü', (1 +\n 1))", [])
    ]


@pytest.mark.parametrize(
    ("sources", "frame", "facts"),
    [
        (["x = 1\nx, y = 1, 2\ny = 3"], None, ['kit.output("nb", frame)', "--frame: y, x"]),
        ([], None, ['kit.output("nb", frame)']),
        (["%time x"], None, ['kit.output("nb", frame)']),
        (["x = ("], None, ["cell 1, line 1", "'('"]),
        (["kit.output('a', x)\nkit.output('b', x)"], None, ["kit.output 2 times"]),
        (["kit.output('No port', x)"], None, ["'No port'", "--port"]),
        (["kit.output('a', x)"], "x", ["kit.output", "--frame"]),
        (["y = 1"], "x", ["'x'", ": y"]),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], frame: str | None, facts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KitError) as caught:
        to_asset_notebook(given(tmp_path, *sources, name="nb.ipynb"), frame=frame)
    assert_names(caught.value, type(caught.value), "nb.ipynb: ", *facts)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"nbformat": 3, "cells": []}', "format 4"),
        ("[]", "format 4"),
        ("", "not valid JSON: "),
        ('{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "its language is R"),
    ],
)
def test_what_is_no_notebook_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fact: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "nb.ipynb", text)
    with pytest.raises(KitError) as caught:
        to_asset_notebook(Path("nb.ipynb"))
    assert_names(caught.value, type(caught.value), "nb.ipynb: ", fact)
