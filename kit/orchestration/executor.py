"""Builds of products in this process, in order, as Dagster runs in the mesh's own instance."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from kit.build import BuildPlan, BuildRequest, Outcome, Progress, build, check_due, refused
from kit.core import Config, KitError
from kit.mesh import DataProduct, Mesh

Watch = Callable[[], AbstractContextManager[Progress]]


def execute(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest], watch: Watch,
    report: Callable[[Outcome], None],
) -> list[Outcome]:  # fmt: skip
    """Build products, given in build order: each after its providers.

    Dagster is started only for products that have something to do. `watch` returns the listener of each build, `report` is
    called with each outcome as soon as the build ends. A product that fails stops no other: its consumers are built from its
    last snapshot. Raises `KitError` when Dagster itself fails, `KeyboardInterrupt` when it is interrupted.
    """
    outcomes: dict[str, Outcome] = {}
    plans: dict[str, BuildPlan | None] = {}

    def done(outcome: Outcome) -> Outcome:
        outcomes[outcome.product] = outcome
        report(outcome)
        return outcome

    def run(product: DataProduct, request: BuildRequest) -> Outcome:
        with watch() as progress:
            outcome = build(config, product, request, planned=plans.get(product.name), progress=progress)
        return done(outcome)

    def refuse(product: DataProduct, reason: str) -> None:
        done(refused(config, product, requests[product.name], reason))

    due: list[DataProduct] = []
    for product in products:
        request = requests[product.name]
        if not request.force and not any(item.product == other.name for item in product.inputs for other in due):
            with watch() as progress:
                checked = check_due(config, product, request, progress)
            if checked.outcome:
                if done(checked.outcome).interrupted:
                    raise KeyboardInterrupt
                continue
            plans[product.name] = checked.plan
        due.append(product)
    while due:
        _run(config, mesh, _wave(due), requests, run, refuse)
        waiting = [product for product in due if product.name not in outcomes]
        if waiting == due:
            raise KitError(f"Dagster could not build {', '.join(product.name for product in due)}; `kit dev` shows its run")
        due = waiting
    return [outcomes[product.name] for product in products]


def _wave(due: Sequence[DataProduct]) -> list[DataProduct]:
    """The products that one Dagster run can build: all up to the first partitioned product, or that one alone."""
    if due[0].partitions:
        return [due[0]]
    cut = next((number for number, product in enumerate(due) if product.partitions), len(due))
    return list(due[:cut])


def _run(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest],
    builder: Callable[[DataProduct, BuildRequest], Outcome], refuse: Callable[[DataProduct, str], None],
) -> None:  # fmt: skip
    import dagster as dg

    from kit.orchestration.assets import PREFIX
    from kit.orchestration.dagster_internals import asset_job
    from kit.orchestration.definitions import REASON, definitions
    from kit.orchestration.instance import instance

    outcomes: dict[str, Outcome] = {}
    interrupted = False

    def requested(product: DataProduct, step_request: BuildRequest) -> Outcome:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        request = replace(requests[product.name], partitions=step_request.partitions, canceled=step_request.canceled)
        try:
            outcome = outcomes[product.name] = builder(product, request)
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            interrupted = True
            raise
        interrupted = outcome.interrupted
        return outcome

    mesh_definitions, names = definitions(config, mesh, requested), {product.name for product in products}
    specs = [spec for spec in mesh_definitions.resolve_all_asset_specs() if spec.group_name in names]
    reasons = {spec.group_name: spec.metadata[REASON] for spec in specs if REASON in spec.metadata}
    for product in products:
        if product.name in reasons:
            refuse(product, str(reasons[product.name]))
    assets = {spec.key for spec in specs if spec.group_name not in reasons}
    if not assets:
        return
    # A build reports its checks itself; if Dagster planned each of them, the run would take twice as long.
    job = asset_job(mesh_definitions, assets)
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
                if outcome and not outcome.failed:
                    error = event.step_failure_data.error
                    reason = (error.cause or error).message.strip() if error else "no reason given"
                    raise KitError(f"'{outcome.product}' was {outcome.status}, but Dagster could not record it: {reason}")
            if any(outcome.failed for outcome in outcomes.values()):
                return  # the outcome of the next range would replace the failure


def _tags(config: Config, product: DataProduct, request: BuildRequest) -> list[dict[str, str]]:
    """The tags of each run that is needed: one run for every range of consecutive partitions."""
    if not product.partitions:
        return [{}]
    known = product.partitions.all(config.clock())
    if not known:
        return [{}]  # the build fails with the reason
    ranges: list[tuple[int, int]] = []
    for number in sorted({known.index(key) for key in request.partitions or known}):
        first = ranges.pop()[0] if ranges and ranges[-1][1] == number - 1 else number
        ranges.append((first, number))
    return [
        {"dagster/asset_partition_range_start": known[first], "dagster/asset_partition_range_end": known[last]}
        for first, last in ranges
    ]
