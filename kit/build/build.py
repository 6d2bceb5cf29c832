"""A build: gather inputs, plan, make, publish, record. The one way to a published snapshot."""

import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit.build.code_age import check_code_age
from kit.build.consumers import check_consumers, store_definitions
from kit.build.listeners import Listener, notify
from kit.build.make import make
from kit.build.manifest import manifest
from kit.build.plan import BuildPlan, BuildRequest, gather_inputs, plan, still_holds
from kit.build.product_lock import product_lock
from kit.build.progress import Progress
from kit.build.workspace import Workspace
from kit.contracts import Check
from kit.core import (
    Busy,
    Config,
    Interruption,
    KitError,
    Secrets,
    current_commit,
    is_failure,
    machine_problem,
    relation_of_commits,
    why_it_may_pass,
)
from kit.dbt.committed import sources_folder
from kit.mesh import Context, DataProduct
from kit.quality import audit_targets
from kit.storage import (
    NOTHING_TO_DO,
    BuildStatus,
    RunRecord,
    Runs,
    Snapshot,
    Store,
    current_user,
    facts_of,
    index,
    note_published,
    retain,
    with_facts,
)

_CANCELED = "it was stopped before it was published; readers keep the last snapshot"
BUILT_MEANWHILE = "built by another run meanwhile"
_DESCRIBED = "no data was built; readers see the new texts of descriptor and contracts"
_HELD = "rolled back from just this code and these inputs; change something, or use --force"


@dataclass(frozen=True)
class Outcome:
    """The result of the build of one product.

    `snapshot` is the one readers see after a build that did not fail. `may_pass` names the reason why a failure may not occur
    again on the next attempt; empty for all others. `busy` marks one that did not begin, because another process builds the
    product. `interrupted` marks a build that was over when its end was requested.
    """

    product: str
    status: BuildStatus
    seconds: float
    snapshot: Snapshot | None = None
    message: str = ""
    checks: tuple[Check, ...] = ()
    may_pass: str = ""
    notebooks: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    interrupted: bool = False
    busy: bool = False

    @property
    def failed(self) -> bool:
        """Whether the build failed."""
        return self.status == BuildStatus.FAILED

    @property
    def version(self) -> str | None:
        """The version readers see, or None when the build failed."""
        return self.snapshot.version if self.snapshot else None


@dataclass(frozen=True)
class DueCheck:
    """The result of `check_due`: the outcome when nothing is to be done now, else the plan of the build, if there is one."""

    outcome: Outcome | None
    plan: BuildPlan | None = None


