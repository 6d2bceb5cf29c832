"""The events of one build, as OpenLineage 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json) defines run events."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from kit.contracts import Check
from kit.core import __version__
from kit.exchange.openlineage_datasets import Datasets
from kit.exchange.openlineage_facets import PRODUCER, SPEC, facets
from kit.exchange.openlineage_jobs import AUDIT, BUILD, INGEST, MODEL, Job, JobFacets, jobs
from kit.exchange.sql_text import error_without_literals
from kit.mesh import RAW, Context, DataProduct, last_time
from kit.storage import RunRecord, Snapshot

START, COMPLETE, FAIL, ABORT = "START", "COMPLETE", "FAIL", "ABORT"
Event = dict[str, Any]

_ENDED = "the build ended before anything of it was published"


class BuildEvents:
    """The events of one build of one product: of the product itself, and of every job that makes a part of it.

    The runs of the jobs have that of the product as their parent, and this one the run of Dagster. Ids follow from the
    namespace, the job and the kit's run, so that an event which is made again is the same event. Begun runs end together:
    nothing of a build is there before all of it is published.
    """

    def __init__(
        self, context: Context, product: DataProduct, run_id: str, namespace: str, commit: str | None, dagster_run: str = ""
    ) -> None:
        self.context, self.product, self.run_id, self.namespace = context, product, run_id, namespace
        self.dagster_run = dagster_run if _is_uuid(dagster_run) else ""
        self.jobs = jobs(product)
        self.job_facets = JobFacets(context, product, commit)
        self.connectors: dict[str, str] = {}

    def started(self, at: datetime) -> list[Event]:
        """Return the START of the product and of all its jobs."""
        datasets = Datasets(self.context, self.product, self.namespace)
        return [self._start(job, datasets, at) for job in self.jobs]

    def published(self, at: datetime, snapshot: Snapshot) -> list[Event]:
        """Return the COMPLETE of all jobs, with what the snapshot has, and of the product as the last one."""
        datasets = Datasets(self.context, self.product, self.namespace, snapshot)
        checks = [Check.from_json(check) for check in snapshot.manifest["checks"]]
        sources = snapshot.manifest["sources"]
        self.connectors = {f"{self.product.name}.{RAW}.{name}": entry.get("kind", "") for name, entry in sources.items()}
        events = []
        for job in self._ending():
            inputs = [datasets.read(table) for table in job.reads]
            if job.kind == AUDIT:
                inputs = datasets.checked(checks)
            elif job.kind == INGEST:
                inputs = datasets.origins(job.makes)
            outputs = [datasets.made(job.makes)] if job.makes else []
            events.append(self._event(job, COMPLETE, at, inputs, outputs))
        return events

    def failed(self, at: datetime, record: RunRecord, begun: bool) -> list[Event]:
        """Return the FAIL of the product and of the jobs at fault, or ABORT of all when the build was stopped.

        When it had `begun`, the other jobs end with ABORT; else the START of those that failed comes first.
        """
        datasets = Datasets(self.context, self.product, self.namespace)
        events, starts = [], []
        for job in self._ending():
            at_fault = record.failed and (job.kind == BUILD or self._is_at_fault(job, record))
            if not at_fault and not begun and job.kind != BUILD:
                continue
            starts.append(job)
            inputs = datasets.checked(record.checks) if job.kind == AUDIT else None
            message = record.message if at_fault else _ENDED
            events.append(self._end(job, FAIL if at_fault else ABORT, at, datasets, message or _ENDED, inputs))
        if begun:
            return events
        first = [job for job in self.jobs if job in starts]
        return [*(self._start(job, datasets, record.started_at) for job in first), *events]

    def _ending(self) -> Sequence[Job]:
        """The jobs in the order in which they end: the product after its parts."""
        product, *parts = self.jobs
        return [*parts, product]

    def _start(self, job: Job, datasets: Datasets, at: datetime) -> Event:
        inputs = [datasets.read(table) for table in job.reads]
        return self._event(job, START, at, inputs, [datasets.made(job.makes)] if job.makes else [])

    def _end(
        self, job: Job, kind: str, at: datetime, datasets: Datasets, message: str, inputs: list[Any] | None = None
    ) -> Event:
        inputs = [datasets.read(table) for table in job.reads] if inputs is None else inputs
        outputs = [datasets.made(job.makes)] if job.makes else []
        event = self._event(job, kind, at, inputs, outputs)
        return with_error(event, message, "SQL" if job.kind in (MODEL, AUDIT) else "PYTHON")

    def _is_at_fault(self, job: Job, record: RunRecord) -> bool:
        """Whether a failure is that of a job: one of its checks blocks, or the message names its file or source."""
        blocked = {check.table for check in record.checks if check.blocks}
        if job.kind == AUDIT:
            return bool(blocked)
        _, _, table = job.name.partition(".")
        message = record.message
        named = f"{self.product.name}.{RAW}.{table.rpartition('.')[2]}:" in message if job.kind == INGEST else False
        if job.kind not in (BUILD, INGEST) and job.path is not None and not blocked:
            named = job.path.relative_to(self.product.folder).as_posix() in message
        return named or table in blocked

    def _event(self, job: Job, kind: str, at: datetime, inputs: list[Any], outputs: list[Any]) -> Event:
        return {
            "eventType": kind,
            "eventTime": at.isoformat(timespec="milliseconds"),
            "producer": PRODUCER,
            "schemaURL": f"{SPEC}#/$defs/RunEvent",
            "run": {"runId": self._id(job.name), "facets": self._run_facets(job, at)},
            "job": {
                "namespace": self.namespace,
                "name": job.name,
                "facets": self.job_facets.of(job, self.connectors.get(job.name, "")),
            },
            "inputs": inputs,
            "outputs": outputs,
        }

    def _run_facets(self, job: Job, at: datetime) -> dict[str, Any]:
        begun = datetime.strptime(f"{self.run_id}+0000", "%Y%m%dT%H%M%SZ-%f%z")
        scheduled = last_time(self.product.schedule, begun) if self.product.schedule else None
        return facets(
            NominalTimeRunFacet={"nominalStartTime": (scheduled or begun).isoformat(timespec="milliseconds")},
            ProcessingEngineRunFacet={"name": "data-mesh-kit", "version": __version__},
            ParentRunFacet=self._parent(job),
        )

    def _parent(self, job: Job) -> dict[str, Any] | None:
        dagster = {"run": {"runId": self.dagster_run}, "job": {"namespace": self.namespace, "name": "dagster"}}
        if job.kind == BUILD:
            return {**dagster, "root": dagster} if self.dagster_run else None
        product = {
            "run": {"runId": self._id(self.product.name)},
            "job": {"namespace": self.namespace, "name": self.product.name},
        }
        return {**product, "root": dagster if self.dagster_run else product}

    def _id(self, job: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self.namespace} {job} {self.run_id}"))


def with_error(event: Event, message: str, language: str = "PYTHON") -> Event:
    """Return an event with the message of the failure of its run."""
    text = "\n".join(line for line in message.splitlines() if not line.startswith(("traceback: ", "executed copy: ")))
    error = facets(ErrorMessageRunFacet={"message": error_without_literals(text), "programmingLanguage": language})
    return {**event, "run": {**event["run"], "facets": {**event["run"]["facets"], **error}}}


def unended(events: Iterable[Event]) -> list[Event]:
    """Return the START events of the runs that have not ended, in the order in which they end: parents last."""
    begun: dict[str, Event] = {}
    for event in events:
        if event["eventType"] == START:
            begun[event["run"]["runId"]] = event
        else:
            begun.pop(event["run"]["runId"], None)
    first, rest = list(begun.values())[:1], list(begun.values())[1:]
    return [*rest, *first]


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
