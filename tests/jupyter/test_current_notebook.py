import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kit.core.errors import KitError
from kit.jupyter.current_notebook import CurrentNotebook
from tests.support.kernels import in_kernel
from tests.support.small_mesh import notebook, write


def test_the_notebook_is_found_by_its_cell_also_when_it_was_renamed(tmp_path: Path) -> None:
    data = notebook(["x = 1", "kit.promote()"])
    old, other = tmp_path / "old.ipynb", tmp_path / "a.ipynb"
    current = CurrentNotebook(old, "cell2", ("x = 1", "kit.promote()"))
    with pytest.raises(KitError, match="there is no notebook"):
        current.saved_file()
    write(other, "no notebook")
    write(old, json.dumps(notebook(["x = 2", "kit.promote()"])))
    with pytest.raises(KitError, match=r"^old\.ipynb is not saved since its last cell ran; "):
        current.saved_file()
    write(other, json.dumps(data))
    assert current.saved_file() == other
    write(old, json.dumps(data))
    assert current.saved_file() == old


class Shell:
    """What IPython offers to a cell that runs in JupyterLab."""

    def __init__(self, sources: list[str], parent: dict[str, Any] | None) -> None:
        self.history_manager = SimpleNamespace(input_hist_raw=sources)
        self._parent = parent

    def get_parent(self) -> dict[str, Any] | None:
        return self._parent


def from_kernel(monkeypatch: pytest.MonkeyPatch, shell: object, file: str | None = "/lab/explore.ipynb") -> CurrentNotebook:
    in_kernel(monkeypatch, session=Path(file) if file else None, shell=shell)
    return CurrentNotebook.from_kernel()


def test_the_kernel_knows_its_file_its_cell_and_the_last_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell(["", "old = 0", "x = 1", "kit.promote()"], {"metadata": {"cellId": "cell2"}})
    assert from_kernel(monkeypatch, shell) == CurrentNotebook(Path("/lab/explore.ipynb"), "cell2", ("x = 1", "kit.promote()"))


@pytest.mark.parametrize("parent", [None, {}, {"metadata": None}, {"metadata": {}}])
def test_the_cell_may_be_unknown_and_an_empty_source_is_left_out(
    monkeypatch: pytest.MonkeyPatch, parent: dict[str, Any] | None
) -> None:
    found = from_kernel(monkeypatch, Shell(["", "kit.promote()"], parent))
    assert (found.cell, found.sources) == (None, ("kit.promote()",))


def test_outside_of_jupyter_the_notebook_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = r"the current notebook is unknown; name it, as in kit\.promote\('notebooks/"
    with pytest.raises(KitError, match=unknown):
        from_kernel(monkeypatch, Shell([], None), None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    monkeypatch.setenv("JPY_SESSION_NAME", "/lab/a.ipynb")
    with pytest.raises(KitError, match=unknown):
        CurrentNotebook.from_kernel()


def test_a_notebook_is_saved_when_it_contains_the_last_cells(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    write(file, json.dumps(notebook(["x = 1", "y = 2"])))
    assert CurrentNotebook(file, None, ("y = 2\n", "  x = 1")).saved_file() == file
    for current in (CurrentNotebook(file, "cell9", ("x = 1",)), CurrentNotebook(file, "cell1", ("x = 3",))):
        with pytest.raises(KitError, match=r"^a\.ipynb is not saved since its last cell ran; save it \(Ctrl\+S\)"):
            current.saved_file()


def test_without_cell_and_sources_another_notebook_is_no_answer(tmp_path: Path) -> None:
    write(tmp_path / "broken.ipynb", "{")
    with pytest.raises(KitError, match=r"there is no notebook .*gone\.ipynb"):
        CurrentNotebook(tmp_path / "gone.ipynb", None, ()).saved_file()
