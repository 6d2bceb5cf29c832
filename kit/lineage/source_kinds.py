"""The kinds of the connectors that the sources of a product are read by, as its `ingest.py` names them. No code is run."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kit.core import KitError, read_text
from kit.lineage.python_names import NameTable

_CONNECTOR = re.compile(r"kit\.ingest\.connectors\.(\w+)")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def source_kinds(folder: Path) -> dict[str, str]:
    """Return the kind of each source whose function returns a connector of the kit, `python` where it yields rows."""
    return {name: kind for name, (kind, _) in source_origins(folder).items()}


def source_origins(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the kind of each such source, and the first argument of its connector where that is a text in the code.

    Other sources are left out, and all of them when the file cannot be read: landing reports it.
    """
    path = folder / "ingest.py"
    try:
        tree = ast.parse(read_text(path)) if path.is_file() else ast.Module([], [])
    except (KitError, SyntaxError, ValueError):
        return {}
    names = NameTable({}, frozenset())
    for node in ast.walk(tree):
        names.bind(node)
    found = {function.name: _origin(function, names) for function in tree.body if isinstance(function, ast.FunctionDef)}
    return {name: origin for name, origin in found.items() if origin[0]}


def _origin(function: ast.FunctionDef, names: NameTable) -> tuple[str, str]:
    own = list(_own_nodes(function))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
        return "python", ""
    for node in own:
        if isinstance(node, ast.Call) and (match := _CONNECTOR.fullmatch(names.path(node.func))):
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            first = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else ""
            return match[1], first if isinstance(first, str) else ""
    return "", ""


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions inside of it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTION):
            yield child
            yield from _own_nodes(child)
