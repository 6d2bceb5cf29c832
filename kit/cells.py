"""The Python of a notebook, cell by cell, as a tree that is looked at and never run."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from kit.errors import InvalidFile
from kit.files import read_json, short

_ABOUT_PYTHON = {"%%time", "%%timeit", "%%capture"}
_TIMED = re.compile(r"(\s*)%(?:time|timeit)\s+(.*)")


@dataclass(frozen=True)
class Cell:
    """One code cell; `number` counts all cells of the notebook from 1, `magics` are its lines only IPython understands."""

    number: int
    tree: ast.Module
    magics: tuple[tuple[int, str], ...]


def code_cells(path: Path) -> tuple[Cell, ...]:
    """The code cells of a notebook; raises `InvalidFile` for what is no notebook or no Python."""
    found = []
    try:
        cells = [
            (number, "".join(cell["source"]), cell["cell_type"]) for number, cell in enumerate(read_json(path)["cells"], 1)
        ]
    except (KeyError, TypeError):
        raise InvalidFile(f"{short(path)}: not a notebook with cells; save it from JupyterLab") from None
    for number, source, kind in cells:
        if kind != "code":
            continue
        lines = source.splitlines()
        other = bool(lines) and lines[0].startswith("%%") and lines[0].split()[0] not in _ABOUT_PYTHON
        magics = [(row, line) for row, line in enumerate(lines, 1) if other or line.lstrip().startswith(("%", "!"))]
        rows = {row for row, _ in magics}
        plain = "\n".join(_python(line) if row in rows else line for row, line in enumerate(lines, 1))
        try:
            found.append(Cell(number, ast.parse(plain), tuple(magics)))
        except (SyntaxError, ValueError, RecursionError) as error:
            where = f"cell {number}, line {getattr(error, 'lineno', None) or 1}"
            raise InvalidFile(f"{short(path)}: {where}: not Python: {getattr(error, 'msg', error)}") from None
    return tuple(found)


def _python(line: str) -> str:
    """What is Python in a line that begins as one of IPython."""
    timed = _TIMED.fullmatch(line)
    return f"{timed[1]}{timed[2]}" if timed else ""
