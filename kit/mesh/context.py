"""The mesh that a command, a notebook call or a server works on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kit.core import Config
from kit.mesh.mesh import Mesh


@dataclass(frozen=True)
class Context:
    """Settings of one mesh, and its products, which are read at the first use and then stay as they are.

    Commands, public notebook functions, Dagster's code location and servers create it; all other code receives it.
    `Context(config)` reads the products again after files have changed.
    """

    config: Config

    @classmethod
    def load(cls, root: Path | None = None) -> "Context":
        """Return the context of the mesh that contains `root`, else `KIT_ROOT`, else the working directory.

        Raises `ConfigError` when there is no mesh, or a setting is wrong.
        """
        return cls(Config.load(root))

    @cached_property
    def mesh(self) -> Mesh:
        """All products of the mesh; raises `MeshError` when it has no folder `domains`."""
        return Mesh.load(self.config.domains, self.config.cache)

    def with_mesh(self, mesh: Mesh) -> "Context":
        """Return a context of the same settings with other products than those of the files."""
        context = Context(self.config)
        context.__dict__["mesh"] = mesh
        return context
