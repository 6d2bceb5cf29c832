"""Building from Python: what `kit run` does, with its progress in a notebook or a terminal."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.build import BuildRequest, Progress, declared_parameters
from kit.core import Config, KitError, NotebookError, UnknownName, table_lines
from kit.drawing import markup
from kit.mesh import DataProduct, Mesh
from kit.notebooks import RUN_FILE
from kit.storage import index

if TYPE_CHECKING:
    from kit.build import Outcome

_HEADER = ("product", "result", "snapshot", "seconds", "message")


@dataclass(frozen=True)
class BuildResult:
    """How the builds of some products ended, in build order."""

    outcomes: tuple["Outcome", ...]

    def __iter__(self) -> Iterator["Outcome"]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __repr__(self) -> str:
        return "\n".join(table_lines(_HEADER, self._rows()))

    def _repr_html_(self) -> str:
        rows = [(name, markup.colour_states(status), *rest) for name, status, *rest in self._rows()]
        return markup.table(_HEADER, rows, ["seconds"])

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (item.product, item.status, item.version or "", f"{item.seconds:.1f}", item.message.partition("\n")[0])
            for item in self.outcomes
        ]


def run(
    *selection: str,
    upstream: bool = False,
    downstream: bool = False,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    partitions: Iterable[str] = (),
) -> BuildResult:
    """Build products (or owners of ports), all of them for no name, and publish them if they keep their contracts.

    What is up to date is skipped, unless forced. `parameters` are those of notebooks, by name. The steps are told as they
    go, in a notebook in place. Raises `KitError` when a product fails, after all others are built: nothing further runs
    in a notebook, and readers keep the snapshots they had.
    """
    from kit.orchestration.executor import execute

    if RUN_FILE in os.environ:
        raise KitError("a build cannot start another one; declare as input what this notebook reads, and it is built before")
    config = Config.load()
    mesh = Mesh.load(config.domains, config.cache)
    products = mesh.select(selection, upstream=upstream, downstream=downstream)
    asked = requests(config, products, parameters or {}, tuple(partitions), force)
    watch, tell = _telling()
    outcomes = execute(config, mesh, products, asked, watch, tell)
    if not selection:
        index.write(config, mesh)
    failed = [outcome for outcome in outcomes if outcome.failed]
    broken = () if selection else mesh.broken
    if failed or broken:
        texts = [outcome.message for outcome in failed] + [f"{item.name} is broken: {item.message}" for item in broken]
        raise KitError("\n".join(texts))
    return BuildResult(tuple(outcomes))


def requests(
    config: Config, products: Sequence[DataProduct], given: Mapping[str, Any], partitions: tuple[str, ...], force: bool
) -> dict[str, BuildRequest]:
    """What is asked of each product: the parameters its notebooks declare and, where it is cut, the partitions.

    Raises `NotebookError` for a parameter that no notebook declares, `UnknownName` for a partition that is not there.
    """
    parameters = {product.name: _mine(product, given) for product in products}
    if unknown := sorted(set(given) - {name for mine in parameters.values() for name in mine}):
        selected = ", ".join(product.name for product in products)
        raise NotebookError(f"no notebook of {selected} has a parameter '{unknown[0]}'")
    keys = _partitions(config, products, partitions)
    return {name: BuildRequest(mine, keys[name], force) for name, mine in parameters.items()}


def _mine(product: DataProduct, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given parameters that a notebook of the product declares."""
    declared = declared_parameters(product) if given else {}
    return {name: value for name, value in given.items() if any(name in known for known in declared.values())}


def _partitions(config: Config, products: Iterable[DataProduct], asked: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The asked partitions for each product that has any; raises `UnknownName` for one that is not there."""
    keys: dict[str, tuple[str, ...]] = {product.name: () for product in products}
    cut = {product.name: product.partitions for product in products if product.partitions}
    if asked and not cut:
        raise UnknownName(f"none of {', '.join(keys)} has partitions; leave the partition out")
    return keys | {name: how.select(name, asked, config.clock()) for name, how in cut.items() if asked}


def _telling() -> tuple[Callable[[], AbstractContextManager[Progress]], Callable[["Outcome"], None]]:
    """Who listens to builds and who hears their outcomes: the output of the cell at work, else the terminal."""
    from kit.cli import console
    from kit.jupyter import progress

    if progress.in_notebook():
        told = progress.CellProgress()
        return told.watch, told.tell
    return lambda: console.progress(False), console.print_outcome
