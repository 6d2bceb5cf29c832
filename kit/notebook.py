"""Executing an asset notebook with papermill: parameters checked first, nothing taken on trust afterwards."""

import ast
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import NotebookError
from kit.files import short

KERNEL = "python3"
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int, "float": (int, float), "str": str, "bool": bool, "list": list, "dict": dict,
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A parameter a notebook declares in its cell tagged `parameters`."""

    name: str
    type: str
    default: Any
    help: str


@dataclass(frozen=True)
class Limits:
    """What an execution may use: seconds per cell, megabytes of kept output."""

    cell_timeout_seconds: int
    output_mb: int


def parameters(path: Path) -> dict[str, Parameter]:
    """The declared parameters of a notebook by name; raises `NotebookError` for one that cannot be read.

    A parameter's type is its annotation or, without one, that of its default value.
    """
    import papermill

    try:
        found = papermill.inspect_notebook(_escaped(path))
    except Exception as error:
        raise NotebookError(f"{short(path)}: not a notebook that can be read: {_line(error)}") from None
    result = {}
    for name, item in found.items():
        try:
            default = ast.literal_eval(item["default"])
        except (ValueError, SyntaxError):
            raise NotebookError(
                f"{short(path)}: the default of parameter '{name}' is {item['default']}; write a plain value"
            ) from None
        kind = item["inferred_type_name"]
        result[name] = Parameter(name, kind if kind in TYPES else type(default).__name__, default, item["help"])
    return result


def check_parameters(path: Path, declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, text turned into the declared types; raises `NotebookError` before any kernel starts."""
    checked = {}
    for name, value in given.items():
        if name not in declared or not _NAME.fullmatch(name):
            allowed = ", ".join(f"{p.name}: {p.type}" for p in declared.values()) or "none"
            raise NotebookError(f"{short(path)}: has no parameter '{name}'; there are: {allowed}")
        checked[name] = _value(path, declared[name], value)
    return checked


def _value(path: Path, parameter: Parameter, value: Any) -> Any:
    kind = parameter.type
    if isinstance(value, str) and kind != "str":
        with contextlib.suppress(ValueError):
            value = json.loads(value.lower() if kind == "bool" else value)
    allowed = TYPES.get(kind, object)
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind != "bool"):
        raise NotebookError(f"{short(path)}: the parameter '{parameter.name}' is {value!r}; it must be of type {kind}")
    return value


def execute(path: Path, executed: Path, given: Mapping[str, Any], limits: Limits, environment: Mapping[str, str]) -> None:
    """Run a notebook in a fresh kernel of this very Python and keep the executed copy at `executed`, also on failure.

    `given` must have passed `check_parameters`. `environment` is added to the kernel's. Raises `NotebookError` when a
    cell fails, exceeds its time, leaves the kernel dead, or when not every code cell was run.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from kit import kernel

    kernel.register()
    executed.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = papermill.execute_notebook(
            _escaped(path), _escaped(executed), parameters=dict(given), engine_name=kernel.ENGINE, kernel_name=KERNEL,
            language="python", progress_bar=False, store_widget_state=False, cell_timeout=limits.cell_timeout_seconds,
            output_limit=limits.output_mb * 1_000_000, environment=dict(environment), folder=str(path.parent),
            log=str(executed.with_suffix('.log')),
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise NotebookError(f"{short(path)}: cell {error.exec_count} failed: {error.ename}: {_line(error.evalue)}") from None
    except CellTimeoutError:
        raise NotebookError(
            f"{short(path)}: a cell ran longer than {limits.cell_timeout_seconds} s and was stopped; "
            "raise cell_timeout_seconds in [tool.kit] if it needs more"
        ) from None
    except DeadKernelError:
        raise NotebookError(f"{short(path)}: the kernel died, as it does when memory runs out") from None
    except nbformat.ValidationError as error:
        raise NotebookError(f"{short(path)}: not a valid notebook: {_line(error)}") from None
    left = sum(1 for cell in done.cells if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count)
    if left:
        raise NotebookError(f"{short(path)}: stopped before its end, {left} cells were not run; do not call exit() in it")


def _escaped(path: Path) -> str:
    """The path as papermill takes it, which formats braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _line(error: object) -> str:
    return " ".join(str(error).split())[:500]
