import json
from pathlib import Path
from typing import Any

from kit.notebooks.diff import Difference, differences, lines
from kit.notebooks.executed import Executed
from tests.support.small_mesh import notebook, write

TABLE = "<table><thead><tr><th>item</th><th>amount</th></tr></thead><tbody>{}</tbody></table>"


def table(**amounts: str) -> dict[str, Any]:
    rows = "".join(f"<tr><td>{item}</td><td>{amount}</td></tr>" for item, amount in amounts.items())
    return {"output_type": "execute_result", "metadata": {}, "data": {"text/html": TABLE.format(rows), "text/plain": "x"}}


def plain(text: str) -> dict[str, Any]:
    return {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": text}}


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def picture(content: str) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": content, "text/plain": "<Figure>"}}


def executed(folder: Path, cells: list[tuple[str, list[dict[str, Any]]]], injected: str = "", inputs: str = "v1") -> Executed:
    data = notebook([source for source, _ in cells], "horizon: int = 30\nlevel = 0.5")
    for cell, (_, outputs) in zip(data["cells"][1:], cells, strict=True):
        cell["outputs"] = outputs
    if injected:
        cell = {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": injected, "outputs": []}
        data["cells"].insert(1, cell)
    run = {"run_id": folder.name, "product": "plan", "port": "forecast"}
    run["inputs"] = {"shop.totals": {"version": inputs}, "plan.model": {"version": folder.name}}
    write(folder / "forecast.run.json", json.dumps(run))
    write(folder / "notebooks/forecast.ipynb", json.dumps(data))
    return Executed.read(folder / "notebooks/forecast.ipynb")


def test_equal_runs_have_no_difference(tmp_path: Path) -> None:
    """Where an object lies in memory, colours, and how a stream was cut into messages are none."""
    first = executed(tmp_path / "a", [("x", [plain("<X at 0x7f0000001234>"), table(tea="1")]), ("y", [printed("1\n2\n")])])
    outputs = [plain("<X at 0x7f0000005678>"), table(tea="1")]
    second = executed(tmp_path / "b", [("x", outputs), ("y", [printed("1\n"), printed("\x1b[31m2\x1b[0m\n")])])
    assert differences(first, second) == []


def test_each_kind_of_difference_is_told(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    first = executed(
        tmp_path / "a",
        [
            ("same", [table(tea="1,200.5", cake="7")]),
            ("old = 1\nkept", [printed("one\ntwo\n")]),
            ("draw", [picture("AAAA")]),
            ("end", []),
            ("gone", []),
        ],
    )
    second = executed(
        tmp_path / "b",
        [
            ("same", [table(tea="1,300.5", cake="7")]),
            ("new = 1\nkept", [printed("one\nthree\n")]),
            ("draw", [picture("BBBB")]),
            ("end", [error]),
        ],
        injected="# Parameters\nhorizon = 7\n",
        inputs="v2",
    )
    assert differences(first, second) == [
        Difference("parameter", "horizon", "30", "7"),
        Difference("input", "shop.totals", "v1", "v2"),
        Difference("end", "", "ran to its end", "ValueError: no"),
        Difference("table", "code cell 2: tea, amount", "1,200.5", "1,300.5"),
        Difference("code", "code cell 3", "old = 1\nkept", "new = 1\nkept"),
        Difference("text", "code cell 3", "one\ntwo", "one\nthree"),
        Difference("picture", "code cell 4", "image/png 63c1dd951ffe", "image/png 4a8d8134f29b"),
        Difference("error", "code cell 5", None, "ValueError: no"),
        Difference("code", "code cell 6", "gone", None),
    ]


def test_numbers_say_by_how_much_and_texts_line_by_line() -> None:
    assert Difference("table", "", "1,200.5", "1,300.75").change == 100.25
    assert Difference("table", "", "tea", "1").change is None
    assert lines(Difference("text", "", "one\ntwo\nsame", "one\nthree\nsame")) == ["-two", "+three"]
    assert lines(Difference("code", "", None, "x\ny")) == ["+x", "+y"]


def test_tables_of_other_shape_are_told_as_text(tmp_path: Path) -> None:
    first = executed(tmp_path / "a", [("x", [table(tea="1")])])
    second = executed(tmp_path / "b", [("x", [table(tea="1", cake="2")])])
    assert differences(first, second) == [
        Difference("table", "code cell 2", "item | amount\ntea | 1", "item | amount\ntea | 1\ncake | 2")
    ]
