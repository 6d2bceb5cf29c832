"""Write YAML: the same values give the same bytes, whatever library versions are installed."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
