"""Kernels as code of the kit sees them from inside, without a process."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


def in_kernel(
    monkeypatch: pytest.MonkeyPatch, *, attended: bool = True, session: Path | None = None, shell: Any = None, **names: str
) -> None:
    """Make this process look like a kernel with these names; `session` is the notebook for which Jupyter started it."""
    shell = shell or SimpleNamespace()
    shell.user_ns = names
    shell.kernel = SimpleNamespace(shell=shell, _allow_stdin=attended)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.delenv("KIT_NOTEBOOK", raising=False)
    if session:
        monkeypatch.setenv("JPY_SESSION_NAME", str(session))
    else:
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
