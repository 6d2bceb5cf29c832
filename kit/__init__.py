"""A Jupyter-first data mesh kit: domains own data products, contracts separate them, notebooks are assets.

Importing it is light; polars, dbt, Great Expectations and papermill are imported by the functions that use them.
"""

from typing import TYPE_CHECKING

from kit.catalog import open_catalog as open  # noqa: A004  kit.open reads well, and nobody imports * from here
from kit.cli.api import run
from kit.core import __version__
from kit.notebooks import Inputs, Preview, inputs, output, read, scan

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kit.jupyter.promote_form import PromoteForm

__all__ = ["Inputs", "Preview", "__version__", "inputs", "open", "output", "promote", "read", "run", "scan"]


def promote(notebook: str | None = None) -> "PromoteForm":
    """Return a form that makes this notebook, or the named one, a port of a data product, as `kit promote` does."""
    from kit.jupyter import promote_form

    return promote_form.form(notebook)


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """`%load_ext kit`: adds SQL on published ports to a notebook."""
    from kit.jupyter import magics

    magics.load(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """`%unload_ext kit`: removes it."""
    from kit.jupyter import magics

    magics.unload(shell)
