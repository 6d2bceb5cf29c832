"""YAML written here, so that the same facts give the same bytes with every version of a library."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What YAML would take for something else than the text it is.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.]*( [A-Za-z0-9_.]+)*|[0-9]+\.[0-9]+\.[0-9]+")
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def text(value: Any) -> str:
    """A value on one line; text always in quotes."""
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))  # to YAML `1e-05` is text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def key(name: str) -> str:
    """A name as a key."""
    return text(name) if name in _WORDS else name


def inline(value: Any) -> str:
    """A value on one line as a person would write it: `{name: a, values: [1, "b-c"]}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)}: {inline(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return text(value)


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
