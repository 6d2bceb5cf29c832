"""Builds of products in this process, in order, as Dagster runs in the mesh's own instance."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from uuid import uuid4

from kit.build import BUILT_MEANWHILE, BuildPlan, BuildRequest, Outcome, Progress, build, check_due, refused
from kit.core import Config, KitError, machine_problem
from kit.mesh import DataProduct, Mesh
from kit.orchestration.reservations import Reservations
from kit.storage import BuildStatus, Store

Watch = Callable[[], AbstractContextManager[Progress]]


def execute(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest], watch: Watch,
    report: Callable[[Outcome], None], warn: Callable[[str], None],
) -> list[Outcome]:  # fmt: skip
    """Build products, given in build order: each after its providers.

    Dagster is started only for products that have something to do. `watch` returns the listener of each build, `report` is
    called with each outcome as soon as the build ends, `warn` with the reason why Dagster did not record a build. A product
    that fails stops no other: its consumers are built from its last snapshot. Raises `KitError` when Dagster itself fails,
    `KeyboardInterrupt` when it is interrupted.
    """
    outcomes: dict[str, Outcome] = {}
    busy: set[str] = set()
    with Reservations(Store(config.storage)) as reserved:
        if any(request.wait for request in requests.values()):
            with watch() as progress:
                busy |= reserved.wait_for(products, progress)
        for product in products:
            reserved.take(product.name)
        # What another run builds, and what reads it, comes last: that run may have ended well by then.
        later = _build_all(config, mesh, products, requests, watch, report, warn, outcomes, busy, reserved, last=False)
        _build_all(config, mesh, later, requests, watch, report, warn, outcomes, busy, reserved, last=True)
    return [outcomes[product.name] for product in products]


def _build_all(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest], watch: Watch,
    report: Callable[[Outcome], None], warn: Callable[[str], None], outcomes: dict[str, Outcome], busy: set[str],
    reserved: Reservations, *, last: bool,
) -> list[DataProduct]:  # fmt: skip
    """Build products and add their outcomes; returns those that another run builds, with the ones that read them.

    `busy` collects the names of those that another run builds or has `reserved`. When it is the `last` attempt, what another
    run still builds has failed.
    """
    plans: dict[str, BuildPlan | None] = {}
    later: dict[str, DataProduct] = {}

    def done(outcome: Outcome) -> Outcome:
        if outcome.busy and not last:
            busy.add(outcome.product)
            later[outcome.product] = mesh.product(outcome.product)
        else:
            outcomes[outcome.product] = outcome
            reserved.release(outcome.product)
            report(outcome)
        return outcome

    def run(product: DataProduct, request: BuildRequest) -> Outcome:
        with watch() as progress:
            outcome = build(config, product, request, planned=plans.get(product.name), progress=progress)
        return done(outcome)

    def left(due: Sequence[DataProduct]) -> list[DataProduct]:
        """The products that neither have ended nor wait for another run."""
        for product in due:
            if product.name not in outcomes and any(item.product in later for item in product.inputs):
                later[product.name] = product
        return [product for product in due if product.name not in outcomes and product.name not in later]

    def refuse(product: DataProduct, reason: str) -> None:
        done(refused(config, product, requests[product.name], reason))

    due: list[DataProduct] = []
    for product in products:
        request = requests[product.name]
        if not left([product]):
            continue
        if taken := reserved.take(product.name):
            done(taken)
            continue
        if not request.force and not any(item.product == other.name for item in product.inputs for other in due):
            with watch() as progress:
                checked = check_due(config, product, request, progress)
            if checked.outcome:
                outcome = checked.outcome
                if product.name in busy and outcome.status == BuildStatus.UP_TO_DATE:
                    outcome = replace(outcome, message=BUILT_MEANWHILE)
                if done(outcome).interrupted:
                    raise KeyboardInterrupt
                continue
            plans[product.name] = checked.plan
        due.append(product)
    while due := left(due):
        _run(config, mesh, _wave(due), requests, run, refuse, warn)
        if left(due) == due:
            raise KitError(f"Dagster could not build {', '.join(product.name for product in due)}; `kit dev` shows its run")
    return [product for product in products if product.name in later]


def _wave(due: Sequence[DataProduct]) -> list[DataProduct]:
    """The products that one Dagster run can build: all up to the first partitioned product, or that one alone."""
    if due[0].partitions:
        return [due[0]]
    cut = next((number for number, product in enumerate(due) if product.partitions), len(due))
    return list(due[:cut])


def _run(
    config: Config, mesh: Mesh, products: Sequence[DataProduct], requests: Mapping[str, BuildRequest],
    builder: Callable[[DataProduct, BuildRequest], Outcome], refuse: Callable[[DataProduct, str], None],
    warn: Callable[[str], None],
) -> None:  # fmt: skip
    import dagster as dg

    from kit.orchestration.assets import PREFIX
    from kit.orchestration.dagster_internals import asset_job
    from kit.orchestration.definitions import REASON, definitions
    from kit.orchestration.instance import executing, instance

    outcomes: dict[str, Outcome] = {}
    interrupted = False

    def requested(product: DataProduct, step_request: BuildRequest) -> Outcome:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        # Without requested partitions the build decides which are due.
        partitions = step_request.partitions if requests[product.name].partitions else ()
        request = replace(requests[product.name], partitions=partitions, canceled=step_request.canceled)
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
            run_id = str(uuid4())
            try:
                with executing(config, run_id):
                    done = job.execute_in_process(
                        run_config=quiet, instance=opened, tags=tags, raise_on_error=False, run_id=run_id
                    )
            except dg.DagsterExecutionInterruptedError:
                interrupted = True
            except Exception as problem:
                reason = machine_problem(problem) or f"{problem}".partition("\n")[0]
                if interrupted:
                    raise KeyboardInterrupt from problem
                if not outcomes:
                    raise KitError(f"Dagster could not begin the build: {reason}") from problem
                warn(f"Dagster could not record the build of {', '.join(outcomes)}: {reason}")
                return
            if interrupted:
                raise KeyboardInterrupt
            for event in done.get_step_failure_events():
                outcome = outcomes.get(str(event.step_key).removeprefix(PREFIX))
                if outcome and not outcome.failed:
                    error = event.step_failure_data.error
                    reason = (error.cause or error).message.strip() if error else "no reason given"
                    warn(f"'{outcome.product}' was {outcome.status}, but Dagster could not record it: {reason}")
            if any(outcome.failed for outcome in outcomes.values()):
                return  # the outcome of the next range would replace the failure


def _tags(config: Config, product: DataProduct, request: BuildRequest) -> list[dict[str, str]]:
    """The tags of each run that is needed: one run for every range of consecutive partitions."""
    from kit.orchestration.automation import range_tags

    if not product.partitions:
        return [{}]
    known = product.partitions.all(config.clock())
    ranges = product.partitions.ranges(set(request.partitions or known), config.clock())
    return [range_tags(first, last) for first, last in ranges] or [{}]  # without any, the build fails with the reason
