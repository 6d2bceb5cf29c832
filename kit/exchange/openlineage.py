"""OpenLineage: every build writes its events into the folder of its run, and sends them to a server if there is one."""

from datetime import UTC, datetime

from kit.build import BuildPlan, BuildRequest, Listener
from kit.core import Busy, Config, KitError, Secrets, current_commit
from kit.exchange.openlineage_events import ABORT, COMPLETE, BuildEvents, Event, unended, with_error
from kit.exchange.openlineage_spool import EventFile, deliver
from kit.exchange.openlineage_target import Target, is_disabled, namespace
from kit.mesh import Context, DataProduct
from kit.storage import BuildStatus, RunRecord, Runs, Store

SECONDS = 5.0
"""The longest time that a build waits for a server, at its end; at its start half a second."""

_KILLED = "its process ended before it published anything"


class OpenLineage(Listener):
    """Writes the events of builds, ends the runs of builds that were killed, and sends what waits.

    A server that is down or slow costs a build `SECONDS` and a line; the events wait in the storage for the next build.
    """

    _events: BuildEvents | None = None
    """Of a build that has started; its jobs and the SQL in them are the same at its end."""

    def started(self, config: Config, product: DataProduct, run_id: str, request: BuildRequest) -> None:
        """Write and send START."""
        if is_disabled():
            return
        end_killed(config, product.name, run_id)
        commit = current_commit(config.root)
        self._events = BuildEvents(Context(config), product, run_id, namespace(), commit, request.dagster_run)
        _append(config, EventFile(config, product.name, run_id), self._events.started(datetime.now(UTC)))
        deliver(config, Target.from_environment(), SECONDS / 10, only_new=True)

    def finished(self, config: Config, product: DataProduct, record: RunRecord, plan: BuildPlan | None) -> None:
        """Write and send COMPLETE, FAIL or ABORT; raises `KitError` when events have to wait."""
        if is_disabled():
            return
        end_killed(config, product.name, record.run_id)
        file = EventFile(config, product.name, record.run_id)
        builder = self._events
        if builder is None or builder.run_id != record.run_id:
            commit, run = record.git_commit, record.dagster_run
            builder = BuildEvents(Context(config), product, record.run_id, namespace(), commit, run)
        if record.status == BuildStatus.PUBLISHED and record.version:
            snapshot = Store(config.storage).snapshot(product.name, record.version)
            events = builder.published(record.finished_at, snapshot)
        else:
            events = builder.failed(record.finished_at, record, begun=file.path.is_file())
        _append(config, file, events)
        if problem := deliver(config, Target.from_environment(), SECONDS):
            raise KitError(problem)


def end_killed(config: Config, building: str, run_id: str) -> None:
    """Write the end of the runs whose process was killed: COMPLETE when their snapshot was published, else ABORT.

    `building` is the product that this process builds in the run `run_id`.
    """
    for file in EventFile.waiting(config):
        if file.run_id == run_id or Runs(config.storage).is_running(file.product, file.run_id) or not file.is_open():
            continue
        if file.product == building:  # this process holds its lock
            _append(config, file, _end(config, file))
            continue
        try:
            with Store(config.storage).build_lock(file.product):
                if file.is_open():
                    _append(config, file, _end(config, file))
        except Busy:  # it publishes just now
            continue


def _end(config: Config, file: EventFile) -> list[Event]:
    at = datetime.now(UTC)
    history = Store(config.storage).history(file.product)
    snapshot = next((item for item in history if item.manifest["run_id"] == file.run_id), None)
    begun = unended(file.read())
    if snapshot is None:
        return [with_error({**event, "eventType": ABORT, "eventTime": _text(at)}, _KILLED) for event in begun]
    try:
        product = Context(config).mesh.product(file.product)
        return BuildEvents(Context(config), product, file.run_id, namespace(), None).published(snapshot.created_at, snapshot)
    except KitError:  # the product is broken or gone now
        return [{**event, "eventType": COMPLETE, "eventTime": _text(snapshot.created_at)} for event in begun]


def _append(config: Config, file: EventFile, events: list[Event]) -> None:
    """Write events without the values of secrets."""
    file.append(Secrets.from_environment(config).scrubbed(events))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
