"""Contents of domain folders, and the values that were computed from them alone."""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from kit.core import ContentCache, FolderDigests, KitError, ValueCache, read_yaml

Value = TypeVar("Value")


class Contents:
    """The contents of domain folders as they were when they were first asked for; without `cache` they are not known.

    What is remembered in the folder `cache` saves time and changes no value.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._digests = FolderDigests(cache / "folders") if cache else None
        self._keys: dict[Path, str | None] = {}

    def key(self, folder: Path) -> str | None:
        """Return a text that differs whenever a file of the folder, or an installed package, does; None with links in it."""
        if folder not in self._keys:
            digest = self._digests.of(folder) if self._digests else None
            self._keys[folder] = ContentCache.key(str(folder), digest, *_installed()) if digest else None
        return self._keys[folder]

    def decides(self, folder: Path) -> bool:
        """Return whether what was read of a folder since its key was asked for is read for every such key.

        That is not so when it was touched meanwhile, or when dbt reads files outside of it.
        """
        return self.key(folder) is not None and self.is_still(folder) and not leads_out(folder)

    def is_still(self, folder: Path) -> bool:
        """Return whether nothing in a folder was touched since it was first asked for."""
        return self._digests is not None and self._digests.is_still(folder)

    def remembered(self, kind: str, folder: Path, compute: Callable[[], Value], *more: str) -> Value:
        """Return what `compute` returns of a folder, or returned for the same content and the same texts `more`.

        The value consists of data classes of the kit and plain types, and is not None.
        """
        key = self.key(folder)
        if self._cache is None or key is None:
            return compute()
        known = ValueCache(self._cache / kind)
        key = ContentCache.key(key, *more)
        value: Value | None = known.lookup(folder.name, key)
        if value is None:
            value = compute()
            if self.decides(folder):
                known.put(folder.name, key, value)
        return value

    def save(self) -> None:
        """Write what is known of the folders that were asked for."""
        if self._digests:
            self._digests.save()


def leads_out(folder: Path) -> bool:
    """Return whether dbt may read files outside of a folder, by the paths in its settings."""
    path = folder / "dbt_project.yml"
    try:
        settings = read_yaml(path).data if path.is_file() else {}
    except KitError:
        return True
    values = [value for key, value in settings.items() if key.endswith(("-path", "-paths"))]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return any(not isinstance(text, str) or Path(text).is_absolute() or ".." in Path(text).parts for text in texts)


@cache
def _installed() -> tuple[str, ...]:
    """Return the version of Python, and the installed packages with theirs."""
    found: set[str] = set()
    for place in sys.path:
        if place.endswith("-packages") and os.path.isdir(place):  # noqa: PTH112  (paths take longer than all the rest)
            found.update(name for name in os.listdir(place) if name.endswith((".dist-info", ".egg-info")))  # noqa: PTH208
    return sys.version, *sorted(found)
