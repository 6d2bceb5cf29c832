"""Packages that notebooks install or import, compared with those that the mesh declares."""

import re
import shlex
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from kit.core import InvalidFile, read_text, read_yaml

INSTALL = re.compile(r"\s*[%!]\s*(?:(?:uv\s+)?pip3?|python3?\s+-m\s+pip|conda|mamba)\s+install\b(.*)")
"""A line of a cell that installs packages: `%pip install prophet`, `!pip install prophet`."""

_KIT = "data-mesh-kit"
_WITH_VALUE = re.compile(
    r"-[cifptn]|--(constraint|(extra-)?index.url|find.links|target|platform|python|channel|prefix|name|python-version)"
)
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?")


def installed_by(line: str) -> tuple[str, ...]:
    """Return the requirements that an `INSTALL` line names, as they are written there."""
    match = INSTALL.fullmatch(line)
    try:
        words = iter(shlex.split(match[1], comments=True) if match else ())
    except ValueError:  # an open quote
        words = iter((match[1] if match else "").split())
    found = []
    for word in words:
        if _WITH_VALUE.fullmatch(word):
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return tuple(found)


@dataclass(frozen=True)
class Declared:
    """The packages that a mesh declares, by their normalized names.

    These are the dependencies, extras and groups in `pyproject.toml`, `requirements*.txt` and `environment.yml` of its root,
    and what the kit itself depends on, since no mesh is without the kit.
    """

    names: frozenset[str]

    @classmethod
    def from_root(cls, root: Path) -> "Declared":
        """Return what the files in the folder of the mesh declare; raises `InvalidFile` for one that cannot be read."""
        written = [*_pyproject(root / "pyproject.toml"), *_conda(root / "environment.yml")]
        for path in sorted(root.glob("requirements*.txt")):
            written += [line for line in read_text(path).splitlines() if not line.lstrip().startswith(("#", "-"))]
        return cls(frozenset(name for text in (_KIT, *written) for name in _names(text)))

    def has(self, requirement: str) -> bool:
        """Return whether a requirement such as `prophet==1.1` is declared, in whatever version."""
        name = _NAME.match(requirement)
        return name is not None and _normalized(name[1]) in self.names

    def missing(self, module: str) -> str:
        """Return the package that an import of a top-level module needs and the mesh does not declare; empty for none."""
        if module in sys.stdlib_module_names or module == "kit" or _normalized(module) in self.names:
            return ""
        packages = _distributions().get(module, [module])
        return "" if any(_normalized(package) in self.names for package in packages) else packages[0]


def _names(requirement: str) -> Iterator[str]:
    """Yield the package of a requirement; of the kit also those that it depends on, with the extras that are named."""
    if match := _NAME.match(requirement):
        name = _normalized(match[1])
        yield name
        if name == _KIT:
            extras = re.findall(r"[A-Za-z0-9_-]+", match[2] or "")
            for text in _requires(_KIT):
                extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", text)
                if (extra is None or extra[1] in extras) and (inner := _NAME.match(text)):
                    yield _normalized(inner[1])


def _requires(package: str) -> list[str]:
    try:
        return metadata.requires(package) or []
    except metadata.PackageNotFoundError:  # run from its folder, without being installed
        return []


def _pyproject(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    try:
        data = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(f"not valid TOML: {error}", path) from None
    project = _mapping(data.get("project"))
    yield from _texts(project.get("dependencies"))
    for table in (project.get("optional-dependencies"), data.get("dependency-groups")):
        for group in _mapping(table).values():
            yield from _texts(group)


def _conda(path: Path) -> Iterator[str]:
    if path.is_file():
        listed = read_yaml(path).data.get("dependencies")
        yield from _texts(listed)
        for item in listed if isinstance(listed, list) else ():
            yield from _texts(_mapping(item).get("pip"))


def _texts(value: Any) -> Iterable[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _distributions() -> Mapping[str, list[str]]:
    """The installed packages of each top-level module; reading all of them takes a fraction of a second."""
    return metadata.packages_distributions()
