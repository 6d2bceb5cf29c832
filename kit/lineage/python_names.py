"""The values of names and expressions in Python code that is not run: modules, functions and constant texts."""

import ast
from collections.abc import Iterator, Sequence, Set

ANY = "\0"
"""Stands for each part of a text that is not constant."""

IMPORTERS = {"importlib.import_module", "__import__"}
"""Functions that import a module by the text they are given."""

_HERE = {"Path()", "Path.cwd()", "os.getcwd()", "os.path.dirname(__file__)", "Path(__file__).parent",
         "Path(__file__).resolve().parent", "pathlib.Path.cwd()", "pathlib.Path(__file__).parent"}  # fmt: skip
"""Expressions for the folder of the code itself."""


class NameTable:
    """The names bound so far, each with the dotted path or the text it is bound to.

    `results` maps functions to the name of their result, and `builtins` are names that need no import.
    """

    def __init__(self, results: dict[str, str], builtins: Set[str]) -> None:
        self._results = results
        self._builtins = builtins
        self._paths: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def bind(self, node: ast.AST) -> None:
        """Add the names that a statement binds; a text assigned twice with different values is not constant."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                self._paths[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                self._paths[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, path, text = node.targets[0].id, self.path(node.value), self.text(node.value)
            if path:
                self._paths[name] = path
            if text is not None:
                self._texts[name] = text if self._texts.get(name, text) == text else ANY

    def path(self, node: ast.AST) -> str:
        """The dotted path of an expression, such as `kit.inputs().read`; empty when it is not known."""
        if isinstance(node, ast.Name):
            return self._paths.get(node.id, node.id if node.id in self._builtins else "")
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Call):
            function = self.path(node.func)
            arguments = [self.text(argument) for argument in node.args]
            if function in IMPORTERS and arguments and arguments[0]:
                return arguments[0]
            if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(arguments) > 1 and arguments[1]:
                base = self.path(node.args[0])
                return f"{base}.{arguments[1]}" if base else ""
            if function.startswith("kit.scan()"):
                return "kit.scan()"  # each step of a lazy frame is one
            return self._results.get(function, "")
        if isinstance(node, ast.Subscript) and self.path(node.value) == "kit.inputs().parquet()":
            return "kit.inputs().parquet()"
        if isinstance(node, ast.Subscript) and self.path(node.value) == "kit.open()":
            return f"kit.open()[{self.text(node.slice) or ANY}]"
        return ""

    def text(self, node: ast.AST) -> str | None:
        """The text of an expression, with `ANY` for each part that is not constant; None when no part is."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Attribute | ast.Call) and ast.unparse(node) in _HERE:
            return "."
        if isinstance(node, ast.Name):
            return self._texts.get(node.id)
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
            return "".join(self.text(part) or ANY for part in parts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Div):
            left, right = self.text(node.left), self.text(node.right)
            if left is not None or right is not None:
                return f"{left or ANY}{'/' if isinstance(node.op, ast.Div) else ''}{right or ANY}"
        if isinstance(node, ast.Call) and self.path(node.func) == "pathlib.Path" and node.args:
            return self._joined(node.args)
        if isinstance(node, ast.Call) and self.path(node.func) == "os.path.join" and node.args:
            return self._joined(node.args)
        return None

    def _joined(self, parts: Sequence[ast.expr]) -> str | None:
        texts = [self.text(part) for part in parts]
        return None if not any(texts) else "/".join(text or ANY for text in texts)


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The dotted names that a statement imports; none of a relative import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
