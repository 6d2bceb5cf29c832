"""Write YAML: the same values give the same bytes, whatever library versions are installed."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kit.core.yaml import Where, parse_yaml

# Texts that YAML would read as other values.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.]*( [A-Za-z0-9_.]+)*|[0-9]+\.[0-9]+\.[0-9]+")
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Comment(str):
    """A remark in YAML, one line; in a mapping it is a value whose key is not written."""


def scalar(value: Any) -> str:
    """Return a value on one line, texts in quotes."""
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))  # to YAML `1e-05` is text
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def key(name: str) -> str:
    """Return a name as a key, in quotes if YAML would read it as another value."""
    return scalar(name) if name in _WORDS else name


def inline(value: Any) -> str:
    """Return a value on one line with few quotes: `{name: a, values: [1, "b-c"]}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)}: {inline(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return scalar(value)


def block(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], indent: str = "") -> Iterator[str]:
    """Yield the lines of a mapping or a list of mappings, one field or comment a line; any other value is on one line."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, Comment):
                yield f"{indent}# {_printable(item)}"
            elif _is_list_of_mappings(item):
                yield f"{indent}{key(name)}:"
                yield from block(item, f"{indent}  ")
            else:
                yield f"{indent}{key(name)}: {inline(item)}"
        return
    for item in value:
        first, *others = block(item, f"{indent}  ")
        yield f"{indent}- {first.lstrip()}"
        yield from others


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) and item for item in value)


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
    head = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return f"{head}{_lines(item, target.start_mark.column)}{text[end:]}"


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
