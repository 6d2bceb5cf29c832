"""Faces of packages whose names are imported when they are first used."""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_face(package: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package: a name that its `__init__.py` imports for type checkers only is imported then.

    See https://peps.python.org/pep-0562/. A name that is also that of a module of the package is imported at once instead:
    the import of the module would replace it.
    """

    def get(name: str) -> Any:
        if name not in (origins := _origins(package)):
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        module, original = origins[name]
        found = import_module(f"{package}.{name}") if module == package else getattr(import_module(module), original)
        setattr(sys.modules[package], name, found)
        return found

    return get


@cache
def _origins(package: str) -> dict[str, tuple[str, str]]:
    """The module and the name there of each name below `if TYPE_CHECKING` in the file of a package."""
    import ast  # `kit run` looks for a worker without it

    body = ast.parse(Path(str(sys.modules[package].__file__)).read_bytes()).body
    nodes = [node for block in body if isinstance(block, ast.If) for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in nodes for alias in node.names}
