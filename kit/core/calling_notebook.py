"""The notebook whose kernel this process is: its file, wherever the kernel was started, and whether a person attends it."""

import os
import sys
from pathlib import Path
from typing import Any

NOTEBOOK = "KIT_NOTEBOOK"
"""Environment variable of kernels that papermill starts: the path of the notebook that it executes."""


def calling_notebook() -> Path | None:
    """Return the file of the notebook that this kernel executes; None where it is unknown and outside of a kernel.

    The file need not exist: a person may have renamed it since.
    """
    kernel = _kernel()
    if kernel is None:
        return None
    names: dict[str, Any] = getattr(kernel.shell, "user_ns", None) or {}
    # Kernels that a program starts in a kernel of Jupyter inherit the variable of the latter.
    session = os.environ.get("JPY_SESSION_NAME") if is_attended() else None
    given = (os.environ.get(NOTEBOOK), names.get("__vsc_ipynb_file__"), names.get("PAPERMILL_INPUT_PATH"), session)
    return next((Path.cwd() / path for path in given if path), None)


def is_attended() -> bool:
    """Whether a person can answer this kernel, as in JupyterLab and VS Code; papermill, nbconvert and nbval cannot."""
    kernel = _kernel()
    return kernel is None or bool(getattr(kernel, "_allow_stdin", True))


def _kernel() -> Any:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None)
