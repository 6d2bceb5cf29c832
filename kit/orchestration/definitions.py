"""The mesh as one Dagster code location: every source, model, notebook and port is an asset."""

import gc
import logging
import re

import dagster as dg

from kit.build import build
from kit.core import Config, KitError
from kit.mesh import Broken, Mesh
from kit.orchestration import automation
from kit.orchestration.assets import Builder, ProductAssets

# The build itself does not publish what fails a check; Dagster would warn for each check that it does not block.
logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)


@dg.definitions
def defs() -> dg.Definitions:
    """Return the code location of the mesh that contains `KIT_ROOT` or the working directory."""
    config = Config.load()
    # These objects live as long as the process. Garbage collection of them would take a quarter of the time.
    gc.disable()
    try:
        return definitions(config, Mesh.load(config.domains, config.cache))
    finally:
        gc.freeze()
        gc.enable()


def definitions(config: Config, mesh: Mesh, builder: Builder | None = None) -> dg.Definitions:
    """Return assets, checks, schedules and automation of a mesh.

    `builder` replaces `kit.build.build` for runs that a person waits for: they do not retry, and do not queue for a pool.
    """
    attended, builder = builder is not None, builder or (lambda product, request: build(config, product, request))
    broken = list(mesh.broken)
    assets: list[dg.AssetsDefinition] = []
    schedules = []
    for product in mesh.products:
        try:
            assets.append(ProductAssets(config, mesh, product, attended, builder).assets())
        except (KitError, dg.DagsterError) as error:
            broken.append(Broken(product.name, product.folder, str(error)))
            continue
        if product.schedule:
            schedules.append(automation.schedule(config, product))
    assets += [_broken(item) for item in broken]
    return dg.Definitions(assets=assets, schedules=schedules, sensors=[automation.sensor()], executor=dg.in_process_executor)


def _broken(item: Broken) -> dg.AssetsDefinition:
    """Return an asset for a domain in error; building it fails with the reason."""

    @dg.asset(
        key=dg.AssetKey(item.name),
        group_name=item.name if re.fullmatch(r"[A-Za-z0-9_]+", item.name) else "broken",
        description=f"This domain is in error:\n\n{item.message}",
        kinds={"broken"},
        automation_condition=automation.once(),
    )
    def broken() -> None:
        raise dg.Failure(item.message, allow_retries=False)

    return broken
