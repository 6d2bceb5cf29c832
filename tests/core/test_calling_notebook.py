import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kit.core.calling_notebook import calling_notebook, is_attended
from tests.support.kernels import in_kernel

SESSION = Path("/lab/session.ipynb")


def test_outside_of_a_kernel_there_is_no_notebook_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(SESSION))
    monkeypatch.setenv("KIT_NOTEBOOK", str(SESSION))
    for ipython in (None, SimpleNamespace(get_ipython=lambda: None), SimpleNamespace(get_ipython=SimpleNamespace)):
        if ipython is None:
            monkeypatch.delitem(sys.modules, "IPython", raising=False)
        else:
            monkeypatch.setitem(sys.modules, "IPython", ipython)
        assert (calling_notebook(), is_attended()) == (None, True)


def test_each_program_names_its_notebook_in_its_own_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    in_kernel(monkeypatch)
    assert calling_notebook() is None
    in_kernel(monkeypatch, session=SESSION)
    assert calling_notebook() == SESSION
    in_kernel(monkeypatch, session=SESSION, __vsc_ipynb_file__="/code/a.ipynb")
    assert calling_notebook() == Path("/code/a.ipynb")
    in_kernel(monkeypatch, attended=False, PAPERMILL_INPUT_PATH="sub/b.ipynb")
    assert calling_notebook() == tmp_path / "sub/b.ipynb"
    monkeypatch.setenv("KIT_NOTEBOOK", "/mesh/c.ipynb")
    assert calling_notebook() == Path("/mesh/c.ipynb")


def test_a_session_that_an_unattended_kernel_inherited_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    in_kernel(monkeypatch, attended=False, session=SESSION)
    assert (calling_notebook(), is_attended()) == (None, False)
