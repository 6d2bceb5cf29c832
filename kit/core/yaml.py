"""YAML read strictly: plain values only, with the line of every field."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from kit.core.errors import InvalidFile
from kit.core.files import read_text

MAX_DEPTH = 40
_DEEPEST = 1_000

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,38})")  # neither octal nor longer than any column type
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")

Where = Sequence[str | int]


@dataclass(frozen=True)
class Document:
    """The data of a YAML file with its text, for errors that name a line."""

    path: Path
    text: str
    data: dict[str, Any]

    def error(self, where: Where, problem: str) -> InvalidFile:
        """Return an `InvalidFile` for the field at `where` (keys and list positions from the top)."""
        line = _line(yaml.compose(self.text, Loader=_Loader), where)
        return InvalidFile(_printable(problem), self.path, line, _printable(".".join(map(str, where))))


def compose_yaml(text: str) -> Any:
    """Return the root node of any YAML text, with the places of all nodes.

    Raises `yaml.YAMLError`, and `RecursionError` for one that is nested so deeply that the loader in C would crash.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
    return yaml.compose(text, Loader=_Loader)


def read_yaml(path: Path) -> Document:
    """Read a file with `parse_yaml`; raises `InvalidFile`."""
    return parse_yaml(path, read_text(path))


def parse_yaml(path: Path, text: str) -> Document:
    """Parse the text of `path` as a YAML mapping, without the dangerous parts of YAML.

    Aliases, tags and duplicate keys are refused; dates, `yes`, `on` and `12:30` stay text; size and depth are limited.
    Raises `InvalidFile` with file, line and field.
    """

    def bad(mark: Any, problem: str) -> InvalidFile:
        return InvalidFile(problem, path, mark.line + 1 if mark else 1)

    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise bad(event.start_mark, "anchors and aliases (&, *) are not allowed; write the value out")
            if tag := getattr(event, "tag", None):
                raise bad(event.start_mark, f"the tag '{tag}' is not allowed; only plain values are")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise bad(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        parts = [getattr(error, name, None) for name in ("context", "problem")]
        problem = ", ".join(filter(None, parts)) or str(error).splitlines()[0]
        raise bad(getattr(error, "problem_mark", None), f"not valid YAML: {problem}") from None

    def convert(node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                if not isinstance(key_node, yaml.ScalarNode):
                    raise bad(key_node.start_mark, "a key must be plain text")
                key = str(key_node.value)
                if key in mapping:
                    raise bad(key_node.start_mark, f"the key '{key}' is there twice; keep one")
                mapping[key] = convert(value_node)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [convert(item) for item in node.value]
        return _scalar(node)

    data = convert(node) if node is not None else None
    if not isinstance(data, dict):
        raise InvalidFile("must hold a mapping of keys to values", path, 1)
    return Document(path, text, data)


def _printable(text: str) -> str:
    """Return a text with control characters escaped: values of a file must not act on the terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _line(node: Any, where: Where) -> int:
    """Return the line of the field at `where` below a node, or of the nearest parent that exists."""
    for part in where:
        if isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == str(part)), None)
        else:
            child = node.value[part] if isinstance(node, yaml.SequenceNode) and part in range(len(node.value)) else None
        if child is None:
            break
        node = child
    return int(node.start_mark.line) + 1


def _scalar(node: yaml.Node) -> Any:
    value = str(node.value)
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "null":
        return None
    if kind == "bool" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "int" and _INTEGER.fullmatch(value):
        return int(value)
    if kind == "float" and _FLOAT.fullmatch(value) and isfinite(float(value)):
        return float(value)
    return value


def mappings(value: object) -> list[dict[str, Any]]:
    """Return the mappings of a list; for data that no schema has checked yet."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
