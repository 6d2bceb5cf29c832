"""Problems of a notebook in the repository, found without executing it."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from kit.contracts import Finding
from kit.core import KitError, NotebookError, SqlError, read_json
from kit.mesh import assigned_value, parameters, plain_value
from kit.notebooks.cells import check_language, code_cells, parsed
from kit.notebooks.executor import KERNEL
from kit.notebooks.requirements import Declared

_TAG = "parameters"
_INJECTED = "injected-parameters"
_RECORDS = (
    ("widgets", "holds the state of widgets, with the values they show",
     "delete it before you commit: `nbstripout --keep-id`, or save without it (Settings, Save Widget State Automatically)"),
    ("papermill", "holds the record of a run, with its parameters and paths", "take the notebook it was executed from"),
)  # fmt: skip
"""Metadata of a notebook that programs write when it runs: key, message, fix."""
_OPTIONAL = {"ImportError", "ModuleNotFoundError", "Exception"}
_ABSOLUTE = re.compile(
    r"(?:file://)?(?:/(?:home|Users|root|tmp|var|mnt|media|opt|srv|usr|etc|data|workspaces?|content|Volumes)/|~/|[A-Za-z]:[\\/])"
    r"[^\s'\"]*"
)


def notebooks(folder: Path) -> list[Path]:
    """Return the notebooks in a folder and below, without those in hidden folders, such as the checkpoints of JupyterLab."""
    return sorted(
        path for path in folder.rglob("*.ipynb") if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def check_notebook(product: str, path: Path, port: str | None = None, declared: Declared | None = None) -> Iterator[Finding]:
    """Find what must be put right before a notebook is committed.

    A notebook that makes a `port` must also call `kit.output` for it, tag its parameters and import packages that are
    `declared` only; the check of its reads names cells that are no Python, and another language.
    """
    try:
        data = read_json(path)
        check_language(data, path)
        kernel = data["metadata"]["kernelspec"]["name"]
        cells = [(number, cell, "".join(cell["source"])) for number, cell in enumerate(data["cells"], 1)]
        code = [(number, cell, source) for number, cell, source in cells if cell["cell_type"] == "code"]
    except KitError as error:
        if port is None or not isinstance(error, NotebookError):
            yield Finding.from_error(product, error)
        return
    except (KeyError, TypeError, AttributeError):
        yield Finding(product, path, None, "not a notebook with cells and a kernel", "save it from JupyterLab")
        return
    if kernel != KERNEL:
        yield Finding(product, path, None, f"its kernel is '{kernel}'", f"notebooks use '{KERNEL}'")
    if full := [number for number, cell, _ in code if cell.get("outputs") or cell.get("execution_count")]:
        fix = "clear them before you commit (Edit, Clear Outputs of All Cells)"
        yield Finding(product, path, None, f"{_cells(full)} hold{'s' * (len(full) == 1)} outputs", fix)
    for key, message, fix in _RECORDS:
        if data["metadata"].get(key):
            yield Finding(product, path, None, message, fix)
    trees = {number: tree for number, _, source in code if (tree := _tree(number, source)) is not None}
    tags = {number: cell.get("metadata", {}).get("tags", ()) for number, cell, _ in cells}
    for message, fix in _parameters(path, tags, trees, port):
        yield Finding(product, path, None, message, fix)
    if port and not re.search(rf"""output\(\s*["']{port}["']""", "\n".join(source for _, _, source in code)):
        yield Finding(product, path, None, f'never calls kit.output("{port}", frame)')
    for number, tree in trees.items():
        for line, message, fix in (*_imports(tree, path.parent, declared if port else None), *_paths(tree)):
            yield Finding(product, path, line, message, fix, cell=number)


def _tree(number: int, source: str) -> ast.Module | None:
    try:
        return parsed(number, source).tree
    except (SyntaxError, ValueError, RecursionError, SqlError):
        return None


def _parameters(
    path: Path, tags: Mapping[int, Iterable[str]], trees: Mapping[int, ast.Module], port: str | None
) -> Iterator[tuple[str, str]]:
    if injected := [number for number, names in tags.items() if _INJECTED in names]:
        yield f"{_cells(injected)} was put in by a run", "delete it, or take the notebook it was executed from"
    tagged = [number for number, names in tags.items() if _TAG in names]
    if len(tagged) > 1:
        yield f"{_cells(tagged)} are tagged `{_TAG}`", "keep the tag on one of them"
    for number in tagged:
        if number not in trees:
            yield f"cell {number} is tagged `{_TAG}`, but is no Python", "tag the cell that assigns them"
            continue
        for line in trees[number].body:
            if isinstance(line, ast.Assign | ast.AnnAssign | ast.AugAssign) and not assigned_value(line):
                yield f"`{ast.unparse(line)}` in cell {number} sets no parameter", "write one `name: type = value` a line"
    if tagged and trees.keys() >= set(tagged):
        try:
            parameters(path)
        except NotebookError as error:
            yield error.problem, ""
    if port and not tagged:
        for number, tree in trees.items():
            if all(map(plain_value, tree.body)) and any(isinstance(line, ast.AnnAssign) for line in tree.body):
                yield f"cell {number} looks like parameters", f"tag it `{_TAG}`, so that a run can set them"


def check_module(product: str, path: Path, declared: Declared) -> Iterator[Finding]:
    """Find imports of packages that are not installed or not declared in `ingest.py` or in a module beside notebooks."""
    for line, message, fix in _imports(_module(path), path.parent, declared):
        yield Finding(product, path, line, message, fix)


def imports_packages(path: Path) -> bool:
    """Return whether a module imports anything but the standard library and the kit; False when there is none."""
    return any(_top_level(node).keys() - sys.stdlib_module_names - {"kit"} for node in ast.walk(_module(path)))


def _module(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # a build names it
        return ast.Module([], [])


def missing_packages(path: Path) -> Iterator[Finding]:
    """Find the imports of packages that are not installed, which make a run of the notebook fail."""
    for cell in code_cells(path):
        for line, message, fix in _imports(cell.tree, path.parent):
            yield Finding("", path, line, message, fix, cell=cell.number)


def _imports(tree: ast.Module, beside: Path, declared: Declared | None = None) -> Iterator[tuple[int, str, str]]:
    optional = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any(_catches(handler) for handler in node.handlers)
        for part in node.body
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        if id(node) in optional:
            continue
        for module in _top_level(node):
            if (beside / f"{module}.py").is_file() or (beside / module).is_dir():
                continue
            if not _is_installed(module):
                fix = f"run `pip install {module}` and add it to pyproject.toml"
                yield getattr(node, "lineno", 1), f"imports '{module}', which is not installed", fix
            elif declared and (package := declared.missing(module)):
                message = f"imports '{module}', which pyproject.toml does not declare"
                yield getattr(node, "lineno", 1), message, f"add '{package}' to its dependencies"


def _top_level(node: ast.AST) -> dict[str, None]:
    """Return the top-level modules that a node imports, in their order."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
    return dict.fromkeys(name.partition(".")[0] for name in names)


def _catches(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or any(isinstance(n, ast.Name) and n.id in _OPTIONAL for n in ast.walk(handler.type))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None  # a name without dots is found without an import
    except ValueError:
        return True


def _paths(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in prose:
            continue
        if isinstance(node.value, str) and (path := _ABSOLUTE.match(node.value)):
            fix = "name it from the notebook's folder, or take a parameter"
            yield node.lineno, f"names '{path[0]}', a place on one machine", fix


def _cells(numbers: list[int]) -> str:
    return f"cell{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
