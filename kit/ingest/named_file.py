"""Sources of which the code of `ingest.py` itself names the file, so that no process has to be started to ask for it."""

import ast
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kit.core import IngestError, constant, constants
from kit.ingest.package_data import package_file

_IMPORTED = {"pathlib": {"Path"}, "kit.ingest": {"package_file"}}
_FILE = "__file__"


class NamedFiles:
    """The files that functions of an `ingest.py` return whatever happens: constant paths, and files of packages.

    Nothing is known of a file that does anything when it is imported but to define functions and constants.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()
        self._functions: dict[str, ast.FunctionDef] = {}
        self._constants: dict[str, Any] = {}
        try:
            module = ast.parse((folder / "ingest.py").read_bytes())
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                compile(module, "ingest.py", "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, RecursionError):
            return
        self._constants = constants(module)
        self._names, others = _imported(module.body), list(_defined(module.body))
        inert = all(_is_inert(node, self._names | {"str"}) for node in module.body)
        once = len(others) == len(set(others)) and not {*self._names, _FILE}.intersection(others)
        if inert and once and not any(isinstance(node, ast.Global) for node in ast.walk(module)):
            self._functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}

    def find(self, source: str) -> str | None:
        """Return the path that the function of a source returns; None where that is known only when it is called."""
        function = self._functions.get(source)
        match function and [node for node in function.body if not _is_text(node)]:
            case [ast.Return(value=ast.expr() as value)] if function and not _arguments(function):
                try:
                    path = self._value(value)
                except (IngestError, OSError, ValueError):  # the call has the same error, and the words for it
                    return None
                return str(path) if path else None
        return None

    def _value(self, node: ast.expr) -> Path | str | None:
        if isinstance(text := constant(node, self._constants), str):
            return text
        match node:
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                base, part = self._value(left), constant(right, self._constants)
                return base / part if isinstance(base, Path) and isinstance(part, str) else None
            case ast.Attribute(value=ast.Call(func=ast.Name(name), args=[ast.Name(file)], keywords=[]), attr="parent"):
                return self._folder if name in self._names and (name, file) == ("Path", _FILE) else None
            case ast.Call(func=ast.Name(name), args=[*arguments], keywords=[]) if name in self._names:
                match name, [constant(item, self._constants) for item in arguments]:
                    case "Path", [str(path)]:
                        return Path(path)
                    case "package_file", [str(package), str(path)] if self._is_plain(package):
                        return package_file(package, path)
        return None

    def _is_plain(self, package: str) -> bool:
        """Whether a package is looked up without running code of it, and in no folder from which only `ingest.py` imports."""
        places = (self._folder, Path.cwd())
        return package.isidentifier() and not any(
            (place / f"{package}{end}").exists() for place in places for end in ("", ".py")
        )


def _imported(body: Iterable[ast.stmt]) -> set[str]:
    return {name.name for node in body if isinstance(node, ast.ImportFrom) for name in node.names}


def _defined(body: Iterable[ast.stmt]) -> Iterable[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _is_inert(node: ast.stmt, known: set[str]) -> bool:
    """Whether a statement of a module cannot fail, and does nothing but bind names."""
    match node:
        case ast.ImportFrom(module=str(module), level=0):
            return all(name.name in _IMPORTED.get(module, ()) and name.asname is None for name in node.names)
        case ast.Assign(targets=[ast.Name()], value=ast.Constant()):
            return True
        case ast.FunctionDef(decorator_list=[]):
            annotations = [node.returns, *(argument.annotation for argument in _arguments(node))]
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            names = [item.id for item in annotations if isinstance(item, ast.Name)]
            rest = [item for item in [*annotations, *defaults] if not isinstance(item, ast.Name | ast.Constant | None)]
            return not rest and known.issuperset(names) and not any(isinstance(item, ast.Name) for item in defaults)
    return _is_text(node)


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
