"""An exploration notebook turned into an asset notebook: its output and its parameters; its reads stay as they are."""

import ast
import hashlib
import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import IDENTIFIER, NotebookError, read_json, to_json
from kit.mesh import TYPES, plain_value
from kit.notebooks import INSTALL, KERNEL, CodeCell, check_language, code_cells, installed_by

_PARAMETER = re.compile(r"[a-z_][a-z0-9_]*")
_MOST_NAMED = 3
_RECORD = "kit"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
    # Without the last four fields nbconvert makes a text file of a notebook.
    "language_info": {
        "name": "python", "file_extension": ".py", "mimetype": "text/x-python", "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}  # fmt: skip
"""The kernel and the language that the notebooks of the kit declare."""


@dataclass(frozen=True)
class Install:
    """A line of a notebook that installs packages, by its cell and its line there."""

    cell: int
    line: int
    text: str

    @property
    def requirements(self) -> tuple[str, ...]:
        """The packages, as they are written."""
        return installed_by(self.text)


@dataclass(frozen=True)
class AssetNotebook:
    """The asset notebook as JSON text, the port it makes, and the lines of both notebooks, `before` and `after`.

    `installs` are the lines that were left out, since no build installs packages.
    """

    text: str
    port: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    installs: tuple[Install, ...] = ()


@dataclass(frozen=True)
class Promoted:
    """What an asset notebook says of its promotion: the notebook that it was made from, empty when it was never promoted.

    `code` are its lines as they are now, `is_edited` whether a person has changed them since.
    """

    origin: str
    code: tuple[str, ...]
    is_edited: bool

    @classmethod
    def from_notebook(cls, path: Path) -> "Promoted":
        """Read the asset notebook at `path`; raises `NotebookError` for a file that is no notebook."""
        notebook = _read(path)
        record = notebook["metadata"].get(_RECORD) if isinstance(notebook.get("metadata"), dict) else None
        code = tuple(script(notebook))
        if not isinstance(record, dict):
            return cls("", code, is_edited=True)
        return cls(str(record.get("promoted_from", "")), code, is_edited=record.get("digest") != _digest(code))


def to_asset_notebook(path: Path, port: str | None = None, frame: str | None = None, origin: str = "") -> AssetNotebook:
    """Turn the notebook at `path` into one that makes a port; the file itself stays as it is.

    Outputs are cleared, a cell that shows the form of `kit.promote()` and lines that install packages are left out, and the
    first cell of plain values is tagged `parameters` when none is. Its metadata says that it was made from `origin`. The asset
    notebook outputs the frame of the name `frame`, else that of its own `kit.output`, else the last expression of its last
    cell. The port is `port`, else that of its `kit.output`, else the
    name of the file. Raises `NotebookError` where that is ambiguous, and `InvalidFile` for a file that is no notebook.
    """
    notebook = _read(path)
    before = tuple(script(notebook))
    parsed = {cell.number: cell for cell in code_cells(path)}
    code = [_EditedCell(cell, parsed[number]) for number, cell in enumerate(notebook["cells"], 1) if number in parsed]
    forms = [id(item.cell) for item in code if _is_form(item.tree)]
    notebook["cells"] = [cell for cell in notebook["cells"] if id(cell) not in forms]
    code = [item for item in code if id(item.cell) not in forms]
    installs = tuple(install for item in code for install in item.take_installs())
    made = _add_output(path, notebook, code, port, frame)
    _tag_parameters(code)
    emptied = {install.cell for install in installs}
    for item in code:
        source = item.source.strip("\n") if item.parsed.number in emptied else item.source
        item.cell |= {"source": source.splitlines(keepends=True), "outputs": [], "execution_count": None}
    empty = [id(item.cell) for item in code if item.parsed.number in emptied and not item.cell["source"]]
    notebook["cells"] = [cell for cell in notebook["cells"] if id(cell) not in empty]
    after = tuple(script(notebook))
    record = {_RECORD: {"promoted_from": origin, "digest": _digest(after)}} if origin else {}
    notebook["metadata"] = METADATA | record
    return AssetNotebook(to_json(notebook), made, before, after, installs)


def origin_name(path: Path, root: Path) -> str:
    """Return how an asset notebook names the notebook at `path` that it was made from, without a place on this machine."""
    origin, root = path.resolve(), root.resolve()
    return origin.relative_to(root).as_posix() if origin.is_relative_to(root) else path.name


def script(notebook: dict[str, Any]) -> Iterator[str]:
    """A notebook as lines of text: its kernel, and the cells with their tags."""
    yield f"# kernel: {((notebook.get('metadata') or {}).get('kernelspec') or {}).get('name', 'none')}"
    for cell in notebook["cells"]:
        tags = (cell.get("metadata") or {}).get("tags") or ()
        marks = [*([] if cell["cell_type"] == "code" else [cell["cell_type"]]), *map(str, tags)]
        yield f"# %%{' [' + ', '.join(marks) + ']' if marks else ''}"
        yield from "".join(cell["source"]).splitlines()


def variable(port: str, taken: tuple[str, ...]) -> str:
    """A Python name for the table of a port; none of those `taken`."""
    name = port.partition(".")[2]
    return port.replace(".", "_") if keyword.iskeyword(name) or name in taken else name


def _digest(code: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    notebook: Any = read_json(path)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    is_notebook = isinstance(cells, list) and all(
        isinstance(cell, dict) and {"cell_type", "source"} <= cell.keys() for cell in cells
    )
    if not is_notebook or notebook.get("nbformat") != 4:
        raise NotebookError("not a notebook of format 4; save it from JupyterLab", path)
    check_language(notebook, path)
    valid: dict[str, Any] = notebook
    return valid


class _EditedCell:
    """A code cell: its JSON, its parsed code, and the source that replaces the present one."""

    def __init__(self, cell: dict[str, Any], parsed: CodeCell) -> None:
        self.cell = cell
        self.parsed = parsed
        self.source = "".join(cell["source"])

    @property
    def tree(self) -> ast.Module:
        return self.parsed.tree

    def take_installs(self) -> Iterator[Install]:
        """Empty the lines that install packages; the positions of the others stay."""
        lines = self.source.splitlines(keepends=True)
        found = [row for row, line in self.parsed.magics if INSTALL.fullmatch(line)]
        for row in found:
            yield Install(self.parsed.number, row, lines[row - 1].strip())
            lines[row - 1] = "\n"
        self.source = "".join(lines)

    def replace(self, node: ast.expr, text: str) -> None:
        """Replace the text of one node; positions in a line are bytes."""
        lines = self.source.splitlines(keepends=True)
        assert node.end_lineno is not None and node.end_col_offset is not None
        first, last = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
        middle = first[: node.col_offset] + text.encode() + last[node.end_col_offset :]
        lines[node.lineno - 1 : node.end_lineno] = [middle.decode()]
        self.source = "".join(lines)


def _is_form(tree: ast.Module) -> bool:
    """Whether a cell only shows the form of `kit.promote()`."""
    *before, last = tree.body or [ast.Pass()]
    return (
        isinstance(last, ast.Expr)
        and _called(last.value) == "kit.promote"
        and all(isinstance(node, ast.Import) for node in before)
    )


def _add_output(path: Path, notebook: dict[str, Any], code: list[_EditedCell], port: str | None, frame: str | None) -> str:
    """Add a call of `kit.output` where there is none; return the name of the port."""
    calls = [(item, node) for item in code for node in ast.walk(item.tree) if isinstance(node, ast.Call)]
    outputs = [(item, port_name) for item, call in calls if _called(call) == "kit.output" and (port_name := _port(call))]
    if len(outputs) > 1:
        raise NotebookError(f"calls kit.output {len(outputs)} times; keep one: a notebook makes one port", path)
    if outputs and frame is not None:
        raise NotebookError("calls kit.output itself; leave --frame out", path)
    named = outputs[0][1].value if outputs and isinstance(outputs[0][1], ast.Constant) else None
    made = str(port or named or path.stem.lower().replace("-", "_"))
    if not IDENTIFIER.fullmatch(made):
        raise NotebookError(f"'{made}' cannot name a port; choose a name with --port", path)
    for item, name in outputs:
        item.replace(name, json.dumps(made))
    if not outputs:
        imported = any(isinstance(node, ast.Import) and _imports_kit(node) for item in code for node in item.tree.body)
        head = "" if imported else "import kit\n\n"
        if frame is None:
            _output_last_value(path, code, made, head)
        else:
            _output_frame(path, notebook, code, f'{head}kit.output("{made}", {frame})', frame)
    return made


def _output_last_value(path: Path, code: list[_EditedCell], port: str, head: str) -> None:
    """Output the value of the last expression of the last cell."""
    item = next((item for item in reversed(code) if item.source.strip()), None)
    last = item.tree.body[-1] if item and item.tree.body else None
    text = ast.get_source_segment(item.source, last.value) if item and isinstance(last, ast.Expr) else None
    is_timed = item and last and last.lineno in (row for row, _ in item.parsed.magics)
    if not item or not isinstance(last, ast.Expr) or not text or is_timed:
        names = ", ".join(_names(code)[:_MOST_NAMED])
        hint = f", or choose one of its last values with --frame: {names}" if names else ""
        raise NotebookError(f'does not end in a table; write kit.output("{port}", frame) as its last line{hint}', path)
    item.replace(last.value, f'kit.output("{port}", {text})')
    magic, line, rest = item.source.partition("\n") if item.source.startswith("%%") else ("", "", item.source)
    item.source = f"{magic}{line}{head}{rest}"


def _output_frame(path: Path, notebook: dict[str, Any], code: list[_EditedCell], source: str, frame: str) -> None:
    """Output a frame by its name, in a cell of its own."""
    names = _names(code)
    if frame not in names:
        last = ", ".join(names[:_MOST_NAMED]) or "none"
        raise NotebookError(f"assigns nothing to '{frame}'; its last values are: {last}", path)
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
    if notebook.get("nbformat_minor", 0) >= 5:
        cell["id"] = "output"
    notebook["cells"].append(cell)


def _port(output: ast.Call) -> ast.expr | None:
    """The argument of `kit.output` that names the port."""
    return next(iter([*output.args[:1], *(item.value for item in output.keywords if item.arg == "port")]), None)


def _called(node: ast.AST) -> str:
    """The name of a called function, `kit.read` for `kit.read(…)`; empty for any other node."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _imports_kit(node: ast.Import) -> bool:
    return any(alias.name == "kit" and alias.asname is None for alias in node.names)


def _names(code: list[_EditedCell]) -> list[str]:
    """The names assigned at the top level of cells, the latest first."""
    names: list[str] = []
    for item in reversed(code):
        names += [query.out for query in item.parsed.queries if query.out]
        assignments = [node for node in reversed(item.tree.body) if isinstance(node, ast.Assign)]
        names += [target.id for node in assignments for target in node.targets if isinstance(target, ast.Name)]
    return list(dict.fromkeys(names))


def _tag_parameters(code: list[_EditedCell]) -> None:
    """Tag the first cell of plain values only, unless a cell is tagged, and annotate its names with their types."""
    if any("parameters" in ((item.cell.get("metadata") or {}).get("tags") or ()) for item in code):
        return
    for item in code:
        values = [(statement, plain_value(statement)) for statement in item.tree.body]
        if values and all(plain and _PARAMETER.fullmatch(plain[0].id) for _, plain in values):
            for statement, plain in reversed(values):
                kind = type(plain[1]).__name__ if plain else ""
                if plain and kind in TYPES and isinstance(statement, ast.Assign):
                    item.replace(plain[0], f"{plain[0].id}: {kind}")
            item.cell["metadata"] = {**(item.cell.get("metadata") or {}), "tags": ["parameters"]}
            return
