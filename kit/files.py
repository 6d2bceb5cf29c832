"""Files read strictly and written durably."""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from kit.errors import InvalidFile, KitError

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,38})")  # neither octal nor longer than any column type
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")

Where = Sequence[str | int]


@dataclass(frozen=True)
class Document:
    """A YAML file's data together with its text, for messages that point at a line."""

    path: Path
    text: str
    data: dict[str, Any]

    def error(self, where: Where, problem: str) -> InvalidFile:
        """An `InvalidFile` for the field at `where` (keys and list positions from the top)."""
        field = ".".join(str(part) for part in where)
        at = f"{short(self.path)}:{_line(yaml.compose(self.text, Loader=_Loader), where)}"
        text = f"{at}: {field}: {problem}" if field else f"{at}: {problem}"
        # A value of the file must neither break the sentence nor act on the terminal.
        return InvalidFile("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text))


def short(path: Path) -> str:
    """The path as a person would type it: relative to the working directory where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_text(path: Path) -> str:
    """UTF-8 text of a file of at most `MAX_BYTES`; raises `InvalidFile`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidFile(f"{short(path)}: larger than {MAX_BYTES:,} bytes, which no file of a domain needs to be")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{short(path)}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise InvalidFile(f"{short(path)}: cannot be read: {error.strerror}") from None


def read_yaml(path: Path) -> Document:
    """Read a file with `parse_yaml`; raises `InvalidFile`."""
    return parse_yaml(path, read_text(path))


def parse_yaml(path: Path, text: str) -> Document:
    """Understand the text of `path` as a YAML mapping, without the parts of YAML that hurt.

    No aliases, tags, duplicate keys or implicit dates; `yes`, `on` and `12:30` stay text; size and depth are
    capped. Raises `InvalidFile` with file, line and field.
    """

    def bad(mark: Any, problem: str) -> InvalidFile:
        return InvalidFile(f"{short(path)}:{mark.line + 1 if mark else 1}: {problem}")

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
        said = [getattr(error, name, None) for name in ("context", "problem")]
        problem = ", ".join(filter(None, said)) or str(error).splitlines()[0]
        raise bad(getattr(error, "problem_mark", None), f"not valid YAML: {problem}") from None

    def convert(node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                if not isinstance(key_node, yaml.ScalarNode):
                    raise bad(key_node.start_mark, "a key must be plain text")
                key = str(key_node.value)
                if key in mapping:
                    raise bad(key_node.start_mark, f"the key '{key}' stands twice; keep one")
                mapping[key] = convert(value_node)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [convert(item) for item in node.value]
        return _scalar(node)

    data = convert(node) if node is not None else None
    if not isinstance(data, dict):
        raise InvalidFile(f"{short(path)}:1: must hold a mapping of keys to values")
    return Document(path, text, data)


def _line(node: Any, where: Where) -> int:
    """The line of the field at `where` below a node, or of the last part of the way to it that is there."""
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == str(part)), None)
        else:
            found = node.value[part] if isinstance(node, yaml.SequenceNode) and part in range(len(node.value)) else None
        if found is None:
            break
        node = found
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


def time_id(moment: datetime) -> str:
    """A name for what was made at a moment; names sort as the moments do, to the microsecond."""
    return f"{moment:%Y%m%dT%H%M%SZ-%f}"


def mappings(value: object) -> list[dict[str, Any]]:
    """The mappings in what should be a list of them, before a schema has said so."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def inside(folder: Path, relative: str) -> Path:
    """`folder / relative`, refused when it leaves the folder, links followed; raises `InvalidFile`."""
    try:
        path = (folder / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, or no path at all
        raise InvalidFile(f"{short(folder)}: the path '{relative}' leads nowhere: {error}") from None
    if not path.is_relative_to(folder.resolve()):
        raise InvalidFile(f"{short(folder)}: the path '{relative}' leaves the folder; keep files inside it")
    return path


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(value: Any) -> str:
    """Indented JSON; dates and other values without a JSON form become their text."""
    return json.dumps(value, indent=1, default=str, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """The JSON value of a file; raises `InvalidFile` when it is missing or broken."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidFile(f"{short(path)}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{short(path)}: not valid JSON: {error}") from None


Step = Callable[[str], None]
"""Told of each named point of a long operation as it is passed."""


def no_step(name: str) -> None:
    """A `Step` that listens to nothing."""


def sync_path(path: Path) -> None:
    """Flush a file or folder to the disk, so that it survives a power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it so that they survive a power loss."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def write_durably(path: Path, content: str | bytes, step: Step = no_step) -> None:
    """Replace a file at once and for good: readers see the old or the new content, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            step(f"{path.name} written")
            os.fsync(file.fileno())
        step(f"{path.name} synced")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    step(f"{path.name} replaced")
    sync_path(path.parent)


@contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold an exclusive lock between processes; yields whether it was had (always, when waiting for it).

    The operating system frees it when the process ends, however it ends. The file holds the owner's process id.
    """
    try:
        make_folder(path.parent)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise KitError(f"the storage cannot be written: {path.parent}: {error.strerror}; `kit doctor` tells more") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield True
