"""The committed files with which dbt by itself runs in a domain folder: the kit's macros and a profile."""

import os
from pathlib import Path

from kit.core import InvalidFile, read_text, with_value, yaml_writer
from kit.dbt.project import folder_names, read_loosely

PROFILES = "profiles.yml"
MACROS = "kit.sql"
FOLDER = "dbt"
"""The folder in the storage of what dbt by itself uses: its databases, and sources as models read them."""

_MACROS = Path(__file__).parent / "macros" / MACROS
_PROFILE = """\
# Written by `kit sync` for dbt by itself. Do not edit: `kit check` compares it. Builds use a profile of their own.
# The first `kit run {product}` makes the database. Paths begin here, where dbt is started.
kit:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: {database}
      attach:
        - {{path: {mesh}, alias: mesh, read_only: true}}
      threads: 1
"""


def files(folder: Path, root: Path, storage: Path) -> dict[Path, str]:
    """Return the committed files of the dbt project in a domain folder; none without a project.

    The profile names the storage relative to the folder if it is below `root`, the folder of the mesh. `KIT_STORAGE` replaces
    it, as in builds.
    """
    if not (folder / "dbt_project.yml").is_file():
        return {}
    place = os.path.relpath(storage, folder) if storage.is_relative_to(root) else str(storage)
    place = f"{{{{ env_var('KIT_STORAGE', {place!r}) }}}}"
    database, mesh = map(yaml_writer.scalar, (f"{place}/{FOLDER}/{folder.name}.duckdb", f"{place}/mesh.duckdb"))
    return {
        **_project(folder),
        macros_path(folder): macros(),
        folder / PROFILES: _PROFILE.format(product=folder.name, database=database, mesh=mesh),
    }


def is_kit_folder(part: str) -> bool:
    """Whether a path of macros is that of the kit's own folder, which earlier versions of the kit wrote there."""
    return Path(part).parts[-3:] == ("kit", "dbt", "macros")


def _project(folder: Path) -> dict[Path, str]:
    """The settings of a project whose macros an earlier version of the kit led to its own folder; else nothing."""
    path = folder / "dbt_project.yml"
    parts = list(folder_names(read_loosely(path), "macro-paths", "macros"))
    kept = [part for part in parts if not is_kit_folder(part)]
    return {path: with_value(path, read_text(path), ["macro-paths"], kept or ["macros"])} if kept != parts else {}


def database_path(storage: Path, product: str) -> Path:
    """Return the database of dbt by itself for a product."""
    return storage / FOLDER / f"{product}.duckdb"


def sources_folder(storage: Path, product: str) -> Path:
    """Return the folder with the sources of a product as its models read them, one Parquet file for each."""
    return storage / FOLDER / product


def macros() -> str:
    """Return the materialization `published` and the tests of contracts, for the first folder of macros of a project."""
    return _MACROS.read_text(encoding="utf-8")


def macros_path(folder: Path) -> Path:
    """Return the place of the kit's macros in a dbt project."""
    parts = folder_names(read_loosely(folder / "dbt_project.yml"), "macro-paths", "macros")
    inside = (part for part in parts if (folder / part).resolve().is_relative_to(folder.resolve()))
    return folder / next(inside, "macros") / MACROS


def write_macros(folder: Path) -> None:
    """Write the kit's macros into a dbt project."""
    path = macros_path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(macros(), encoding="utf-8")


def check_macros(folder: Path) -> None:
    """Raise `InvalidFile` for macros that are not those of this kit."""
    path = macros_path(folder)
    if not path.is_file():
        raise InvalidFile("is missing; run `kit sync`", path)
    if path.read_bytes() != macros().encode():
        raise InvalidFile("differs from the macros of the kit; run `kit sync`", path)
