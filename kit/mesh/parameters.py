"""Parameters of a notebook: names, types, defaults and comments in its cell tagged `parameters`."""

import ast
import contextlib
import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import InvalidFile, NotebookError, Secrets, mappings, read_json

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int, "float": (int, float), "str": str, "bool": bool, "list": list, "dict": dict,
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A parameter that a notebook declares in its cell tagged `parameters`; `help` is the comment on its line."""

    name: str
    type: str
    default: Any
    help: str

    def __str__(self) -> str:
        about = f" ({self.help})" if self.help else ""
        return f"{self.name}: {self.type} = {self.default!r}{about}"

    def to_json(self) -> dict[str, Any]:
        """The parameter as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Assignment:
    """An assignment in a cell; `annotation` and `comment` are empty where there is none."""

    name: str
    value: ast.expr
    annotation: str
    comment: str


def parameters(path: Path) -> dict[str, Parameter]:
    """Return the declared parameters of a notebook by name; raises `NotebookError` for a notebook that cannot be read.

    The type of a parameter is its annotation or, without one, the type of its default value.
    """
    try:
        notebook = read_json(path)
    except InvalidFile as error:
        raise NotebookError(f"not a notebook that can be read: {error}", path) from None
    cells = mappings(notebook.get("cells") if isinstance(notebook, dict) else None)
    try:
        declared = list(assignments(next(tagged(cells, "parameters"), "")))
    except SyntaxError as error:
        raise NotebookError(f"its cell tagged `parameters` is not Python: {error.msg}", path) from None
    result = {}
    for item in declared:
        try:
            default = ast.literal_eval(item.value)
        except (ValueError, TypeError):
            raise NotebookError(
                f"the default of parameter '{item.name}' is {ast.unparse(item.value)}; write a plain value", path
            ) from None
        kind = item.annotation if item.annotation in TYPES else type(default).__name__
        result[item.name] = Parameter(item.name, kind, default, item.comment)
    return result


def tagged(cells: list[dict[str, Any]], tag: str) -> Iterator[str]:
    """Yield the source of the cells with a tag."""
    for cell in cells:
        if tag in (cell.get("metadata") or {}).get("tags", ()):
            yield "".join(cell.get("source", ""))


def assignments(source: str) -> Iterator[Assignment]:
    """Yield the assignments of a cell in order; raises `SyntaxError` for a cell that is not Python.

    Statements other than assignments of one value to one name are left out.
    """
    plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    body = ast.parse(plain).body
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(plain).readline)
        if token.type == tokenize.COMMENT
    }
    for statement in body:
        assigned = assigned_value(statement)
        if assigned is None:
            continue
        annotation = ast.unparse(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""
        comment = comments.get(statement.end_lineno or statement.lineno, "")
        yield Assignment(assigned[0].id, assigned[1], annotation.strip("'\""), comment)


def assigned_value(statement: ast.stmt) -> tuple[ast.Name, ast.expr] | None:
    """Return the name and the value of a statement that assigns one value to one name; None for any other statement."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return None
    return (target, value) if isinstance(target, ast.Name) else None


def plain_value(statement: ast.stmt) -> tuple[ast.Name, Any] | None:
    """Return the name and the value of an assignment whose value is written out: a constant, or a list or dict of them."""
    assigned = assigned_value(statement)
    try:
        return (assigned[0], ast.literal_eval(assigned[1])) if assigned else None
    except (ValueError, TypeError):
        return None


def check_parameters(path: Path, declared: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with texts converted to the declared types; raises `NotebookError` for a wrong one."""
    checked = {}
    for name, value in values.items():
        if name not in declared or not _NAME.fullmatch(name):
            allowed = ", ".join(f"{p.name}: {p.type}" for p in declared.values()) or "none"
            raise NotebookError(f"has no parameter '{name}'; there are: {allowed}", path)
        checked[name] = _value(path, declared[name], value)
    return checked


def check_given_parameters(path: Path, given: Mapping[str, Any], secrets: Secrets) -> None:
    """Raise `NotebookError` for parameters that a build of the notebook would refuse, or would convert to another type."""
    refuse_secrets(f"the notebook {path.name}", given, secrets)
    declared = parameters(path)
    for name, value in check_parameters(path, declared, given).items():
        if type(value) is not type(given[name]):
            raise _wrong_type(path, declared[name], given[name])


def refuse_secrets(owner: str, given: Mapping[str, Any], secrets: Secrets) -> None:
    """Raise `NotebookError` for a value with a secret, since records, fingerprints and executed copies contain parameters."""
    for name, value in given.items():
        if secret := secrets.found_in(value):
            raise NotebookError(
                f"the parameter '{name}' of {owner} holds the secret {secret}, and parameters are recorded; "
                f"leave it out and write os.environ['{secret}'] in the notebook"
            )


def _value(path: Path, parameter: Parameter, value: Any) -> Any:
    kind = parameter.type
    if isinstance(value, str) and kind != "str":
        with contextlib.suppress(ValueError):
            value = json.loads(value.lower() if kind == "bool" else value)
    allowed = TYPES.get(kind, object)
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind != "bool"):
        raise _wrong_type(path, parameter, value)
    return value


def _wrong_type(path: Path, parameter: Parameter, value: Any) -> NotebookError:
    return NotebookError(f"the parameter '{parameter.name}' is {value!r}; it must be of type {parameter.type}", path)
