"""The Python and the SQL of a notebook, cell by cell, parsed and not executed."""

import ast
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import InvalidFile, NotebookError, SqlError, read_json
from kit.notebooks import sql_cells
from kit.notebooks.sql_cells import SqlText

_PYTHON_CELL_MAGICS = {"%%time", "%%timeit", "%%capture"}
_TIMED = re.compile(r"(\s*)%(?:time|timeit)\s+(.*)")
_ASSIGNED = re.compile(r"(\s*\w[\w.,\s\[\]'\"]*=\s*)[!%].*")  # files = !ls
HELP = re.compile(r"\s*(?:\?{1,2}\s*[\w%*].*|[\w%*][\w.*\[\]'\"()-]*\s*\?{1,2})\s*")
"""A line that asks IPython about a name: `frame?`, `?frame`."""


@dataclass(frozen=True)
class CodeCell:
    """One code cell; `number` counts all cells of the notebook from 1.

    `queries` is its SQL, `magics` are the other lines that only IPython understands.
    """

    number: int
    tree: ast.Module
    magics: tuple[tuple[int, str], ...]
    queries: tuple[SqlText, ...] = ()


def code_cells(path: Path) -> tuple[CodeCell, ...]:
    """Return the code cells of a notebook; raises `InvalidFile` for a file that is not a notebook, and for invalid Python.

    Raises `NotebookError` for a notebook in another language.
    """
    result = []
    notebook = read_json(path)
    try:
        cells = [(number, "".join(cell["source"]), cell["cell_type"]) for number, cell in enumerate(notebook["cells"], 1)]
    except (KeyError, TypeError):
        raise InvalidFile("not a notebook with cells; save it from JupyterLab", path) from None
    check_language(notebook, path)
    for number, source, kind in cells:
        if kind != "code":
            continue
        try:
            result.append(parsed(number, source))
        except (SyntaxError, ValueError, RecursionError, SqlError) as error:
            where = f"cell {number}, line {getattr(error, 'lineno', None) or 1}"
            what = str(error) if isinstance(error, SqlError) else f"not Python: {getattr(error, 'msg', error)}"
            raise InvalidFile(what, path, field=where) from None
    return tuple(result)


def check_language(notebook: Any, path: Path) -> None:
    """Raise `NotebookError` for a notebook in another language than Python, which its kernel or its language names."""
    metadata = _mapping(_mapping(notebook).get("metadata"))
    kernel, info = _mapping(metadata.get("kernelspec")), _mapping(metadata.get("language_info"))
    language = kernel.get("language") or info.get("name") or "python"
    if language not in ("python", "ipython"):
        raise NotebookError(f"its language is {language}; notebooks of a mesh are Python", path)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def parsed(number: int, source: str) -> CodeCell:
    """Parse the text of a code cell; raises `SyntaxError` or `SqlError`."""
    query = sql_cells.of_cell(source)
    if query is not None:
        return CodeCell(number, ast.parse(""), (), (query,))
    with suppress(SyntaxError):  # `%` and `!` may begin lines of plain Python, inside of brackets and texts
        return CodeCell(number, ast.parse(source), ())
    lines = source.splitlines()
    not_python = bool(lines) and lines[0].startswith("%%") and lines[0].split()[0] not in _PYTHON_CELL_MAGICS
    magics, queries, python = [], [], []
    for row, line in enumerate(lines, 1):
        if not not_python and (sql_line := sql_cells.of_line(line, row)):
            before, query = sql_line
            queries.append(query)
            python.append(f"{before}None" if before.strip() else before + "pass")
        elif not_python or line.lstrip().startswith(("%", "!")) or HELP.fullmatch(line):
            magics.append((row, line))
            python.append(_python(line))
        elif assigned := _ASSIGNED.fullmatch(line):
            magics.append((row, line))
            python.append(f"{assigned[1]}None")
        else:
            python.append(line)
    return CodeCell(number, ast.parse("\n".join(python)), tuple(magics), tuple(queries))


def _python(line: str) -> str:
    """Return the Python in a line that begins with an IPython magic."""
    timed = _TIMED.fullmatch(line)
    if timed:
        return f"{timed[1]}{timed[2]}"
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}pass" if indent else ""
