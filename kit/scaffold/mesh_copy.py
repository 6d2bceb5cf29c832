"""A copy of the mesh in which one product can be changed, run and checked before any file of the mesh is written."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit.core import Config, KitError, short
from kit.mesh import Context
from kit.scaffold.changes import FileChange
from kit.sync import wanted

_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "target", "logs")


@dataclass(frozen=True)
class MeshCopy:
    """The mesh below a temporary root: the folder of the data product `product` is a copy, all else a link to the original.

    `original` holds the settings of the mesh, `config` those of the copy; both have the same snapshots.
    """

    original: Config
    config: Config
    product: str

    @property
    def folder(self) -> Path:
        """The folder of the product in the copy."""
        return self.config.domains / self.product

    @property
    def raw(self) -> Path:
        """A folder for landed data outside of the mesh, which is deleted together with the copy."""
        return self.config.root.parent / "raw"

    def original_path(self, path: Path) -> Path:
        """The place in the mesh of a file of the copy."""
        return self.original.root / path.relative_to(self.config.root)

    def original_text(self, text: str) -> str:
        """A text in which files of the copy have their place in the mesh."""
        home = short(self.original.root)
        return text.replace(f"{self.config.root}/", "" if home == "." else f"{home}/")

    def changes(self) -> tuple[FileChange, ...]:
        """Write the generated files of the copy; return all differences of the copy from the mesh."""
        generated = {}
        for path, text in wanted(Context(self.config)).items():
            if path.is_relative_to(self.folder):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if path.is_relative_to(self.folder) or path.parent in (self.config.root, self.config.domains):
                generated[path] = text.encode()
        files = {path: path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file() and path not in generated}
        changes = [
            FileChange.from_file(self.original_path(path), content, generated=path in generated)
            for path, content in {**files, **generated}.items()
        ]
        return tuple(change for change in changes if change.before != change.after)


@contextmanager
def mesh_copy(config: Config, product: str) -> Iterator[MeshCopy]:
    """A copy of the mesh that is deleted afterwards; without a product of this name it has no folder for it.

    A `KitError` raised inside names files by their place in the mesh.
    """
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        copy = MeshCopy(config, replace(config, root=Path(folder).resolve() / "mesh"), product)
        try:
            copy.config.domains.mkdir(parents=True)
            for path in config.root.iterdir():
                if path != config.domains:
                    (copy.config.root / path.name).symlink_to(path)
            for path in config.domains.iterdir():
                if path.is_dir() and path.name != product:
                    (copy.config.domains / path.name).symlink_to(path)
            if (config.domains / product).is_dir():
                shutil.copytree(config.domains / product, copy.folder, symlinks=True, ignore=_NOT_COPIED)
            yield copy
        except KitError as error:
            error.problem = copy.original_text(error.problem)
            if error.path and error.path.is_relative_to(copy.config.root):
                error.path = copy.original_path(error.path)
            raise
        except OSError as error:
            raise KitError(f"nothing was written: {error.strerror or error}", config.domains) from None
