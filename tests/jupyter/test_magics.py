from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tests.support.small_mesh import SmallMesh


@pytest.fixture
def shell(small: SmallMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    small.publish("shop")
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_cell("%load_ext kit")
    yield shell
    if "MeshMagics" in shell.magics_manager.registry:
        shell.run_cell("%unload_ext kit")


def run(shell: InteractiveShell, cell: str) -> Any:
    done = shell.run_cell(cell)
    done.raise_error()
    return done.result


def test_a_notebook_asks_ports(shell: InteractiveShell) -> None:
    frame = run(shell, "%%sql\nselect item, amount from shop.totals\norder by item")
    assert isinstance(frame, pl.DataFrame)
    assert frame.rows() == [("cake", frame["amount"][0]), ("tea", frame["amount"][1])]
    assert run(shell, "%%sql --out totals\nfrom shop.totals") is None
    run(shell, "least = 200\nbig = %sql select item from totals where amount > $least and '{least}' <> ''")
    assert run(shell, "big.rows()") == [("tea",)]


def test_pins_are_shown_and_moved(shell: InteractiveShell, small: SmallMesh) -> None:
    version = small.store.read_pointer("shop").version
    assert run(shell, "%mesh").rows() == []
    run(shell, "%sql --out x from shop.totals")
    assert run(shell, "%mesh").rows() == [("shop", version, version)]
    assert run(shell, f"%mesh pin shop {version}").rows() == run(shell, "%mesh refresh").rows()


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (
            "%%sql\nselect amont\nfrom shop.totals",
            "SqlError: line 2: there is no column 'amont'; did you mean amount? there are: amount, item\n"
            "    select amont\n           ^",
        ),
        ("x = 1\ny = %sql selct 1", "SqlError: syntax error at 'selct'; did you mean select?\n    selct 1\n    ^"),
        ("%mesh pn", "KitError: '%mesh pn' is not understood; write %mesh, %mesh pin [PRODUCT [VERSION]] or "),
        ("import kit\nkit.read('shop.nope')", "UnknownName: snapshot "),
    ],
)
def test_a_mistake_is_one_message_and_stops_the_notebook(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, says: str
) -> None:
    assert not shell.run_cell(cell).success
    told = capsys.readouterr().out
    assert told.startswith(says)
    assert "Traceback" not in told


def test_tab_completes(shell: InteractiveShell) -> None:
    def completed(cell: str) -> list[tuple[int, str]]:
        with provisionalcompleter():
            return [(item.start, item.text) for item in shell.Completer.completions(cell, len(cell))]

    shell.user_ns["mine"] = pl.DataFrame({"a": [1]})
    assert completed("%%sql\nselect 1 from shop.t") == [(20, "shop.totals")]
    assert completed("%%sql\nselect 1 from m") == [(20, "mine")]
    assert completed('kit.read("shop.s') == [(10, "shop.sales")]
    assert "print" in [text for _, text in completed("prin")]


def test_the_extension_can_be_unloaded(shell: InteractiveShell) -> None:
    run(shell, "%sql --out x from shop.totals")
    run(shell, "%unload_ext kit")
    assert shell.Completer.custom_matchers == []
    assert not {"sql", "mesh"} & set(shell.magics_manager.magics["line"])
    run(shell, "%reload_ext kit")
    assert run(shell, "%mesh").rows() == []
