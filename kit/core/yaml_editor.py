"""Change YAML files of people: one field or one item of a list, all other bytes stay."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kit.core.errors import InvalidFile
from kit.core.yaml import Where, parse_yaml
from kit.core.yaml_writer import block, inline, key, scalar

_LONGEST_LINE = 120


def appended(path: Path, text: str, where: Where, item: Mapping[str, Any], *, before: str = "") -> str:
    """Return the `text` of the file `path` with `item` appended to the list at `where` (keys and positions from the top).

    All other bytes stay. A missing list of the top level is added in front of the key `before`, or at the end of the file.
    Raises `InvalidFile` for a text that is no plain YAML mapping.
    """
    parse_yaml(path, text)
    node = yaml.compose(text, Loader=yaml.SafeLoader)  # the loader in Python, since its marks are exact
    target = _node_at(node, where)
    if isinstance(target, yaml.SequenceNode) and target.value:
        return _after(text, target, item, _inline(node, item))
    if target is not None:  # an empty list, or no value
        value = f"[{_inline(node, item)}]"
        gap = "" if text[target.start_mark.index - 1].isspace() else " "
        return f"{text[: target.start_mark.index]}{gap}{value}{text[target.end_mark.index :]}"
    (key,) = where
    return _key(text, node, str(key), item, before)


def _node_at(node: Any, where: Where) -> Any:
    for part in where:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == str(part)), None)
        else:
            node = node.value[part]
    return node


def _inline(top: Any, item: Mapping[str, Any]) -> str:
    """Return an item on one line, as JSON in a JSON file."""
    return scalar(item) if top.flow_style else inline(item)


def _after(text: str, target: yaml.SequenceNode, item: Mapping[str, Any], inline: str) -> str:
    end = _end(target.value[-1])
    if target.flow_style:
        return f"{text[:end]}, {inline}{text[end:]}"
    end = len(text[:end].rstrip())  # a block text ends at the start of the next line
    newline = text.find("\n", end)
    end = len(text) if newline < 0 else newline + 1
    column = target.start_mark.column
    # Comments that are indented deeper than the items belong to the last one.
    while (line := text[end:].partition("\n")[0]).lstrip().startswith("#") and len(line) - len(line.lstrip()) > column:
        end = min(end + len(line) + 1, len(text))
    head = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return f"{head}{_lines(item, column)}{text[end:]}"


def _end(node: Any) -> int:
    """Return the end of the last value of a node; the mark of a block itself is behind the comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _key(text: str, node: Any, key: str, item: Mapping[str, Any], before: str) -> str:
    following = next((name for name, _ in node.value if name.value == before), None)
    if node.flow_style:
        at = (following or node.value[0][0]).start_mark.index
        return f"{text[:at]}{scalar(key)}: [{_inline(node, item)}], {text[at:]}"
    block = f"{key}:\n{_lines(item, 2)}"
    if following is None:
        return text.rstrip("\n") + "\n" + block
    lines = text.splitlines(keepends=True)
    number = following.start_mark.line
    while number and lines[number - 1].startswith("#"):  # a comment belongs to the lines below it
        number -= 1
    return "".join([*lines[:number], block, *lines[number:]])


def _lines(item: Mapping[str, Any], column: int) -> str:
    """Return an item of a list with its dash in a column, on one line if it is short."""
    indent = " " * column
    line = f"{indent}- {inline(item)}\n"
    return line if len(line) <= _LONGEST_LINE else "".join(f"{part}\n" for part in block([item], indent))


def with_value(path: Path, text: str, where: Where, value: Any) -> str:
    """Return the `text` of the file `path` with the field at `where` set to a value; None removes the field.

    All other bytes stay. Missing mappings on the way are added. Raises `InvalidFile` for a text that is no YAML mapping,
    and where a value on the way is none.
    """
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for depth, part in enumerate(where):
        pair = next((pair for pair in node.value if pair[0].value == str(part)), None) if _is_mapping(node) else None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            continue
        if not _is_mapping(node):
            line = node.start_mark.line + 1 if node else 1
            raise InvalidFile(f"must be a mapping, to which {part} can be added", path, line, ".".join(map(str, where[:depth])))
        rest = where[depth + 1 :]
        if pair is None or (rest and isinstance(pair[1], yaml.ScalarNode) and not pair[1].value):
            if value is None:
                return text
            for outer in reversed(rest):
                value = {str(outer): value}
            return _with_key(text, node, str(part), value) if pair is None else _replaced(text, pair[0], pair[1], value)
        if not rest:
            return _without(text, node, *pair) if value is None else _replaced(text, pair[0], pair[1], value)
        node = pair[1]
    return text


def _is_mapping(node: Any) -> bool:
    return isinstance(node, yaml.MappingNode)


def _replaced(text: str, key: Any, old: Any, value: Any) -> str:
    start = old.start_mark.index
    if not old.value and text[start : old.end_mark.index].strip() == "":  # no value behind the colon
        start = end = text.index(":", key.end_mark.index) + 1
    else:
        end = _end(old)
    gap = "" if text[start - 1].isspace() else " "
    if isinstance(old, yaml.CollectionNode) and not old.flow_style:  # its first line is below the key
        start, gap = text.index(":", key.end_mark.index) + 1, " "
    return f"{text[:start]}{gap}{inline(value)}{text[end:]}"


def _with_key(text: str, node: Any, key_name: str, value: Any) -> str:
    if node.flow_style:
        at = node.value[0][0].start_mark.index if node.value else node.end_mark.index - 1
        return f"{text[:at]}{key(key_name)}: {inline(value)}{', ' if node.value else ''}{text[at:]}"
    end = len(text[: _end(node)].rstrip())
    newline = text.find("\n", end)
    end = len(text) if newline < 0 else newline + 1
    head = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return f"{head}{' ' * node.start_mark.column}{key(key_name)}: {inline(value)}\n{text[end:]}"


def _without(text: str, node: Any, key: Any, value: Any) -> str:
    if node.flow_style:
        position = next(number for number, pair in enumerate(node.value) if pair[0] is key)
        if position + 1 < len(node.value):
            return text[: key.start_mark.index] + text[node.value[position + 1][0].start_mark.index :]
        start = _end(node.value[position - 1][1]) if position else key.start_mark.index
        return text[:start] + text[_end(value) :]
    end = len(text[: _end(value)].rstrip())
    newline = text.find("\n", end)
    start = key.start_mark.index
    if node.value[0][0] is key and len(node.value) > 1:  # it may follow the dash of a list
        return text[:start] + text[node.value[1][0].start_mark.index :]
    start = text.rfind("\n", 0, start) + 1
    return text[:start] + (text[newline + 1 :] if newline >= 0 else "")
