"""A Jupyter-first data mesh kit: domains own data products, contracts separate them, notebooks are assets.

Importing it is light: a public name is imported when it is first used, and so are polars, dbt and the other libraries.
"""

# `kit` imports this first: what is imported here can be interrupted with a traceback, before `__main__` prevents that.
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from kit.catalog import open_catalog as open  # noqa: A004  kit.open reads well, and nobody imports * from here
    from kit.cli.api import run
    from kit.core import ModelError, __version__
    from kit.jupyter.promote_form import PromoteForm
    from kit.language_models import Answer
    from kit.notebooks import Inputs, Model, Preview, inputs, model, output, read, scan

_MODULES = {
    "Inputs": "kit.notebooks", "Preview": "kit.notebooks", "inputs": "kit.notebooks", "output": "kit.notebooks",
    "read": "kit.notebooks", "scan": "kit.notebooks", "model": "kit.notebooks", "Model": "kit.notebooks",
    "Answer": "kit.language_models", "ModelError": "kit.core", "open": "kit.catalog", "run": "kit.cli.api",
    "__version__": "kit.core",
}  # fmt: skip

__all__ = [
    "Answer", "Inputs", "Model", "ModelError", "Preview", "__version__", "inputs", "model", "open", "output", "promote", "read",
    "run", "scan",
]  # fmt: skip


def __getattr__(name: str) -> "Any":
    """Import a public name when it is first used (https://peps.python.org/pep-0562/)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'kit' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_MODULES[name]), "open_catalog" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def promote(notebook: str | None = None) -> "PromoteForm":
    """Return a form that makes this notebook, or the named one, a port of a data product, as `kit promote` does.

    >>> kit.promote()
    >>> kit.promote("notebooks/baskets.ipynb")
    """
    from kit.jupyter import promote_form

    return promote_form.form(notebook)


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """`%load_ext kit`: adds SQL on published ports to a notebook."""
    from kit.jupyter import magics

    magics.load(shell)


def _draw_charts() -> None:
    """Show Altair's charts in this kernel as pictures, if this is a kernel."""
    asked = getattr(sys.modules.get("IPython"), "get_ipython", None)
    if asked and (shell := asked()) is not None:
        from kit.jupyter import charts

        charts.draw_charts(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """`%unload_ext kit`: removes it."""
    from kit.jupyter import magics

    magics.unload(shell)


_draw_charts()
