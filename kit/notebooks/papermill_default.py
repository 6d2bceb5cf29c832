"""The default engine of papermill where the kit is installed: a notebook of a mesh finds its domain from any working folder.

papermill imports this module by the entry point `papermill.engine` of pyproject.toml.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import click
from jupyter_client.manager import AsyncKernelManager
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import papermill_io

from kit.core import NOTEBOOK, Config, KitError, Secrets
from kit.mesh import check_given_parameters

_INJECTED = {"PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"}  # parameters of papermill's own, by `--inject-paths`


class MeshEngine(NBClientEngine):  # type: ignore[misc]
    """Runs notebooks as papermill does.

    The kernel knows its notebook and imports modules beside it. Parameters of an asset notebook are checked as in a build,
    before the kernel starts.
    """

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, input_path: Any = None, **options: Any) -> Any:
        """Execute a notebook; raises `ClickException`, a line on the command line, for a wrong parameter."""
        file = _local_file(input_path)
        if file is not None:
            try:
                environment = _environment(file, nb.metadata.papermill.get("parameters") or {})
            except KitError as error:
                raise click.ClickException(str(error)) from None
            manager = type("KernelManager", (_KernelManager,), {"environment": environment})
            options = {"kernel_manager_class": manager, **options}
        return super().execute_notebook(nb, kernel_name, input_path=input_path, **options)


class _KernelManager(AsyncKernelManager):  # type: ignore[misc]
    environment: ClassVar[Mapping[str, str]] = {}

    async def start_kernel(self, **options: Any) -> None:
        await super().start_kernel(**{"env": {**os.environ, **self.environment}, **options})


def _local_file(path: Any) -> Path | None:
    """Return the absolute path of the notebook that papermill reads; None for one that is not a local file."""
    if not isinstance(path, str):
        return None
    local = papermill_io.get_handler("local")
    start = local.cwd(None)  # the folder in which papermill was called; the working directory may be that of `--cwd`
    local.cwd(start)
    file = Path(start or Path.cwd(), path)
    return file if file.is_file() else None


def _environment(file: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the kernel of a notebook; raises `NotebookError` for a parameter that a build would refuse."""
    environment = {NOTEBOOK: str(file)}
    try:
        config = Config.load(file.parent, {})
    except KitError:  # in no mesh
        return environment
    if file.resolve().is_relative_to(config.domains.resolve()):
        values = {name: value for name, value in given.items() if name not in _INJECTED}
        check_given_parameters(file, values, Secrets.from_environment(config))
    beside = [str(file.parent), os.environ.get("PYTHONPATH", "")]
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, beside))}


for _name in (None, "nbclient"):
    papermill_engines.register(_name, MeshEngine)
