"""Entry points: what they name, and those of the kit that an older environment lacks."""

import sys
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

from kit.core.errors import KitError

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
"""The file that declares the entry points, beside the kit in a clone."""

OLDER = "the environment is older than the files of the kit; run `make install`"


def points_of(group: str) -> EntryPoints:
    """Return the entry points of a group; read again when a package was installed or removed."""
    places = tuple((str(place), place.stat().st_mtime_ns) for place in map(Path, sys.path) if place.is_dir())
    return _read(group, places)


@lru_cache(maxsize=8)
def _read(group: str, places: tuple[tuple[str, int], ...]) -> EntryPoints:
    return metadata.entry_points(group=group)


def load_entry_point(point: EntryPoint) -> Any:
    """Return what an entry point names; raises `KitError` when it cannot be imported."""
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        remedy = OLDER if point.module.startswith("kit.") else "install its package again"
        raise KitError(f"cannot be imported ({type(error).__name__}: {error}); {remedy}") from None


def missing_entry_points(group: str, project: Path = PROJECT) -> list[str]:
    """Return the names in a group that the files of the kit declare and the environment lacks, as after a `git pull`."""
    return sorted(set(_declared(project).get(group, {})) - {point.name for point in points_of(group)})


@cache
def _declared(project: Path) -> Mapping[str, Mapping[str, str]]:
    """The entry points that a project declares, by group; read once, as builds ask at each event."""
    if not project.is_file():  # an installed kit is of one piece
        return {}
    declared: Mapping[str, Mapping[str, str]] = (
        tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("entry-points", {})
    )
    return declared