def build(
    config: Config,
    product: DataProduct,
    request: BuildRequest | None = None,
    *,
    planned: BuildPlan | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Build one product and publish it when no check blocks.

    No data is made when code, contracts, inputs and parameters are those of the current snapshot, unless forced; its readers
    then see the texts of today. `planned`
    is a plan made just before for the same request; it is used unless something has moved since. A failure is recorded and
    returned, never raised: readers keep the last good snapshot. A build that did not begin because another process builds
    the product leaves no record. SIGINT, SIGTERM and SIGHUP, and a request that is canceled, end it before it publishes
    anything: that is recorded and raises `KeyboardInterrupt`.
    """
    with Interruption() as interruption:
        run = _Run(config, product, request or BuildRequest(), progress or Progress(), interruption)
        try:
            with run.locked() as held, run.marked() as mark:
                return run.build(held, planned, mark)
        except Busy as error:
            return run.busy(error)
        except BaseException as error:  # the lock could not be had
            return run.fail(error)


def check_due(config: Config, product: DataProduct, request: BuildRequest, progress: Progress | None = None) -> DueCheck:
    """Plan the build of a product; when there is nothing to do, that is its build, and recorded as such.

    The outcome of a product that another process builds is busy. Any other error is left to the build, which finds and
    records it.
    """
    with Interruption() as interruption:
        run = _Run(config, product, request, progress or Progress(), interruption)
        try:
            with run.locked() as held, run.marked(), run.recorded_when_interrupted():
                planned = run.plan(held, None)
                return DueCheck(run.finish(planned.status, planned) if planned.status else None, planned)
        except Busy as error:
            return DueCheck(run.busy(error))
        except BaseException as error:
            if not is_failure(error):
                raise
            return DueCheck(None)


def refused(config: Config, product: DataProduct, request: BuildRequest, reason: str) -> Outcome:
    """Record and return the failure of a product that could not be built at all."""
    with Interruption() as interruption:
        return _Run(config, product, request, Progress(), interruption).fail(KitError(reason))


class _Run:
    """One build of a product, from its start to its record."""

    def __init__(
        self, config: Config, product: DataProduct, request: BuildRequest, progress: Progress, interruption: Interruption
    ) -> None:
        self.config = config
        self.product = product
        self.request = request
        self.progress = progress
        self.interruption = interruption
        self.progress.seconds = {}
        self.started, self.clock = datetime.now(UTC), time.perf_counter()
        self.run_id = Runs.new_id()
        folder, (raw, ports) = Runs(config.storage).folder(product.name, self.run_id), audit_targets(product)
        self.workspace = Workspace(config, product.name, folder, run_id=self.run_id, progress=progress, targets=raw + ports)
        self.scrubbed: Callable[[Any], Any] = Secrets().scrubbed
        self.waited = False
        self.notices: list[str] = []
        self.listeners: dict[str, Listener] = {}

    @contextmanager
    def locked(self) -> Iterator[ExitStack]:
        """Hold the lock of the product, after waiting for it if that was requested; raises `Busy`.

        At the end, old runs are removed.
        """
        with ExitStack() as stack:
            try:
                held = stack.enter_context(product_lock(self.config, self.product))
            except Busy:
                if not self.request.wait:
                    raise
                with self.progress.timed(self.product.name, "wait") as set_result:
                    held = stack.enter_context(product_lock(self.config, self.product, wait=True))
                    set_result("for the build of another run")
                self.waited = True
            yield held
            with suppress(KitError, OSError):  # what is left over is removed after the next build
                if retain(self.config, self.product.name):
                    self._notify(lambda listener: listener.pruned(self.config, self.product.name))

    def busy(self, error: Busy) -> Outcome:
        """The outcome when another process builds the product; it leaves no record."""
        reason = why_it_may_pass(error)
        return Outcome(self.product.name, BuildStatus.FAILED, 0, message=str(error), may_pass=reason, busy=True)

    def marked(self) -> AbstractContextManager[Path]:
        """Mark this build as running, so that it counts as canceled if its process is killed."""
        return Runs(self.config.storage).running(self.product.name, self.run_id)

    def build(self, held: ExitStack, planned: BuildPlan | None, mark: Path) -> Outcome:
        """Make and publish a snapshot when one is due; every error becomes the outcome."""
        try:
            with self.recorded_when_interrupted():
                self.scrubbed = self._scrubber()
                planned = self.plan(held, planned)
                if planned.status:
                    return self.finish(planned.status, planned)
                hint = check_code_age(
                    self.config, self.product, planned, lambda: self.workspace.commit, allow_older=self.request.older_code
                )
                check_consumers(Context(self.config), self.product, planned.current)
                self._notify(lambda listener: listener.started(self.config, self.product, self.run_id, self.request))
                make(self.workspace, self.product, planned)
                return self.finish(BuildStatus.PUBLISHED, planned, self._publish(planned, mark), hint)
        except BaseException as error:
            return self.fail(error)

    def fail(self, error: BaseException) -> Outcome:
        """Record the failure of this build, whatever it raised, and return the outcome; an interrupt passes."""
        if not is_failure(error):
            raise error
        message = str(error)
        if not isinstance(error, KitError):  # a full disk, a bug
            problem = machine_problem(error) or f"{type(error).__name__}: {message}".removesuffix(": ")
            message = problem + self._keep_trace()
        outcome = self.finish(BuildStatus.FAILED, message=message, may_pass=why_it_may_pass(error))
        self.workspace.discard_private()
        return outcome

    @contextmanager
    def recorded_when_interrupted(self) -> Iterator[None]:
        """Record the build as canceled when the block is interrupted, and let the interrupt pass.

        A library may swallow the interrupt and then fail by what it broke off: that is no failure of the product.
        """
        try:
            yield
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt) and not self.interruption.requested:
                raise
            self.finish(BuildStatus.CANCELED, message=_CANCELED)
            self.workspace.discard_private()
            raise KeyboardInterrupt from error

    def _scrubber(self) -> Callable[[Any], Any]:
        """Return the function that removes what no record may contain; raises `ConfigError` for a setting that is wrong."""
        _ = self.workspace.secrets
        return self.workspace.scrubbed

    def plan(self, held: ExitStack, planned: BuildPlan | None) -> BuildPlan:
        """The plan of this build: `planned` when it still holds, else a new one over the sources that it landed.

        After a publication by another run they are landed again: it may have read further.
        """
        sources = None
        if planned and planned.pointer == Store(self.config.storage).read_pointer(self.product.name):
            sources = planned.inputs.sources if all(item.path.is_file() for item in planned.inputs.sources.values()) else None
        inputs = gather_inputs(self.config, self.product, self.request, held, self.progress, sources)
        if planned and not self.request.force and still_holds(planned, self.config, self.product, inputs):
            return planned
        return plan(self.config, self.product, self.request, inputs)

    def finish(
        self,
        status: BuildStatus,
        planned: BuildPlan | None = None,
        snapshot: Snapshot | None = None,
        message: str = "",
        may_pass: str = "",
    ) -> Outcome:
        """Record the build where people look for it, whatever arrives meanwhile, and return its outcome."""
        self.interruption.defer()
        described = False
        if planned and status in NOTHING_TO_DO:
            meanwhile = BUILT_MEANWHILE if self.waited else ""
            snapshot, message = planned.current, _HELD if status == BuildStatus.HELD else meanwhile
            if status == BuildStatus.UP_TO_DATE and snapshot and (described := self._describe(snapshot)):
                message = "\n".join(filter(None, [message, _DESCRIBED]))
        checks, notebooks = tuple(self.workspace.checks), self.workspace.notebooks
        record = RunRecord(
            run_id=self.run_id, product=self.product.name, status=status, started_at=self.started,
            finished_at=datetime.now(UTC), version=snapshot.version if snapshot else None,
            message=self.scrubbed(message), steps=self.progress.seconds, checks=checks,
            parameters=self.scrubbed(dict(self.request.parameters)), notebooks=notebooks, by=current_user(),
            git_commit=None if status in NOTHING_TO_DO else self.workspace.commit,
            delivered=planned.delivered if planned else {}, dagster_run=self.request.dagster_run,
            models=self.workspace.model_counts,
        )  # fmt: skip
        message = record.message
        try:
            Runs(self.config.storage).save(record)
            index.update(self.config, self.product)
        except Exception as error:
            self.notices.append(f"the record of this run could not be written: {machine_problem(error) or error}")
        self.progress.step("recorded")
        if status == BuildStatus.PUBLISHED or described:
            self._notify(lambda listener: listener.moved(self.config, self.product.name))
        if status not in NOTHING_TO_DO:
            self._notify(lambda listener: listener.finished(self.config, self.product, record, planned))
        message = "\n".join(filter(None, [message, *dict.fromkeys(self.notices)]))
        partitions = tuple(planned.due) if planned and status == BuildStatus.PUBLISHED else ()
        seconds = time.perf_counter() - self.clock
        return Outcome(
            self.product.name, status, seconds, snapshot, message, checks, may_pass, notebooks, partitions,
            self.interruption.requested,
        )  # fmt: skip

    def _describe(self, snapshot: Snapshot) -> bool:
        """Give readers the facts of descriptor and contracts if they are newer than the snapshot; return whether they are."""
        facts = json.loads(json.dumps(facts_of(self.product)))
        if with_facts(snapshot.manifest, facts) == snapshot.manifest:
            return False
        store = Store(self.config.storage)
        pointer, here = store.read_pointer(self.product.name), current_commit(self.config.root)
        known = (pointer.facts_commit if pointer else None) or snapshot.manifest.get("git_commit")
        if here and known and relation_of_commits(self.config.root, *(c.partition("-")[0] for c in (here, known))) == "older":
            return False  # of a clone that is behind
        try:
            return store.describe(snapshot, facts, here)
        except (KitError, OSError) as error:
            self.notices.append(f"readers see older texts of its contracts: {machine_problem(error) or error}")
            return False

    def _notify(self, event: Callable[[Listener], None]) -> None:
        """Call the listeners; one that fails is a line of the outcome."""
        self.notices += notify(self.config, event, self.listeners)

    def _publish(self, planned: BuildPlan, mark: Path) -> Snapshot:
        """Make the staged ports the current snapshot; raises `PublishConflict` when the product has moved on meanwhile."""
        product, staging, parent = self.product, self.workspace.staging, planned.pointer
        with self.progress.timed(product.name, "publish") as set_result:
            store_definitions(product, staging)
            snapshot = Store(self.config.storage).publish(
                product.name, staging, manifest(self.workspace, product, planned),
                parent=parent.version if parent else None, step=self.progress.step,
                last_check=lambda: self._last_check(mark),
            )  # fmt: skip
            set_result(f"snapshot {snapshot.version}")
        with suppress(OSError):  # the next build compares the files
            note_published(self.config, snapshot)
        if product.has_dbt:
            try:
                self.workspace.keep_sources(sources_folder(self.config.storage, product.name))
            except OSError as error:
                self.notices.append(f"dbt outside of builds reads older sources: {machine_problem(error) or error}")
        self.workspace.discard()
        return snapshot

    def _last_check(self, mark: Path) -> None:
        """Raise `KeyboardInterrupt` if the end of this build was requested; from now on nothing interrupts it.

        Without its `mark` a build that is killed from now on does not count as canceled: it may have been published.
        """
        self.interruption.defer()
        if self.interruption.requested or self.request.canceled():
            raise KeyboardInterrupt
        mark.unlink(missing_ok=True)

    def _keep_trace(self) -> str:
        """Write the traceback of the current error into the folder of the run; return a line that names the file."""
        path = self.workspace.folder / "error.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.scrubbed(traceback.format_exc()), encoding="utf-8")
        except OSError:
            return ""
        return f"\ntraceback: {path}"
