"""Building products in this process, in order, as a Dagster run in the mesh's own instance."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from kit.build import BuildRequest, DueCheck, Outcome, Progress, build, check_due
from kit.core import Config, KitError
from kit.mesh import DataProduct, Mesh

Watch = Callable[[], AbstractContextManager[Progress]]


def execute(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest], watch: Watch,
    tell: Callable[[Outcome], None],
) -> list[Outcome]:  # fmt: skip
    """Build products, given in build order; what they read and has to be built too comes first.

    Dagster is only started for those that have something to do. `watch` gives the listener of each build, `tell` hears
    each outcome as it is there. A product that fails stops no other: its consumers are built from its last snapshot.
    Raises `KitError` when Dagster itself fails, `KeyboardInterrupt` when it is interrupted.
    """
    outcomes: dict[str, Outcome] = {}
    seen: dict[str, DueCheck] = {}

    def done(outcome: Outcome) -> Outcome:
        outcomes[outcome.product] = outcome
        tell(outcome)
        return outcome

    def run(product: DataProduct, request: BuildRequest) -> Outcome:
        with watch() as progress:
            landings = seen[product.name].landings if product.name in seen else None
            outcome = build(config, product, request, landings=landings, progress=progress)
        return done(outcome)

    due: list[DataProduct] = []
    for product in products:
        request = requests[product.name]
        if not request.force and not any(item.product == other.name for item in product.inputs for other in due):
            with watch() as progress:
                seen[product.name] = check_due(config, product, request, progress)
            if outcome := seen[product.name].outcome:
                done(outcome)
                continue
        due.append(product)
    while due:
        _run(config, mesh, _wave(due), requests, run)
        left = [product for product in due if product.name not in outcomes]
        if left == due:
            raise KitError(f"Dagster could not build {', '.join(product.name for product in due)}; `kit dev` shows its run")
        due = left
    return [outcomes[product.name] for product in products]


def _wave(due: Sequence[DataProduct]) -> list[DataProduct]:
    """What one Dagster run can build: all up to the first partitioned product, or that one alone."""
    if due[0].partitions:
        return [due[0]]
    cut = next((number for number, product in enumerate(due) if product.partitions), len(due))
    return list(due[:cut])


def _run(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest],
    builder: Callable[[DataProduct, BuildRequest], Outcome],
) -> None:  # fmt: skip
    import dagster as dg

    from kit.dbt.project import Project
    from kit.lineage import product_nodes
    from kit.orchestration.assets import PREFIX, asset_key
    from kit.orchestration.dagster_internals import asset_job
    from kit.orchestration.definitions import definitions
    from kit.orchestration.instance import instance

    outcomes: dict[str, Outcome] = {}
    interrupted = False

    def asked(product: DataProduct, request: BuildRequest) -> Outcome:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        mine = requests[product.name]
        try:
            outcomes[product.name] = builder(product, BuildRequest(mine.parameters, request.partitions, mine.force))
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            interrupted = True
            raise
        return outcomes[product.name]

    assets = {asset_key(node.id) for product in products for node in product_nodes(product, Project.read(product.folder))}
    # Checks are reported as they come out of a build; planning each of them beforehand would cost as much again.
    job = asset_job(definitions(config, mesh, asked), assets)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with instance(config) as opened:
        for tags in _tags(config, products[0], requests[products[0].name]):
            try:
                done = job.execute_in_process(run_config=quiet, instance=opened, tags=tags, raise_on_error=False)
            except dg.DagsterExecutionInterruptedError:
                interrupted = True
            if interrupted:
                raise KeyboardInterrupt
            for event in done.get_step_failure_events():
                outcome = outcomes.get(str(event.step_key).removeprefix(PREFIX))
                if outcome and outcome.status != "failed":
                    error = event.step_failure_data.error
                    said = (error.cause or error).message.strip() if error else "no reason given"
                    raise KitError(f"'{outcome.product}' was {outcome.status}, but Dagster could not record it: {said}")
            if any(outcome.status == "failed" for outcome in outcomes.values()):
                return  # what another range does must not hide it


def _tags(config: Config, product: DataProduct, request: BuildRequest) -> list[dict[str, str]]:
    """The tags of each run that is needed: one for every unbroken range of partitions."""
    if not product.partitions:
        return [{}]
    known = product.partitions.all(config.clock())
    if not known:
        return [{}]  # the build says so
    ranges: list[tuple[int, int]] = []
    for number in sorted({known.index(key) for key in request.partitions or known}):
        first = ranges.pop()[0] if ranges and ranges[-1][1] == number - 1 else number
        ranges.append((first, number))
    return [
        {"dagster/asset_partition_range_start": known[first], "dagster/asset_partition_range_end": known[last]}
        for first, last in ranges
    ]
