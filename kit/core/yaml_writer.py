"""YAML written here, so that the same facts give the same bytes with every version of a library."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kit.core.yaml import Where, parse_yaml

# What YAML would take for something else than the text it is.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.]*( [A-Za-z0-9_.]+)*|[0-9]+\.[0-9]+\.[0-9]+")
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def scalar(value: Any) -> str:
    """A value on one line; text always in quotes."""
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))  # to YAML `1e-05` is text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def key(name: str) -> str:
    """A name as a key."""
    return scalar(name) if name in _WORDS else name


def inline(value: Any) -> str:
    """A value on one line as a person would write it: `{name: a, values: [1, "b-c"]}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)}: {inline(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return scalar(value)


def block(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], indent: str = "") -> Iterator[str]:
    """The lines of a mapping or of a list of mappings, one field a line; any other value stays on one line."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if _is_list_of_mappings(item):
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
    return scalar(item) if top.flow_style else inline(item)


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
        return f"{text[:at]}{scalar(key)}: [{_inline(node, item)}], {text[at:]}"
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
    line = f"{indent}- {inline(item)}\n"
    return line if len(line) <= _LONGEST_LINE else "".join(f"{part}\n" for part in block([item], indent))
