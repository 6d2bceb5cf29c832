"""The mesh as one Dagster code location: every source, model, notebook and port is an asset."""

import gc
import json
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from kit.build import build
from kit.core import KitError, erase_mask_key, without_collection
from kit.mesh import Broken, Context, DataProduct
from kit.orchestration import automation, publications, run_config
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.assets import PREFIX, Builder, ProductAssets, Report
from kit.orchestration.dagster_internals import (
    STEP_LOGGER,
    end_runs_when_interrupted,
    keep_metadata_of_start,
    metadata_of_start,
    set_console_level,
)

# The build itself publishes nothing that fails a check; Dagster would log of each check that it blocked nothing.
logging.getLogger(STEP_LOGGER).setLevel(logging.ERROR)
end_runs_when_interrupted()

REASON = "error"
"""The key, in the metadata of the asset of a domain in error, of the reason."""


@dg.definitions
def defs() -> dg.Definitions:
    """Return the code location of the mesh that contains `KIT_ROOT` or the working directory."""
    set_console_level("WARNING")  # the history has all events
    erase_mask_key()  # the processes of runs, which this one starts, need it in their environment
    context = Context.load()
    try:
        return definitions(context)
    finally:
        gc.freeze()  # these objects live as long as the process


def definitions(
    context: Context, builder: Builder | None = None, selected: Sequence[DataProduct] | None = None
) -> dg.Definitions:
    """Return assets, checks, schedules and automation of a mesh, or of the `selected` products and the ports that they read.

    `builder` replaces `kit.build.build` for runs that a person waits for: they do not retry, and do not queue for a pool.
    """
    with without_collection():
        return _definitions(context, builder, selected)


def _definitions(context: Context, builder: Builder | None, selected: Sequence[DataProduct] | None) -> dg.Definitions:
    config, mesh = context.config, context.mesh
    attended, builder = builder is not None, builder or (lambda product, request: build(config, product, request))
    broken = list(mesh.broken) if selected is None else []
    products: list[ProductAssets] = []
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    schedules = []
    for product in mesh.products if selected is None else selected:
        try:
            product_assets = ProductAssets(context, product, attended, builder)
            assets.append(product_assets.assets())
            products.append(product_assets)
        except Exception as error:  # the other products are built
            reason = error if isinstance(error, KitError) else KitError(f"{type(error).__name__}: {error}")
            broken.append(Broken.from_error(product.folder, reason))
            continue
        if product.schedule:
            schedules.append(automation.schedule(config, product))
    known = {} if selected is not None else metadata_of_start()
    assets += [_broken(item, json.loads(known.get(item.name, "[]"))) for item in broken]
    if selected is not None:
        assets += _read_ports(context, products)
    outdated = automation.outdated_sensor(config, [product.product for product in products])
    sensors = [automation.sensor(), outdated, publications.sensor(config, products)]
    if selected is None:
        keep_metadata_of_start({**known, **dict(map(_names, products))})
    return dg.Definitions(assets=assets, schedules=schedules, sensors=sensors, executor=dg.in_process_executor)


def _names(assets: ProductAssets) -> tuple[str, str]:
    """Return the name of a product, and the keys of its assets and the names of their checks as JSON."""
    checks: dict[dg.AssetKey, list[str]] = {key: [] for key in assets.nodes}
    for key, name in assets.checks.expected:
        checks[key].append(name)
    return assets.product.name, json.dumps([[key.path, names] for key, names in checks.items()])


def _read_ports(context: Context, products: Sequence[ProductAssets]) -> list[dg.AssetSpec]:
    """Return an asset that nothing here makes for each port that the products read of others, with its partitions."""
    made = {key for product in products for key in product.nodes}
    names = {name for product in products for node in product.nodes.values() for name in node.reads}
    partitions = {other.name: automation.partitions(context.config, other) for other in context.mesh.products}
    read = sorted(name for name in names if asset_key(name) not in made)
    return [dg.AssetSpec(asset_key(name), partitions_def=partitions.get(name.partition(".")[0])) for name in read]


def _broken(item: Broken, known: list[tuple[list[str], list[str]]]) -> dg.AssetsDefinition:
    """Return an asset for a domain in error; building it fails with the reason.

    A run that was started before the error was loaded has the `known` assets and checks of the domain instead: Dagster would
    end it with their names alone.
    """
    group = item.name if re.fullmatch(r"[A-Za-z0-9_]+", item.name) else "broken"
    about: dict[str, Any] = {
        "group_name": group, "description": f"This domain is in error:\n\n{item.finding}", "kinds": {"broken"},
        "metadata": {REASON: str(item.finding)}, "automation_condition": automation.once(),
    }  # fmt: skip
    keys = [dg.AssetKey(path) for path, _ in known]

    @dg.multi_asset(
        name=f"{PREFIX}{item.name}" if known else re.sub(r"[^A-Za-z0-9_]", "_", item.name),
        specs=[dg.AssetSpec(key, **about) for key in keys or [dg.AssetKey(item.name)]],
        check_specs=[dg.AssetCheckSpec(name, asset=dg.AssetKey(path)) for path, names in known for name in names],
        can_subset=True,
        config_schema=run_config.OF_BROKEN,
    )
    def broken() -> Iterator[Report]:
        yield from _fail(item)  # only a generator may have many outputs and no type of each

    return broken


def _fail(item: Broken) -> Iterator[Report]:
    raise dg.Failure(str(item.finding), allow_retries=False)
