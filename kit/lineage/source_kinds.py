"""The connectors that the sources of a product are read by, as its `ingest.py` declares them. No code is run."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.core import COMPUTED, KitError, constant, constants, read_text
from kit.lineage.python_names import NameTable

_CONNECTOR = re.compile(r"kit\.ingest\.connectors\.(\w+)")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_BINDS_NAMES = ("globals", "locals", "vars", "setattr", "exec", "sys")
"""What code can bind names with that it does not write as such."""


@dataclass(frozen=True)
class SourceCall:
    """How a source is read: the `kind` of its connector with the arguments in the code, or `python` when it yields rows.

    An argument that is not constant is `COMPUTED`, and with `*` or `**` the arguments are not complete. `lines` are those of
    the arguments with a name, `line` that of the call, or of the function that yields; `has_state` when that takes a state.
    """

    kind: str
    line: int
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    is_complete: bool = True
    has_state: bool = False

    @property
    def first(self) -> str:
        """The first argument where it is a text in the code, else empty."""
        value = next(iter((*self.positional, *self.named.values())), "")
        return value if isinstance(value, str) else ""

    @property
    def is_constant(self) -> bool:
        """Whether all arguments are known."""
        return self.is_complete and not any(value is COMPUTED for value in (*self.positional, *self.named.values()))


def source_kinds(folder: Path) -> dict[str, str]:
    """Return the kind of each source whose function returns a connector of the kit, `python` where it yields rows."""
    return {name: call.kind for name, call in source_calls(folder).items()}


def source_calls(folder: Path) -> dict[str, SourceCall]:
    """Return how each such source is read.

    Other sources are left out, and all of them when the file cannot be read: landing reports it.
    """
    tree = _parsed(folder)
    if tree is None:
        return {}
    names = NameTable({}, frozenset())
    for node in ast.walk(tree):
        names.bind(node)
    known = constants(tree)
    found = {node.name: _call(node, names, known) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name: call for name, call in found.items() if call}


def missing_functions(folder: Path, sources: Iterable[str]) -> list[str]:
    """Return the sources for which `ingest.py` has no function; none where that is known only when its code runs."""
    tree = _parsed(folder)
    bound: set[str] = set()
    for node in ast.walk(tree or ast.Module([], [])):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.Name(id=name):
                bound.update(("*",) if name in _BINDS_NAMES else ())
            case ast.alias(name=name, asname=other):
                bound.add(other or name.partition(".")[0])
    return [] if tree is None or "*" in bound else [source for source in sources if source not in bound]


def _parsed(folder: Path) -> ast.Module | None:
    """Return the code of `ingest.py`; None where it cannot be read, which landing reports."""
    path = folder / "ingest.py"
    try:
        return ast.parse(read_text(path)) if path.is_file() else ast.Module([], [])
    except (KitError, SyntaxError, ValueError):
        return None


def _call(function: ast.FunctionDef, names: NameTable, known: Mapping[str, Any]) -> SourceCall | None:
    own = list(_own_nodes(function))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
        parameters = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        return SourceCall("python", function.lineno, has_state="state" in parameters)
    for node in own:
        if isinstance(node, ast.Call) and (match := _CONNECTOR.fullmatch(names.path(node.func))):
            named = {keyword.arg: keyword for keyword in node.keywords if keyword.arg}
            return SourceCall(
                match[1],
                node.lineno,
                tuple(constant(value, known) for value in node.args if not isinstance(value, ast.Starred)),
                {name: constant(keyword.value, known) for name, keyword in named.items()},
                {name: keyword.lineno for name, keyword in named.items()},
                len(named) == len(node.keywords) and not any(isinstance(value, ast.Starred) for value in node.args),
            )
    return None


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions inside of it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTION):
            yield child
            yield from _own_nodes(child)
