"""The parts of Dagster outside its public API that the kit uses; no other module of the kit imports or names them.

`tests/orchestration/test_dagster_internals.py` checks each of them against the installed version.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME as SINGLETON_REPOSITORY
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.utils import is_valid_email

if TYPE_CHECKING:
    from dagster._core.execution.plan.active import ActiveExecution
    from dagster._core.executor.in_process import InProcessExecutor
    from dagster._core.launcher import LaunchRunContext
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

__all__ = [
    "DAEMON_MODULE", "LAUNCHER", "MODULES", "SETTINGS", "STEP_LOGGER", "AssetCheckExecutionsTable", "LaunchRunContext",
    "SqlEventLogStorageTable", "SqliteEventLogStorage", "asset_job", "cancel_run", "end_runs_when_interrupted", "is_launched",
    "is_valid_email", "keep_metadata_of_start", "leave_out_missing_checks", "metadata_of_start", "open_instance",
    "read_migrations", "recorded_as", "set_console_level", "web_app",
]  # fmt: skip

DAEMON_MODULE = "dagster._daemon"
"""`python -m` this module runs the daemon."""

MODULES = (
    "dagster._core.definitions.external_asset", "dagster._core.definitions.repository_definition.repository_data_builder",
    "dagster._core.execution.execute_in_process", "dagster._core.instance.factory", "dagster._core.instance.runs.run_domain",
    "dagster._core.scheduler", "dagster._core.secrets.env_file", "dagster._core.storage.event_log",
    "dagster._core.storage.legacy_storage", "dagster._core.storage.local_compute_log_manager", "dagster._core.storage.root",
    "dagster._core.storage.runs", "dagster._core.storage.schedules", "dagster._core.system_config.composite_descent",
    "dagster._core.types.primitive_mapping", "dagster._core.types.transform_typing", "dagster._grpc",
)  # fmt: skip
"""What a run imports beside `dagster`."""

MISSING_OUTPUTS = "did not yield or return expected outputs"
"""The words by which Dagster lists, after each step, the checks that were no outputs."""

STEP_LOGGER = "dagster._core.execution.plan.active"
"""The logger that reports each failed check as one that blocked nothing."""

LAUNCHER = "run_launcher: {module: kit.orchestration.run_launcher, class: MeshRunLauncher}\n"
"""The line of the settings that makes Dagster end the runs of commands too."""

SETTINGS = (
    """\
telemetry: {enabled: false}
nux: {enabled: false}
run_storage: {module: dagster._core.storage.runs, class: SqliteRunStorage, config: {base_dir: history}}
event_log_storage: {module: kit.orchestration.event_log, class: PooledSqliteEventLog, config: {base_dir: history/runs}}
schedule_storage: {module: dagster._core.storage.schedules, class: SqliteScheduleStorage, config: {base_dir: schedules}}
local_artifact_storage: {module: dagster._core.storage.root, class: LocalArtifactStorage, config: {base_dir: .}}
compute_logs: {module: dagster._core.storage.local_compute_log_manager, class: LocalComputeLogManager, config: {base_dir: logs}}
concurrency:
  pools: {default_limit: 1, granularity: op}
  runs: {max_concurrent_runs: 4}  # as the setting parallel_builds
freshness: {enabled: true}
run_monitoring: {enabled: true, start_timeout_seconds: 120, poll_interval_seconds: 10, free_slots_after_run_end_seconds: 5}
retention:
  schedule: {purge_after_days: 30}
  sensor: {purge_after_days: 7}
