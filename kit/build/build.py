"""The one path from inputs to a published snapshot: pin, ingest, transform, audit, publish, record."""

import time
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kit.build import masking
from kit.build.candidate import Candidate
from kit.build.plan import DUE, HELD, UP_TO_DATE, BuildPlan, BuildRequest, plan
from kit.build.progress import Progress
from kit.contracts import Check
from kit.core import Busy, Config, IngestError, KitError, PublishConflict, Secrets, current_commit
from kit.ingest import LandedSource
from kit.mesh import DataProduct
from kit.storage import RunRecord, Runs, Snapshot, Store, current_user, index

_MESSAGES = {
    UP_TO_DATE: "",
    HELD: "rolled back from just this code and these inputs; change something, or use --force",
}


@dataclass(frozen=True)
class Outcome:
    """How the build of one product ended. `status`: published, up to date, held, or failed.

    `snapshot` is what readers see afterwards of a build that did not fail. `passing` tells of a failure that may be
    gone on the next attempt: another builder at work, a source that could not be read.
    """

    product: str
    status: str
    seconds: float
    snapshot: Snapshot | None = None
    message: str = ""
    checks: tuple[Check, ...] = ()
    passing: bool = False
    notebooks: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """The version readers see, or None when the build failed."""
        return self.snapshot.version if self.snapshot else None


def build(
    config: Config,
    product: DataProduct,
    request: BuildRequest | None = None,
    *,
    landings: Mapping[str, LandedSource] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Build one product and publish it if nothing stands against it.

    Nothing is done when code, contracts, inputs and parameters are those of the current snapshot, unless forced.
    `landings` are sources that were landed just now. A failure is recorded and returned, never raised: readers keep the
    last good snapshot. Only a build that did not begin, because another process is at it, leaves no record.
    """
    try:
        with Store(config.storage).build_lock(product.name), masking.mask_key_hidden(), ExitStack() as held:
            return _build(config, product, request or BuildRequest(), landings, progress or Progress(), held)
    except Busy as error:
        return Outcome(product.name, "failed", 0, message=str(error), passing=True)


def _build(
    config: Config,
    product: DataProduct,
    request: BuildRequest,
    landings: Mapping[str, LandedSource] | None,
    progress: Progress,
    held: ExitStack,
) -> Outcome:
    store, runs = Store(config.storage), Runs(config.storage)
    started, clock = datetime.now(UTC), time.perf_counter()
    progress.seconds = {}
    run_id = runs.new_id()
    candidate = Candidate(config, product, store, runs.folder(product.name, run_id), run_id, progress)
    begun: BuildPlan | None = None
    status, snapshot, passing = "failed", None, False
    secrets = Secrets()
    try:
        secrets = Secrets.from_environment(config)
        begun = plan(config, product, request, held, progress, landings)
        status, snapshot = begun.status, begun.current
        message = _MESSAGES.get(status, "")
        if status == DUE:
            candidate.make(begun)
            status, snapshot = "published", candidate.publish(begun)
    except KitError as error:
        status, snapshot, message = "failed", None, str(error)
        passing = isinstance(error, IngestError | PublishConflict)
    except Exception as error:  # a full disk, a bug: told like any failure, and the other products go on
        status, snapshot = "failed", None
        message = f"{type(error).__name__}: {error}{_keep_trace(candidate.folder, secrets)}"
        passing = isinstance(error, OSError)
    message = secrets.scrubbed(message)
    record = RunRecord(
        run_id=run_id, product=product.name, status=status, started_at=started, finished_at=datetime.now(UTC),
        version=snapshot.version if snapshot else None, message=message, steps=progress.seconds,
        checks=tuple(candidate.checks), parameters=secrets.scrubbed(dict(request.parameters)), notebooks=candidate.notebooks,
        by=current_user(), git_commit=current_commit(config.root),
    )  # fmt: skip
    message += _save(config, product, record)
    progress.step("recorded")
    return Outcome(
        product.name, status, time.perf_counter() - clock, snapshot, message, tuple(candidate.checks), passing,
        candidate.notebooks, tuple(begun.due) if begun and status == "published" else (),
    )  # fmt: skip


@dataclass(frozen=True)
class DueCheck:
    """What was seen before a build: its outcome when there is nothing to do, else the sources landed on the way."""

    outcome: Outcome | None
    landings: Mapping[str, LandedSource] | None = None


def check_due(config: Config, product: DataProduct, request: BuildRequest, progress: Progress | None = None) -> DueCheck:
    """See whether a product has anything to do; if not, that is its build, recorded as such.

    What stands in the way of a build is left for the build to tell.
    """
    progress, runs = progress or Progress(), Runs(config.storage)
    started, clock = datetime.now(UTC), time.perf_counter()
    try:
        with Store(config.storage).build_lock(product.name), masking.mask_key_hidden(), ExitStack() as held:
            begun = plan(config, product, request, held, progress)
            if begun.status == DUE or begun.current is None:
                return DueCheck(None, begun.landings)
            message = _MESSAGES[begun.status]
            record = RunRecord(
                run_id=runs.new_id(), product=product.name, status=begun.status, started_at=started,
                finished_at=datetime.now(UTC), version=begun.current.version, message=message, steps=progress.seconds,
                parameters=dict(request.parameters), by=current_user(),
            )  # fmt: skip
            message += _save(config, product, record)
    except (KitError, OSError):
        return DueCheck(None)
    return DueCheck(Outcome(product.name, begun.status, time.perf_counter() - clock, begun.current, message))


def _save(config: Config, product: DataProduct, record: RunRecord) -> str:
    """Record a build where people look for it; gives what to add to its message when that failed."""
    try:
        Runs(config.storage).save(record)
        index.update(config, product)
    except (KitError, OSError) as error:
        return f"\nand the record of the run could not be written: {error}"
    return ""


def _keep_trace(folder: Path, secrets: Secrets) -> str:
    """Keep the traceback of the error at hand in the run's folder; gives a line that says where."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").write_text(secrets.scrubbed(traceback.format_exc()), encoding="utf-8")
    except OSError:
        return ""
    return f"\ntraceback: {folder / 'error.txt'}"
