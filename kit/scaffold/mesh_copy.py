"""The mesh seen from another root, where one product can be changed, run and judged before anything is written."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kit.core import Config, KitError, short

_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "target", "logs")


@contextmanager
def mesh_copy(config: Config, name: str) -> Iterator[Config]:
    """The mesh below a throw-away root in which the product `name` is a copy, if it is there, and all else a link.

    Snapshots are the real ones. A `KitError` raised inside speaks of the files by their real places.
    """
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        there = replace(config, root=Path(folder).resolve() / "mesh")
        try:
            there.domains.mkdir(parents=True)
            for path in config.root.iterdir():
                if path != config.domains:
                    (there.root / path.name).symlink_to(path)
            for path in config.domains.iterdir():
                if path.is_dir() and path.name != name:
                    (there.domains / path.name).symlink_to(path)
            if (config.domains / name).is_dir():
                shutil.copytree(config.domains / name, there.domains / name, symlinks=True, ignore=_NOT_COPIED)
            yield there
        except KitError as error:
            place = original_path(config, there, error.path), error.line, error.field
            raise type(error)(_original_names(config, there, error.problem), *place) from None
        except OSError as error:
            raise KitError(f"{short(config.domains)}: nothing was written: {error.strerror or error}") from None


def original_path(config: Config, there: Config, path: Path | None) -> Path | None:
    """The path that a file of the copy `there` has in the mesh itself."""
    return config.root / path.relative_to(there.root) if path and path.is_relative_to(there.root) else path


def _original_names(config: Config, there: Config, text: str) -> str:
    """A text in which files of the copy `there` are named as in the mesh itself."""
    home = short(config.root)
    return text.replace(f"{there.root}/", "" if home == "." else f"{home}/")
