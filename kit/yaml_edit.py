"""Additions to a YAML file that leave everything else in it as it stands, comments and layout too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kit import plain_yaml
from kit.yaml import Where, parse_yaml

_LONGEST_LINE = 120


def appended(path: Path, text: str, where: Where, item: Mapping[str, Any], *, before: str = "") -> str:
    """The `text` of the file `path` with one more `item` at the end of the list at `where` (keys and positions from the top).

    A list at the top that is missing is put in front of the key `before`, or at the end of the file. Raises `InvalidFile`
    for a text that is no plain YAML mapping.
    """
    parse_yaml(path, text)
    node = yaml.compose(text, Loader=yaml.SafeLoader)  # the one in Python: its marks are exact
    found = _found(node, where)
    if isinstance(found, yaml.SequenceNode) and found.value:
        return _after(text, found, item, _inline(node, item))
    if found is not None:  # an empty list, or nothing where one should be
        value = f"[{_inline(node, item)}]"
        gap = "" if text[found.start_mark.index - 1].isspace() else " "
        return f"{text[: found.start_mark.index]}{gap}{value}{text[found.end_mark.index :]}"
    (key,) = where
    return _key(text, node, str(key), item, before)


def _found(node: Any, where: Where) -> Any:
    for part in where:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == str(part)), None)
        else:
            node = node.value[part]
    return node


def _inline(top: Any, item: Mapping[str, Any]) -> str:
    """An entry on one line; a file that is JSON stays JSON."""
    return plain_yaml.text(item) if top.flow_style else plain_yaml.inline(item)


def _after(text: str, found: yaml.SequenceNode, item: Mapping[str, Any], inline: str) -> str:
    end = _end(found.value[-1])
    if found.flow_style:
        return f"{text[:end]}, {inline}{text[end:]}"
    end = len(text[:end].rstrip())  # a block of text reaches to the line after it
    newline = text.find("\n", end)
    end = len(text) if newline < 0 else newline + 1
    head = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return f"{head}{_lines(item, found.start_mark.column)}{text[end:]}"


def _end(node: Any) -> int:
    """Where the last value of a node ends; a block's own mark lies behind the comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _key(text: str, node: Any, key: str, item: Mapping[str, Any], before: str) -> str:
    following = next((name for name, _ in node.value if name.value == before), None)
    if node.flow_style:
        at = (following or node.value[0][0]).start_mark.index
        return f"{text[:at]}{plain_yaml.text(key)}: [{_inline(node, item)}], {text[at:]}"
    block = f"{key}:\n{_lines(item, 2)}"
    if following is None:
        return text.rstrip("\n") + "\n" + block
    lines = text.splitlines(keepends=True)
    number = following.start_mark.line
    while number and lines[number - 1].startswith("#"):  # a comment belongs to what follows it
        number -= 1
    return "".join([*lines[:number], block, *lines[number:]])


def _lines(item: Mapping[str, Any], column: int) -> str:
    """An entry of a list whose dashes stand in a column: on one line where it is short."""
    indent = " " * column
    line = f"{indent}- {plain_yaml.inline(item)}\n"
    return line if len(line) <= _LONGEST_LINE else "".join(f"{part}\n" for part in plain_yaml.block([item], indent))
