"""The files that the code of a product may open in a build."""

from collections.abc import Iterable
from pathlib import Path

from kit.core import Config, Places
from kit.mesh import folders
from kit.storage import index


def forbidden(config: Config, product: str) -> dict[Path, str]:
    """Return the folders whose files a product must not read, with a description of each."""
    others = {folder: f"the folder of '{folder.name}'" for folder in folders(config.domains) if folder.name != product}
    return {**others, config.storage: "the storage of the mesh"}


def notebook_places(config: Config, product: str, folder: Path, tables: Iterable[Path]) -> Places:
    """Return the files that a notebook may open: its domain `folder`, its `tables`, and what `kit.open()` shows."""
    read = (*tables, config.root / "pyproject.toml", config.storage / index.INDEX)
    return Places(read, (folder,), tuple(forbidden(config, product)))
