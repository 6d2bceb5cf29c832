"""Builds of products in this process, in order, as Dagster runs in the mesh's own instance."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from uuid import uuid4

from kit.build import (
    BUILT_MEANWHILE,
    BuildPlan,
    BuildRequest,
    DueCheck,
    Outcome,
    Progress,
    begin_environments,
    build,
    check_due,
    refused,
)
from kit.core import Config, KitError, interrupt_reason, machine_problem, need_resources
from kit.mesh import Context, DataProduct
from kit.orchestration.builders import INTERRUPTED, Builders, Event, Send, builds_at_once, died, progress_of
from kit.orchestration.reservations import Reservations
from kit.storage import BuildStatus, Store

Watch = Callable[[], AbstractContextManager[Progress]]


def execute(
    context: Context,
    products: Sequence[DataProduct],
    requests: Mapping[str, BuildRequest],
    watch: Watch,
    report: Callable[[Outcome], None],
    warn: Callable[[str], None],
    tags: Mapping[str, str] = MappingProxyType({}),
    *,
    at_once: bool = False,
) -> list[Outcome]:
    """Build products, given in build order: each after its providers, and with `at_once` several at the same time.

    Then the sources of products that read none of the others are landed at the same time, too, before the first build.

    That forks this process, which must not have worked with DuckDB, dbt or polars yet.

    Dagster is started only for products that have something to do. `watch` returns the listener of each build, `report` is
    called with each outcome as soon as the build ends, `warn` with the reason why Dagster did not record a build; its runs
    get the `tags`. A product
    that fails stops no other: its consumers are built from its last snapshot. Raises `KitError` when Dagster itself fails,
    `KeyboardInterrupt` when it is interrupted.
    """
    limit = builds_at_once(context.config.parallel_builds, products) if at_once else 1
    job = _Job(context, requests, tags)
    if limit > 1 and any(product.sources for product in products):
        import duckdb  # noqa: F401  for the checks, which are forked from a process without it else
    with (
        Builders(limit, job, job.check).serving() if limit > 1 else nullcontext() as builders,
        Reservations(Store(context.config.storage)) as reserved,
    ):
        builds = _Builds(context, requests, watch, report, warn, tags, reserved, builders)
        builds.waiting = begin_environments(context.config, products)
        if any(request.wait for request in requests.values()):
            with watch() as progress:
                builds.busy |= reserved.wait_for(products, progress)
        for product in products:
            reserved.take(product.name)
        # What another run builds, and what reads it, comes last: that run may have ended well by then.
        later = builds.attempt(products, last=False)
        builds.attempt(later, last=True)
    return [builds.outcomes[product.name] for product in products]


class _Builds:
    """The builds of one run: what is asked for, and the outcomes of those that have ended.

    `busy` are the names of products that another run builds or has `reserved`. In each attempt `later` are those and the
    ones that read them; at the `last` one a product that another run still builds has failed. Those that are `waiting` have
    connectors whose environments are being made: they are not asked whether they are due, so that others need not wait.
    """

    def __init__(
        self,
        context: Context,
        requests: Mapping[str, BuildRequest],
        watch: Watch,
        report: Callable[[Outcome], None],
        warn: Callable[[str], None],
        tags: Mapping[str, str],
        reserved: Reservations,
        builders: Builders | None,
    ) -> None:
        self.context, self.requests, self.watch, self.report, self.warn = context, requests, watch, report, warn
        self.tags, self.reserved, self.builders = tags, reserved, builders
        self.outcomes: dict[str, Outcome] = {}
        self.busy: set[str] = set()
        self.later: set[str] = set()
        self.plans: dict[str, BuildPlan | None] = {}
        self.checks: dict[str, DueCheck] = {}
        self.last = False
        self.waiting: set[str] = set()
        self.interruption = ""

    def attempt(self, products: Sequence[DataProduct], *, last: bool) -> list[DataProduct]:
        """Build products; returns those that another run builds, with the ones that read them."""
        self.last, self.later, self.plans, self.checks = last, set(), {}, {}
        due: list[DataProduct] = []
        for number, product in enumerate(products):
            if self.builders and product.sources and product.name not in self.checks:
                self._check_at_once(products[number:], due, self.builders)
            if self._left([product]) and self._is_due(product, due):
                due.append(product)
        if self.builders and len(due) > 1:
            builders, plans = self.builders, self.plans
            self._at_once(due, builders, lambda product: builders.start(product, plans.get(product.name)))
        while due := self._left(due):
            _run(self.context, _wave(due), self.requests, self._build, self._refuse, self.warn, self.tags)
            if self._left(due) == due:
                raise KitError(f"Dagster could not build {', '.join(product.name for product in due)}; `kit dev` shows its run")
        return [product for product in products if product.name in self.later]

    def _check_at_once(self, products: Sequence[DataProduct], due: Sequence[DataProduct], builders: Builders) -> None:
        """Land the sources of several products at the same time: of those that read nothing which is asked or built now."""
        open_names = {product.name for product in (*products, *due)}
        ready = [
            product
            for product in self._left(products)
            if product.sources
            and not self.requests[product.name].force
            and product.name not in self.waiting
            and open_names.isdisjoint(item.product for item in product.inputs)
            and not self.reserved.take(product.name)
        ]
        if len(ready) > 1:
            self._at_once(ready, builders, builders.check)

    def _is_due(self, product: DataProduct, due: Sequence[DataProduct]) -> bool:
        """Return whether Dagster has to build a product; the outcome of one with nothing to do is added."""
        request = self.requests[product.name]
        if taken := self.reserved.take(product.name):
            self._done(taken)
            return False
        if (
            request.force
            or product.name in self.waiting
            or any(item.product == other.name for item in product.inputs for other in due)
        ):
            return True
        checked = self.checks.pop(product.name, None)
        if checked is None:
            with self.watch() as progress:
                checked = check_due(self.context.config, product, request, progress)
        if checked.outcome is None:
            self.plans[product.name] = checked.plan
            return True
        outcome = checked.outcome
        if product.name in self.busy and outcome.status == BuildStatus.UP_TO_DATE:
            outcome = replace(outcome, message=BUILT_MEANWHILE)
        if self._done(outcome).interrupted:
            raise KeyboardInterrupt
        return False

    def _at_once(self, due: Sequence[DataProduct], builders: Builders, start: Callable[[DataProduct], None]) -> None:
        """Start the work on products at the same time, each as soon as all of its providers among them have ended."""
        waiting, listeners = list(due), dict[str, Progress]()
        with ExitStack() as stack:
            closing: dict[str, ExitStack] = {}
            while waiting or builders.running:
                for product in list(waiting):
                    unfinished = {other.name for other in (*waiting, *builders.running)}
                    if not builders.is_full and unfinished.isdisjoint(item.product for item in product.inputs):
                        closing[product.name] = stack.enter_context(ExitStack())
                        listeners[product.name] = closing[product.name].enter_context(self.watch())
                        start(product)
                        waiting.remove(product)
                for event in builders.events():
                    if event.name == "ended":
                        closing[event.product.name].close()
                    self._happened(event, listeners[event.product.name])
                waiting = self._left(waiting)

    def _happened(self, event: Event, listener: Progress) -> None:
        """Pass on what happened in the build of a product."""
        if event.name in ("begin", "end"):
            getattr(listener, event.name)(*event.values)
        elif event.name == "warn":
            self.warn(*event.values)
        elif event.name == "error":
            raise event.values[0]
        elif event.name == "interrupted":
            self.interruption = event.values[0]  # its process is about to end
        elif event.name == "checked":
            (self.checks[event.product.name],) = event.values
        elif event.name == "outcome":
            if self._done(event.values[0]).interrupted:
                raise KeyboardInterrupt
        elif self._left([event.product]):
            code, seconds = event.values
            if code == INTERRUPTED:
                raise KeyboardInterrupt(self.interruption)
            if code < 0:
                self._done(died(event.product, code, seconds))

    def _build(self, product: DataProduct, request: BuildRequest) -> Outcome:
        with self.watch() as progress:
            planned = self.plans.get(product.name)
            return self._done(build(self.context.config, product, request, planned=planned, progress=progress))

    def _refuse(self, product: DataProduct, reason: str) -> None:
        self._done(refused(self.context.config, product, self.requests[product.name], reason))

    def _done(self, outcome: Outcome) -> Outcome:
        if outcome.busy and not self.last:
            self.busy.add(outcome.product)
            self.later.add(outcome.product)
        else:
            self.outcomes[outcome.product] = outcome
            self.reserved.release(outcome.product)
            self.report(outcome)
        return outcome

    def _left(self, due: Sequence[DataProduct]) -> list[DataProduct]:
        """The products that neither have ended nor wait for another run."""
        for product in due:
            if product.name not in self.outcomes and any(item.product in self.later for item in product.inputs):
                self.later.add(product.name)
        return [product for product in due if product.name not in self.outcomes and product.name not in self.later]


@dataclass(frozen=True)
class _Job:
    """Builds a product in a process of its own, and sends what happens."""

    context: Context
    requests: Mapping[str, BuildRequest]
    tags: Mapping[str, str]

    def check(self, name: str, send: Send) -> None:
        """Send whether a product is due."""
        product = self.context.mesh.product(name)
        send("checked", check_due(self.context.config, product, self.requests[name], progress_of(send)))

    def __call__(self, name: str, planned: BuildPlan | None, send: Send) -> None:
        config, product = self.context.config, self.context.mesh.product(name)
        progress = progress_of(send)

        def builder(product: DataProduct, request: BuildRequest) -> Outcome:
            outcome = build(config, product, request, planned=planned, progress=progress)
            send("outcome", outcome)
            return outcome

        def refuse(product: DataProduct, reason: str) -> None:
            send("outcome", refused(config, product, self.requests[product.name], reason))

        _run(self.context, [product], self.requests, builder, refuse, lambda text: send("warn", text), self.tags)


def _wave(due: Sequence[DataProduct]) -> list[DataProduct]:
    """The products that one Dagster run can build: all up to the first partitioned product, or that one alone."""
    if due[0].partitions:
        return [due[0]]
    cut = next((number for number, product in enumerate(due) if product.partitions), len(due))
    return list(due[:cut])


def _run(
    context: Context,
    products: Sequence[DataProduct],
    requests: Mapping[str, BuildRequest],
    builder: Callable[[DataProduct, BuildRequest], Outcome],
    refuse: Callable[[DataProduct, str], None],
    warn: Callable[[str], None],
    tags: Mapping[str, str],
) -> None:
    import dagster as dg

    from kit.orchestration.assets import PREFIX
    from kit.orchestration.dagster_internals import asset_job, recorded_as, set_console_level
    from kit.orchestration.definitions import REASON, definitions
    from kit.orchestration.instance import LOCATION, executing, instance

    need_resources()
    outcomes: dict[str, Outcome] = {}
    interrupted = False

    def requested(product: DataProduct, step_request: BuildRequest) -> Outcome:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        # Without requested partitions the build decides which are due.
        partitions = step_request.partitions if requests[product.name].partitions else ()
        request = replace(
            requests[product.name], partitions=partitions, canceled=step_request.canceled, dagster_run=step_request.dagster_run
        )
        try:
            outcome = outcomes[product.name] = builder(product, request)
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            interrupted = True
            raise
        interrupted = outcome.interrupted
        return outcome

    mesh_definitions, names = definitions(context, requested, products), {product.name for product in products}
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
    set_console_level("CRITICAL")
    with instance(context.config) as opened:
        for partitions in _partition_tags(context.config, products[0], requests[products[0].name]):
            run_id = str(uuid4())
            try:
                with executing(context.config, run_id), recorded_as(opened, job.name, assets, LOCATION):
                    done = job.execute_in_process(
                        instance=opened, tags={**tags, **partitions}, raise_on_error=False, run_id=run_id
                    )
            except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
                interrupted = True
            except Exception as problem:
                reason = machine_problem(problem) or f"{problem}".partition("\n")[0]
                if interrupted:
                    raise KeyboardInterrupt(interrupt_reason()) from problem
                if not outcomes:
                    raise KitError(f"Dagster could not begin the build: {reason}") from problem
                warn(f"Dagster could not record the build of {', '.join(outcomes)}: {reason}")
                return
            if interrupted:
                raise KeyboardInterrupt(interrupt_reason())
            for event in done.get_step_failure_events():
                outcome = outcomes.get(str(event.step_key).removeprefix(PREFIX))
                if outcome and not outcome.failed:
                    error = event.step_failure_data.error
                    reason = (error.cause or error).message.strip() if error else "no reason given"
                    warn(f"'{outcome.product}' was {outcome.status}, but Dagster could not record it: {reason}")
            if any(outcome.failed for outcome in outcomes.values()):
                return  # the outcome of the next range would replace the failure


def _partition_tags(config: Config, product: DataProduct, request: BuildRequest) -> list[dict[str, str]]:
    """The tags of each run that is needed: one run for every range of consecutive partitions."""
    from kit.orchestration.automation import partition_tags

    if not product.partitions:
        return [{}]
    known = product.partitions.all(config.clock())
    ranges = product.partitions.ranges(set(request.partitions or known), config.clock())
    return [partition_tags(first, last) for first, last in ranges] or [{}]  # without any, the build fails with the reason
