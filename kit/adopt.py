"""An ordinary notebook turned into an asset notebook: what it reads, what it makes, its parameters."""

import ast
import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.cells import parsed
from kit.errors import NotebookError, SqlError
from kit.files import IDENTIFIER, read_json, short, to_json
from kit.notebook import KERNEL
from kit.reach import reach

_PORT = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_READS = ("read", "scan")


@dataclass(frozen=True)
class Adopted:
    """The notebook as it goes into the domain, the port it makes and the ports it reads."""

    text: str
    port: str
    reads: tuple[str, ...]


def adopt(path: Path, port: str | None = None) -> Adopted:
    """Turn the notebook at `path` into one that makes a port; the file itself stays as it is.

    Its reads through `kit.read` become those of declared inputs, outputs are cleared, and a cell of plain values is tagged
    `parameters` when none is. It hands over the port named in its `kit.output`, or else what its last cell ends in, as
    `port` (without one, by the name of the file). Raises `NotebookError` in one sentence for what cannot be told.
    """
    notebook = _read(path)
    cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    sources = ["".join(cell.get("source", "")) for cell in cells]
    reads: dict[str, None] = {}
    outputs: list[tuple[int, ast.Constant]] = []
    for number, source in enumerate(sources):
        for call in _calls(_tree(path, number, source)):
            name, first = _name(call), call.args[0] if call.args else None
            if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
                if name in _READS and _is_kits(call):
                    raise NotebookError(
                        f'{short(path)}: code cell {number + 1} works out what to read; write kit.{name}("product.port")'
                    )
                continue
            if name in _READS and _PORT.fullmatch(first.value):
                if len(call.args) + len(call.keywords) > 1:
                    raise NotebookError(f"{short(path)}: reads '{first.value}' with options; write kit.{name}('{first.value}')")
                reads[first.value] = None
            elif name == "output":
                outputs.append((number, first))
        reads |= dict.fromkeys(_asked(path, number, source))
    if len(outputs) > 1:
        raise NotebookError(f"{short(path)}: calls kit.output {len(outputs)} times; a notebook makes one port, so keep one")
    made = port or (str(outputs[0][1].value) if outputs else path.stem.lower().replace("-", "_"))
    if not IDENTIFIER.fullmatch(made):
        raise NotebookError(f"{short(path)}: '{made}' cannot name a port; say how it is called with --port")
    if outputs:
        number, constant = outputs[0]
        sources[number] = _replaced(sources[number], constant, json.dumps(made))
    else:
        _hand_over(path, notebook, sources, made)
    for cell, source in zip(cells, sources, strict=True):
        cell |= {"source": _declared_reads(source).splitlines(keepends=True), "outputs": [], "execution_count": None}
    _tag_parameters(path, cells)
    notebook["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL}}
    return Adopted(to_json(notebook), made, tuple(reads))


def variable(port: str, taken: tuple[str, ...]) -> str:
    """A Python name for the table of a port; none of those `taken`."""
    name = port.partition(".")[2]
    return port.replace(".", "_") if keyword.iskeyword(name) or name in taken else name


def _read(path: Path) -> dict[str, Any]:
    notebook: Any = read_json(path)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells) or notebook.get("nbformat") != 4:
        raise NotebookError(f"{short(path)}: not a notebook of format 4; save it from JupyterLab")
    language = (notebook.get("metadata") or {}).get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise NotebookError(f"{short(path)}: its language is {language}; asset notebooks are Python")
    found: dict[str, Any] = notebook
    return found


def _tree(path: Path, number: int, source: str) -> ast.Module:
    """A cell as Python; lines that only IPython knows count as empty."""
    lines = [re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in source.splitlines()]
    if source.lstrip().startswith("%%"):
        lines = []
    try:
        return ast.parse("\n".join(re.sub(r"=\s*%sql\b.*", "= sql()", line) for line in lines))
    except SyntaxError as error:
        raise NotebookError(f"{short(path)}: code cell {number + 1} is not Python: {error.msg}") from None


def _asked(path: Path, number: int, source: str) -> Iterator[str]:
    """The ports that the SQL of a cell names."""
    try:
        queries = parsed(number, source).queries
    except SqlError as error:
        raise NotebookError(f"{short(path)}: code cell {number + 1}: {error}") from None
    for query in queries:
        yield from filter(_PORT.fullmatch, map(str.lower, reach(query.query).tables))


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return iter(sorted(found, key=lambda call: (call.lineno, call.col_offset)))


def _is_kits(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id == "kit"


def _name(call: ast.Call) -> str:
    """The last part of what is called: `read` for `kit.read(…)`."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _replaced(source: str, node: ast.expr, text: str) -> str:
    """A source with the text of one node exchanged; positions in a line are bytes."""
    lines = source.splitlines(keepends=True)
    assert node.end_lineno is not None and node.end_col_offset is not None
    first, last = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
    middle = first[: node.col_offset] + text.encode() + last[node.end_col_offset :]
    lines[node.lineno - 1 : node.end_lineno] = [middle.decode()]
    return "".join(lines)


def _declared_reads(source: str) -> str:
    """`kit.read("a.b")` reads what is current; in a build only `kit.inputs().read("a.b")`, what was pinned, is allowed."""
    return re.sub(rf"\bkit\.({'|'.join(_READS)})\(", r"kit.inputs().\1(", source)


def _hand_over(path: Path, notebook: dict[str, Any], sources: list[str], port: str) -> None:
    """Let the notebook hand over what its last cell ends in."""
    number = next((i for i in reversed(range(len(sources))) if sources[i].strip()), None)
    last = _tree(path, number, sources[number]).body[-1:] if number is not None else []
    if number is None or not last or not isinstance(last[0], ast.Expr):
        raise NotebookError(f'{short(path)}: does not end in a table; write kit.output("{port}", frame) as its last line')
    table = ast.get_source_segment(sources[number], last[0].value)
    imported = "" if any(re.search(r"^import kit\b", source, re.MULTILINE) for source in sources) else "import kit\n\n"
    sources[number] = imported + _replaced(sources[number], last[0].value, f"kit.output({json.dumps(port)}, {table})")


def _tag_parameters(path: Path, cells: list[dict[str, Any]]) -> None:
    """Tag the first cell that is nothing but names given plain values, unless a cell is tagged."""
    if any("parameters" in (cell.get("metadata") or {}).get("tags", ()) for cell in cells):
        return
    for number, cell in enumerate(cells):
        body = _tree(path, number, "".join(cell["source"])).body
        if body and all(map(_is_plain, body)):
            cell["metadata"] = {**(cell.get("metadata") or {}), "tags": ["parameters"]}
            return


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement gives one name a plain value."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return False
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        return False
    try:
        ast.literal_eval(statement.value) if statement.value else None
    except ValueError:
        return False
    return statement.value is not None
