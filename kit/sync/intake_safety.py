"""What would make an Intake catalog dangerous to open: opening one can run code, read secrets or reach the network."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit.core import read_yaml, short
from kit.storage import intake

_TEMPLATE = re.compile(r"\{[^{}]*\}?")
_REFERENCE = re.compile(r"\{data\([a-z][a-z0-9_-]*\)\}")
_ALLOWED = re.compile(rf"\{{CATALOG_DIR\}}|{_REFERENCE.pattern}")
_KEYS = {
    (): {"version", "metadata", "user_parameters", "aliases", "data", "entries"},
    ("data",): {"datatype", "kwargs", "metadata", "user_parameters"},
    ("entries",): {"reader", "output_instance", "kwargs", "metadata", "user_parameters"},
    ("data", "kwargs"): {"url"},
    ("entries", "kwargs"): {"args", "glob"},
}
_CLASSES = {"datatype": intake.DATATYPES, "reader": intake.READERS, "output_instance": intake.OUTPUTS}


def hazard(path: Path, allowed: tuple[Path, ...]) -> str | None:
    """The first thing in a catalog that makes it dangerous to open, or None; `allowed` are the folders it may lead to.

    The catalog is read as text and nothing else. Raises `InvalidFile` for YAML that hurts by itself.
    """
    if path.is_symlink():
        return f"{short(path)}: is a link; a catalog must be a file of its own, run `kit sync`"
    document = read_yaml(path)
    for where, problem in _hazards(document.data, path.parent, allowed):
        return str(document.error(where, problem))
    return None


def _hazards(data: dict[str, Any], folder: Path, allowed: tuple[Path, ...]) -> Iterator[tuple[list[str | int], str]]:
    yield from _unknown(data, ())
    if data.get("user_parameters"):
        yield ["user_parameters"], "user parameters can import and run code; it must be {}"
    for section in ("data", "entries"):
        for name, entry in _items(data, section):
            where: list[str | int] = [section, name]
            for field, problem in _entry(section, entry):
                yield [*where, *field], problem
    for where, text in _texts(data, []):
        for template in _TEMPLATE.findall(text):
            if not _ALLOWED.fullmatch(template):
                problem = (
                    f"the template '{template}' would be run by Intake; only {{CATALOG_DIR}} and {{data(NAME)}} are allowed"
                )
                yield where, problem
    for name, entry in _items(data, "data"):
        for where, url in _texts(entry["kwargs"].get("url"), ["data", name, "kwargs", "url"]):
            if leads := _place(url, folder, allowed):
                yield where, leads
    for name, entry in _items(data, "entries"):
        for where, argument in _texts(entry["kwargs"].get("args"), ["entries", name, "kwargs", "args"]):
            if not _REFERENCE.fullmatch(argument):
                yield where, f"'{argument}' is taken for data by Intake; only {{data(NAME)}} is allowed"


def _entry(section: str, entry: Any) -> Iterator[tuple[list[str | int], str]]:
    if not isinstance(entry, dict):
        yield [], "must be a mapping"
        return
    for field, problem in _unknown(entry, (section,)):
        yield field, problem
    for name, known in _CLASSES.items():
        if name in entry and entry[name] not in known.values():
            yield [name], f"'{entry[name]}' is code that Intake would import; only {' and '.join(known.values())} are allowed"
    if entry.get("user_parameters"):
        yield ["user_parameters"], "user parameters can import and run code; it must be {}"
    if not isinstance(entry.get("kwargs"), dict):
        yield ["kwargs"], "must be a mapping"
        return
    for field, problem in _unknown(entry["kwargs"], (section, "kwargs")):
        yield ["kwargs", *field], problem


def _unknown(mapping: dict[str, Any], level: tuple[str, ...]) -> Iterator[tuple[list[str | int], str]]:
    for key in mapping:
        if key not in _KEYS[level]:
            yield [key], f"the key '{key}' is passed on to code; only {', '.join(sorted(_KEYS[level]))} are allowed"


def _items(data: dict[str, Any], section: str) -> list[tuple[str, Any]]:
    return list(data[section].items()) if isinstance(data.get(section), dict) else []


def _texts(value: Any, where: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    """Every text below a value, with where it stands; keys count as texts too."""
    if isinstance(value, str):
        yield where, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str):
            yield [*where, key], key
        yield from _texts(item, [*where, key])


def _place(url: str, folder: Path, allowed: tuple[Path, ...]) -> str | None:
    """What is wrong with where a URL leads, links followed."""
    if "://" in url or "::" in url:
        return f"'{url}' leads out of this machine's files; give a path inside the mesh or its storage"
    try:
        resolved = (folder / Path(url.replace("{CATALOG_DIR}", str(folder))).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        return f"'{url}' leads nowhere: {error}"
    if not any(resolved.is_relative_to(place.resolve()) for place in allowed):
        return f"'{url}' leads out of the mesh; give a path inside it or its storage"
    return None