"""
    + LAUNCHER
)
"""`dagster.yaml` of a new home."""


def __getattr__(name: str) -> Any:
    """Import the event log at its first use: it needs SQLAlchemy, which takes as long as a code location without it."""
    if name in ("AssetCheckExecutionsTable", "SqlEventLogStorageTable"):
        from dagster._core.storage.event_log import schema

        return getattr(schema, name)
    if name != "SqliteEventLogStorage":
        raise AttributeError(name)
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    return SqliteEventLogStorage


def open_instance(folder: Path) -> dg.DagsterInstance:
    """Open the instance of a home and create or migrate its databases, which else happens at the first use of each."""
    _remember_migrations()
    _mirror_without_watchers()
    # Dagster then passes the planned events of a run, and the partitions of an asset, to the event log together.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
    instance = dg.DagsterInstance.from_config(str(folder))
    instance.event_log_storage.get_maximum_record_id()
    instance.get_runs_count()
    instance.all_instigator_state()
    return instance


def read_migrations() -> None:
    """Read the migrations of the databases of a home, for all that this process opens, or a process that is forked from it."""
    from alembic.script import ScriptDirectory
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
    from dagster._core.storage.sql import get_alembic_config

    _remember_migrations()
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        ScriptDirectory.from_config(get_alembic_config(module.__file__)).as_revision_number("head")


def _remember_migrations() -> None:
    """Make Alembic read the migrations of each kind of database once in this process, not each time one is opened."""
    from alembic.script import ScriptDirectory

    original = ScriptDirectory.from_config.__func__  # type: ignore[attr-defined]
    if hasattr(original, "__wrapped__"):
        return
    read: dict[str | None, ScriptDirectory] = {}

    @wraps(original)
    def from_config(cls: type[ScriptDirectory], config: Any) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in read:
            read[place] = original(cls, config)
        return read[place]

    ScriptDirectory.from_config = classmethod(from_config)  # type: ignore[assignment, method-assign]


def _mirror_without_watchers() -> None:
    """Let the two processes that mirror the output of a step end with this one by themselves, where `tail` can do so.

    Dagster starts another interpreter for each of them, which looks every second whether this process is still there.
    """
    programs = [shutil.which(name) for name in ("tail", "setpriv")]
    if sys.platform == "linux" and all(program and Path(program).resolve().name != "busybox" for program in programs):
        from dagster._core.execution import compute_logs

        compute_logs.execute_posix_tail = _tail


@contextmanager
def _tail(path: str, stream: Any) -> Iterator[tuple[int, None]]:
    from dagster._core.execution import compute_logs

    library: Any = compute_logs  # without types
    # `tail` takes a process that ended for a running one until its parent asks how it ended. A parent that reads the output up
    # to its end asks after that, and `tail` has it open.
    command = ["setpriv", "--pdeathsig", "TERM", "tail", "-F", "-c", "+0", f"--pid={os.getpid()}", path]
    process = subprocess.Popen(command, stdout=stream if library._fileno(stream) else None)
    try:
        yield process.pid, None
    finally:
        time.sleep(float(os.environ.get("DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH", "0")))
        library._clean_up_subprocess(process)


def cancel_run(instance: dg.DagsterInstance, run: dg.DagsterRun, message: str) -> None:
    """Mark a run as canceled and free the pool slots that it holds."""
    instance.report_run_canceled(run, message)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def end_runs_when_interrupted() -> None:
    """Make an interrupt end a run of this process at once, as canceled, from now on.

    Dagster sleeps through it while a step waits for a retry or for a slot of its pool, and takes a run as failed that
    nobody terminated in its web UI.
    """
    from dagster._core.execution.plan.active import ActiveExecution
    from dagster._core.executor.in_process import InProcessExecutor

    if not hasattr(InProcessExecutor.execute, "__wrapped__"):
        InProcessExecutor.execute = _canceling(InProcessExecutor.execute)  # type: ignore[method-assign]
        ActiveExecution.sleep_til_ready = _interruptible(ActiveExecution.sleep_til_ready)  # type: ignore[method-assign, assignment]


def _canceling(execute: Callable[..., Iterator[dg.DagsterEvent]]) -> Callable[..., Iterator[dg.DagsterEvent]]:
    @wraps(execute)
    def wrapper(executor: "InProcessExecutor", plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        try:
            yield from execute(executor, plan_context, execution_plan)
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            run = plan_context.instance.get_run_by_id(plan_context.run_id)
            if run and not run.is_finished and run.status != dg.DagsterRunStatus.CANCELING:
                plan_context.instance.report_run_canceling(run, "The process of this run was interrupted.")
            raise

    return wrapper


def _interruptible(sleep_til_ready: "Callable[[ActiveExecution], None]") -> "Callable[[ActiveExecution], None]":
    @wraps(sleep_til_ready)
    def wrapper(execution: "ActiveExecution") -> None:
        with dg.raise_execution_interrupts():
            sleep_til_ready(execution)

    return wrapper


def asset_job(definitions: dg.Definitions, assets: Iterable[dg.AssetKey]) -> dg.JobDefinition:
    """Return the job that materializes some assets, without their checks as steps of their own."""
    everything = definitions.resolve_implicit_global_asset_job_def()
    return everything.get_subset(asset_selection=set(assets), asset_check_selection=frozenset())


@contextmanager
def recorded_as(instance: dg.DagsterInstance, job: str, assets: Iterable[dg.AssetKey], location: str) -> Iterator[None]:
    """Record the runs that begin in the block with their assets, as those of a job of a code location.

    Dagster records neither of a run in this process, and its pages show only runs that have them.
    """
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), SINGLETON_REPOSITORY)
    known = {"asset_selection": frozenset(assets), "asset_check_selection": frozenset(),
             "remote_job_origin": RemoteJobOrigin(repository, job)}  # fmt: skip
    domain = instance.run_domain
    original = domain.create_run
    domain.create_run = lambda **given: original(**given | known)  # type: ignore[method-assign]
    try:
        yield
    finally:
        domain.create_run = original  # type: ignore[method-assign]


def keep_metadata_of_start(metadata: Mapping[str, str]) -> None:
    """Keep metadata for the process of each run that is started with the definitions now loaded, see `metadata_of_start`."""
    from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext

    for name, text in metadata.items() if DefinitionsLoadContext.is_set() else ():
        DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(name, text)


def metadata_of_start() -> Mapping[str, str]:
    """Return the metadata of the definitions with which the run of this process was started; empty in other processes."""
    from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

    loading = DefinitionsLoadContext.get() if DefinitionsLoadContext.is_set() else None
    return loading.reconstruction_metadata if loading and loading.load_type == DefinitionsLoadType.RECONSTRUCTION else {}


def leave_out_missing_checks(log: dg.DagsterLogManager) -> None:
    """Leave out of a step's log the list of all checks that it reports as evaluations, and not as outputs."""
    log.addFilter(lambda record: MISSING_OUTPUTS not in record.getMessage())


def set_console_level(level: str) -> None:
    """Let runs of this process write only records of a level to standard error; each event is one, mostly of level DEBUG."""
    from dagster._core.execution import context_creation_job

    config = {"name": "dagster", "log_level": level}
    vars(context_creation_job)["default_system_loggers"] = lambda instance: [(dg.colored_console_logger, config)]


def is_launched(run: dg.DagsterRun) -> bool:
    """Return whether a code server executes a run."""
    return GRPC_INFO_TAG in run.tags


@contextmanager
def web_app(home: str, path_prefix: str, code_socket: Path, location: str) -> Iterator[Any]:
    """Yield the ASGI application of Dagster's web UI, below a path, for the code server that listens on `code_socket`."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import GrpcServerTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    code_server = GrpcServerTarget(host="localhost", port=None, socket=str(code_socket), location_name=location)
    with dg.DagsterInstance.from_config(home) as instance, WorkspaceProcessContext(instance, code_server) as workspace:
        instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=-1, max_overflow=20)
        yield create_app_from_workspace_process_context(workspace, path_prefix, lifespan=_lifespan)


@asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[None]:
    with suppress(asyncio.CancelledError):
        yield
