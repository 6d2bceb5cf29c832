"""Notebooks: the functions they call (`read`, `scan`, `inputs`, `output`), their execution with papermill, and their lint.

A notebook and pinned inputs go in; staged ports, an executed copy and findings come out.
"""

from kit.notebooks import asset, executor, lint, reading, sql_cells
from kit.notebooks.asset import RUN_FILE, Inputs, Preview, inputs, output, serving
from kit.notebooks.cells import Cell, code_cells
from kit.notebooks.diff import Difference, differences, lines
from kit.notebooks.executed import Executed, copies, copy
from kit.notebooks.executor import KERNEL, Limits, execute
from kit.notebooks.kernel_pool import Kernels, Sheet
from kit.notebooks.page import POLICY, notebook_html
from kit.notebooks.reading import open_port, read, scan
from kit.notebooks.sql_cells import SqlText

__all__ = [
    "KERNEL",
    "POLICY",
    "RUN_FILE",
    "Cell",
    "Difference",
    "Executed",
    "Inputs",
    "Kernels",
    "Limits",
    "Preview",
    "Sheet",
    "SqlText",
    "asset",
    "code_cells",
    "copies",
    "copy",
    "differences",
    "execute",
    "executor",
    "inputs",
    "lines",
    "lint",
    "notebook_html",
    "open_port",
    "output",
    "read",
    "reading",
    "scan",
    "serving",
    "sql_cells",
]
