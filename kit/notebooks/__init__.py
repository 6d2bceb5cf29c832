"""Notebooks: the functions they call (`read`, `scan`, `inputs`, `output`), their execution with papermill, and their lint.

A notebook and pinned inputs go in; staged ports, an executed copy and findings come out.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.notebooks import asset, lint, reading, sql_cells
    from kit.notebooks.asking import Model, model
    from kit.notebooks.asset import Inputs, Preview, inputs, output, serving_table
    from kit.notebooks.cells import HELP, CodeCell, check_language, code_cells
    from kit.notebooks.diff import Difference, differences, lines
    from kit.notebooks.executed import Executed, copies, copy
    from kit.notebooks.executor import KERNEL, NotebookLimits, execute
    from kit.notebooks.kernel_pool import KernelPool
    from kit.notebooks.model_channel import Ask
    from kit.notebooks.notebook_run import MADE, RUN_FILE, NotebookRun
    from kit.notebooks.page import POLICY, notebook_html
    from kit.notebooks.ports_read import note_read
    from kit.notebooks.reading import open_port, read, scan
    from kit.notebooks.requirements import INSTALL, Declared, installed_by
    from kit.notebooks.sql_cells import SqlText

__getattr__ = lazy_face(__name__)

__all__ = [
    "HELP",
    "INSTALL",
    "KERNEL",
    "MADE",
    "POLICY",
    "RUN_FILE",
    "Ask",
    "CodeCell",
    "Declared",
    "Difference",
    "Executed",
    "Inputs",
    "KernelPool",
    "Model",
    "NotebookLimits",
    "NotebookRun",
    "Preview",
    "SqlText",
    "asset",
    "check_language",
    "code_cells",
    "copies",
    "copy",
    "differences",
    "execute",
    "inputs",
    "installed_by",
    "lines",
    "lint",
    "model",
    "note_read",
    "notebook_html",
    "open_port",
    "output",
    "read",
    "reading",
    "scan",
    "serving_table",
    "sql_cells",
]
