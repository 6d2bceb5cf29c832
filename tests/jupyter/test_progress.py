import sys

import pytest

from kit.build.build import Outcome
from kit.jupyter.progress import CellProgress, in_notebook


def test_steps_are_a_plain_table_and_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CellProgress, "_show", lambda self: None)
    shown = CellProgress()
    with shown.progress() as progress:
        progress.end("shop", "audit", "<b>3</b>", 0.1)
        progress.begin("shop", "<i>")
    assert repr(shown) == f"{'shop':<12} {'audit':<10} {'<b>3</b>':<44}    0.1 s\nshop: <i> …"
    html = shown._repr_html_()
    assert [tag for tag in ("<b>3", "<i>") if tag in html] == []
    assert html.count("<table>") == 1


def test_only_a_failure_is_added_to_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CellProgress, "_show", lambda self: None)
    shown = CellProgress()
    shown.finished(Outcome("shop", "published", 1.0))
    shown.finished(Outcome("plan", "failed", 2.0, message="1 check failed\nmore"))
    assert shown.rows == [("plan", "failed", "1 check failed", "2.0")]


def test_plain_python_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
