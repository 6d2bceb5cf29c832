"""A run: builds a selection of products, for `kit run`, `kit.run()` and promotions alike."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from kit.build import BuildRequest, Outcome, Progress, declared_parameters, masked_with_other_key
from kit.core import Config, KitError, NotebookError, UnknownName, machine_problem, table_lines
from kit.drawing import markup
from kit.mesh import Broken, Context, DataProduct
from kit.orchestration import executor
from kit.orchestration.run_origin import RunOrigin
from kit.storage import index

_BROKEN = "broken"
_HEADER = ("product", "result", "snapshot", "seconds", "message")


class RunReporter:
    """Receives the events of a run. This one ignores them; a terminal and a notebook cell show them."""

    def started(self, products: Sequence[DataProduct]) -> None:
        """The run begins with these products, in build order."""

    def joined(self, products: Sequence[str]) -> None:
        """These products were not selected; they are built too, since their tokens were made with another masking key."""

    def progress(self) -> AbstractContextManager[Progress]:
        """Return the listener for the steps of one build."""
        return nullcontext(Progress())

    def finished(self, outcome: Outcome) -> None:
        """The build of one product has ended."""

    def warned(self, text: str) -> None:
        """Something beside the builds did not work; printed to standard error."""
        sys.stderr.write(f"{text}\n")


@dataclass(frozen=True)
class RunResult:
    """Outcomes of a run in build order, and those of the selected domains that cannot be read."""

    outcomes: tuple[Outcome, ...]
    broken: tuple[Broken, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The outcomes of the builds that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.failed)

    @property
    def succeeded(self) -> bool:
        """Whether no build failed and every domain can be read."""
        return not self.failed and not self.broken

    @property
    def busy(self) -> str:
        """A sentence about the products that another run was still building at the end of this one; empty without any."""
        busy = [outcome for outcome in self.outcomes if outcome.busy]
        if len(busy) < 2:
            return "".join(outcome.message for outcome in busy)
        names = ", ".join(outcome.product for outcome in busy)
        return f"{names} are being built by another run; wait for it with `kit run --wait`, or stop it and run again"

    def to_json(self) -> list[dict[str, Any]]:
        """The outcomes as JSON values, then the domains that cannot be read, with the status `broken`."""
        outcomes: list[dict[str, Any]] = [
            {
                "product": outcome.product,
                "status": outcome.status,
                "version": outcome.version,
                "seconds": round(outcome.seconds, 3),
                "message": outcome.message,
                "checks": [check.to_json() for check in outcome.checks],
            }
            for outcome in self.outcomes
        ]
        none: dict[str, Any] = {"version": None, "seconds": 0.0}
        return outcomes + [
            {"product": item.name, "status": _BROKEN, **none, "message": str(item.finding), "checks": []}
            for item in self.broken
        ]

    def __iter__(self) -> Iterator[Outcome]:
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
        ] + [(item.name, _BROKEN, "", "0.0", str(item.finding).partition("\n")[0]) for item in self.broken]


def run(
    context: Context,
    selection: Sequence[str] = (),
    *,
    upstream: bool = False,
    downstream: bool = False,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    partitions: Sequence[str] | Mapping[str, Sequence[str]] = (),
    wait: bool = False,
    older_code: bool = False,
    full_refresh: bool = False,
    discard_history: bool = False,
    reporter: RunReporter | None = None,
    at_once: bool = False,
    origin: RunOrigin | None = None,
) -> RunResult:
    """Build the selected products (or owners of ports), all of them for an empty selection, and publish them.

    Products that are up to date are skipped, unless forced. Under a new masking key the other products with tokens are built
    too, so that masked columns still join. `parameters` go, by name, to the notebooks that declare them. `partitions` are
    built of all products that have any, or are given by product. A product that
    another run builds is built after it with `wait`; without, it is no failure when that run has ended well by the end of
    this one. `older_code` permits to replace snapshots that newer code made. `full_refresh` reads all rows of sources again,
    `discard_history` begins the history of dbt snapshots anew.
    With `at_once` independent products are built at the same time, in processes that are forked from this one. Dagster shows
    the `origin` of its runs.
    A failed build is part of the result and stops no other, and so is a domain that cannot be read. Raises `UnknownName`,
    `NotebookError` for a parameter that no notebook declares, `KitError` when Dagster itself fails.
    """
    config, mesh, reporter = context.config, context.mesh, reporter or RunReporter()
    chosen = mesh.pick(selection, upstream=upstream, downstream=downstream)
    products = chosen.products
    by_product = partitions if isinstance(partitions, Mapping) else {}
    requests = build_requests(config, products, parameters or {}, () if by_product else tuple(partitions), force)
    requests = {name: replace(request, partitions=tuple(by_product.get(name, request.partitions)))
                for name, request in requests.items()}  # fmt: skip
    if joined := masked_with_other_key(context, products):
        reporter.joined(joined)
        products = mesh.select([*(product.name for product in products), *joined])
        requests = {name: BuildRequest() for name in joined} | requests
    options: dict[str, Any] = {"wait": wait, "older_code": older_code}
    options |= {"full_refresh": full_refresh, "discard_history": discard_history}
    requests = {name: replace(request, **options) for name, request in requests.items()}
    reporter.started(products)
    outcomes = tuple(
        executor.execute(
            context,
            products,
            requests,
            reporter.progress,
            reporter.finished,
            reporter.warned,
            origin.tags() if origin else {},
            at_once=at_once,
        )
    )
    if not selection:
        try:
            index.write(context)
        except (KitError, OSError) as error:
            reporter.warned(f"the index of the catalog could not be written: {machine_problem(error) or error}")
    return RunResult(outcomes, chosen.broken)


def build_requests(
    config: Config, products: Sequence[DataProduct], parameters: Mapping[str, Any], partitions: tuple[str, ...], force: bool
) -> dict[str, BuildRequest]:
    """Return the request of each product: the parameters that its notebooks declare and the partitions it is divided into.

    Raises `NotebookError` for a parameter that no notebook declares, `UnknownName` for a partition that does not exist.
    """
    accepted = {product.name: _accepted(product, parameters) for product in products}
    if unknown := sorted(set(parameters) - {name for values in accepted.values() for name in values}):
        selected = ", ".join(product.name for product in products)
        raise NotebookError(f"no notebook of {selected} has a parameter '{unknown[0]}'")
    keys = _partition_keys(config, products, partitions)
    return {name: BuildRequest(values, keys[name], force) for name, values in accepted.items()}


def _accepted(product: DataProduct, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a notebook of the product declares."""
    declared = declared_parameters(product) if parameters else {}
    return {name: value for name, value in parameters.items() if any(name in known for known in declared.values())}


def _partition_keys(config: Config, products: Iterable[DataProduct], partitions: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the requested partitions of each product; raises `UnknownName` for one that does not exist."""
    keys: dict[str, tuple[str, ...]] = {product.name: () for product in products}
    divided = {product.name: product.partitions for product in products if product.partitions}
    if partitions and not divided:
        raise UnknownName(f"none of {', '.join(keys)} has partitions; leave the partition out")
    return keys | {name: known.select(name, partitions, config.clock()) for name, known in divided.items() if partitions}
