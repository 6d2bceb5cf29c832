"""Values that are constant in the code of Python: literals, and names that a module binds once to one. No code is run."""

import ast
from collections.abc import Mapping
from typing import Any

COMPUTED = object()
"""The value of an expression that is known only when the code runs."""


def constants(module: ast.Module) -> dict[str, Any]:
    """Return the values of the names that a module assigns once, to a constant; `COMPUTED` for one that it assigns twice."""
    values: dict[str, Any] = {}
    for node in (node for node in module.body if isinstance(node, ast.Assign)):
        for target in node.targets:
            if isinstance(target, ast.Name):
                values[target.id] = COMPUTED if target.id in values else constant(node.value, values)
    return values


def constant(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression, in which `names` have these values; `COMPUTED` when it is not constant."""
    if isinstance(node, ast.Name):
        return names.get(node.id, COMPUTED)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return COMPUTED
