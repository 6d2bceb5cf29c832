"""What the kit uses of Dagster beyond its public API. A failure here names what an upgrade of Dagster has changed."""

import inspect
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.workspace.load_target import GrpcServerTarget

from kit.orchestration import dagster_internals
from kit.orchestration.instance import instance
from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh

INSTANCE = "dagster:DagsterInstance"
NAMES = [
    # the instance of a home (open_instance, cancel_run)
    f"{INSTANCE}.from_config", f"{INSTANCE}.event_log_storage", f"{INSTANCE}.get_runs_count",
    f"{INSTANCE}.all_instigator_state", f"{INSTANCE}.report_run_canceled", f"{INSTANCE}.report_run_canceling",
    f"{INSTANCE}.optimize_for_webserver", f"{INSTANCE}.run_domain",
    # what a run knows of the definitions it was started with (metadata_of_start)
    "dagster._core.definitions.definitions_load_context:DefinitionsLoadContext.add_to_pending_reconstruction_metadata",
    "dagster._core.definitions.definitions_load_context:DefinitionsLoadContext.reconstruction_metadata",
    "dagster._core.definitions.definitions_load_context:DefinitionsLoadType.RECONSTRUCTION",
    # what runs write to standard error (set_console_level), and in the log of a step (leave_out_missing_checks)
    "dagster._core.execution.context_creation_job:default_system_loggers", "dagster:DagsterLogManager",
    # the origin of a run in this process (recorded_as), the launcher of runs (run_launcher)
    "dagster._core.remote_origin:RegisteredCodeLocationOrigin", "dagster._core.launcher:LaunchRunContext.dagster_run",
    "dagster:DefaultRunLauncher.terminate", "dagster:DefaultRunLauncher.launch_run",
    # a job without planned checks (asset_job), and the failures it reports (executor)
    "dagster:Definitions.resolve_implicit_global_asset_job_def", "dagster:JobDefinition.get_subset",
    "dagster:ExecuteInProcessResult.get_step_failure_events", "dagster:DagsterEvent.step_failure_data",
    # the configuration and the run of a step (assets)
    "dagster:AssetExecutionContext.op_execution_context", "dagster:AssetExecutionContext.run",
    # the owners that it accepts (assets)
    "dagster._core.utils:is_valid_email",
    # interrupts that end a run (end_runs_when_interrupted)
    "dagster._core.execution.plan.active:ActiveExecution.sleep_til_ready", "dagster:raise_execution_interrupts",
    "dagster._core.executor.in_process:InProcessExecutor.execute",
    # the event log (event_log)
    *(
        f"dagster._core.storage.event_log.sqlite.sqlite_event_log:SqliteEventLogStorage.{name}"
        for name in (
            "_connect", "_initdb", "conn_string_for_shard", "from_config_value", "wipe", "dispose", "get_maximum_record_id",
            "free_concurrency_slots_for_run", "_event_to_row", "store_asset_check_event", "_has_asset_key_col_on_connection",
            "store_event_batch",
        )
    ),
    # migrations that are read once (open_instance)
    "alembic.script:ScriptDirectory.from_config", "alembic.script:ScriptDirectory.as_revision_number",
    "dagster._core.storage.sql:get_alembic_config",
    # the mirrors of a step's output (open_instance)
    "dagster._core.execution.compute_logs:execute_posix_tail", "dagster._core.execution.compute_logs:_clean_up_subprocess",
    "dagster._core.execution.compute_logs:_fileno",
    # the web server (web_app)
    "dagster._core.workspace.context:WorkspaceProcessContext", "dagster._core.workspace.load_target:GrpcServerTarget",
    "dagster_webserver.app:create_app_from_workspace_process_context",
]  # fmt: skip
"""`module:name.attribute` of each name."""

PARAMETERS = {
    "dagster._core.workspace.context:WorkspaceProcessContext": ("instance", "workspace_load_target"),
    "dagster_webserver.app:create_app_from_workspace_process_context": (
        "workspace_process_context", "path_prefix", "kwargs",
    ),
    "dagster:JobDefinition.get_subset": ("asset_selection", "asset_check_selection"),
    "dagster._core.instance.runs.run_domain:RunDomain.create_run": (
        "asset_selection", "asset_check_selection", "remote_job_origin",
    ),
    f"{INSTANCE}.optimize_for_webserver": ("statement_timeout", "pool_recycle", "max_overflow"),
}  # fmt: skip
"""Parameters that the kit passes, by name."""


def find(path: str) -> object:
    """The object at `module:name.attribute`; fails with a message that names it."""
    module, _, names = path.partition(":")
    try:
        item: object = import_module(module)
        for name in names.split("."):
            item = getattr(item, name)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"this version of Dagster has no {path}: {error}; adapt kit/orchestration/dagster_internals.py")
    return item


@pytest.mark.parametrize("path", NAMES)
def test_dagster_has(path: str) -> None:
    find(path)


@pytest.mark.parametrize("path", PARAMETERS)
def test_dagster_takes_the_parameters_of(path: str) -> None:
    item = find(path)
    assert callable(item)
    missing = set(PARAMETERS[path]) - set(inspect.signature(item).parameters)
    assert not missing, f"{path} has no parameter {', '.join(sorted(missing))}; adapt kit/orchestration/dagster_internals.py"


def test_the_event_log_keeps_its_lock_and_its_initialized_files(tmp_path: Path) -> None:
    storage = SqliteEventLogStorage(str(tmp_path))
    for name in ("_db_lock", "_initialized_dbs"):
        assert hasattr(storage, name), f"SqliteEventLogStorage has no {name}; adapt kit/orchestration/event_log.py"
    storage.dispose()


def test_the_settings_name_classes_of_dagster() -> None:
    settings = yaml.safe_load(dagster_internals.SETTINGS)
    places = {f"{item['module']}:{item['class']}" for item in settings.values() if "class" in item}
    assert len(places) == 6
    for place in places:
        find(place)


def test_the_daemon_is_a_module_and_the_code_server_a_command() -> None:
    assert find_spec(f"{dagster_internals.DAEMON_MODULE}.__main__"), f"{dagster_internals.DAEMON_MODULE} cannot be run"
    command = [sys.executable, "-m", "dagster", "code-server", "start", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "200"}).stdout
    options = ("--module-name", "--host", "--port", "--location-name", "--working-directory", "--log-level")
    assert [option for option in (*options, "--use-python-environment-entry-point") if option not in text] == []


def test_an_interrupt_ends_the_wait_for_a_retry_and_for_a_pool(small: SmallMesh) -> None:
    """Dagster sleeps through it; each of these waits would last for a minute or longer."""
    dagster_internals.end_runs_when_interrupted()
    dagster_internals.end_runs_when_interrupted()  # once is enough

    @dg.asset
    def failing() -> None:
        raise dg.RetryRequested(1, 60)

    @dg.asset(pool="taken")
    def waiting() -> None:
        raise AssertionError("the pool is taken")

    with instance(small.config) as opened:
        other = opened.create_run_for_job(dg.Definitions(assets=[failing]).resolve_implicit_global_asset_job_def())
        opened.event_log_storage.set_concurrency_slots("taken", 1)
        assert opened.event_log_storage.claim_concurrency_slot("taken", other.run_id, "step").is_claimed
        for asset, sign in ((failing, "STEP_UP_FOR_RETRY"), (waiting, "ENGINE_EVENT")):
            job = dg.Definitions(assets=[asset]).resolve_implicit_global_asset_job_def()
            run_id = str(uuid.uuid4())

            def interrupt(run_id: str = run_id, sign: str = sign) -> None:
                with instance(small.config) as mine:
                    while (
                        sum(each.is_dagster_event and each.dagster_event_type.value == sign for each in mine.all_logs(run_id))
                        < 1
                    ):
                        time.sleep(0.1)
                time.sleep(1)
                os.kill(os.getpid(), signal.SIGINT)

            thread = threading.Thread(target=interrupt)
            thread.start()
            started = time.monotonic()
            with suppress(KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
                job.execute_in_process(instance=opened, run_id=run_id, raise_on_error=False)
            thread.join()
            run = opened.get_run_by_id(run_id)
            assert run is not None
            assert run.status == dg.DagsterRunStatus.CANCELED, asset.key
            assert time.monotonic() - started < 30


def test_dagster_lists_missing_outputs_in_the_words_that_are_left_out() -> None:
    module = import_module("dagster._core.execution.plan.compute")
    text = re.sub(r'"\s+f?"', "", inspect.getsource(module))
    assert dagster_internals.MISSING_OUTPUTS in text


def test_the_logger_of_steps_exists() -> None:
    module = find(f"{dagster_internals.STEP_LOGGER}:logger")
    assert isinstance(module, logging.Logger)
    assert module.name == dagster_internals.STEP_LOGGER


def test_a_code_server_is_named_by_its_socket() -> None:
    target = GrpcServerTarget(host="localhost", port=None, socket="/tmp/code", location_name="mesh")
    assert (target.socket, target.location_name) == ("/tmp/code", "mesh")


def test_a_code_location_is_loaded_without_the_event_log() -> None:
    code = "import sys, kit.orchestration.definitions; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_other_module_names_an_internal_of_dagster() -> None:
    """Nor another module's own copy of a name: `dagster._…`, or the web server's app."""
    users = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kit").rglob("*.py")
        if any(text in path.read_text() for text in ("dagster._", "dagster_webserver.", "dagster_graphql"))
    ]
    assert users == ["kit/orchestration/dagster_internals.py"]


MIRRORED = """
import sys, time
from pathlib import Path
from dagster._core.execution import compute_logs
from kit.orchestration import dagster_internals
import psutil
dagster_internals._mirror_without_watchers()
with compute_logs.mirror_stream_to_file(sys.stdout, sys.argv[1]):
    print("made by a step", flush=True)
    children = psutil.Process().children()
    print(*(child.pid for child in children), file=sys.stderr, flush=True)
    time.sleep(600)
"""


def test_the_mirror_of_a_steps_output_is_one_process_that_ends_with_its_own(tmp_path: Path) -> None:
    file = tmp_path / "out"
    command = [sys.executable, "-c", MIRRORED, str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout and process.stderr
    assert process.stdout.readline() == "made by a step\n"
    mirror = psutil.Process(int(process.stderr.readline()))
    assert mirror.name() == "tail"
    process.kill()
    # Nobody has asked yet how the process ended: one that reads its output up to the end asks after that.
    assert psutil.wait_procs([mirror], timeout=60)[1] == []
    process.wait()
    assert file.read_text() == "made by a step\n"
    process.stdout.close()
    process.stderr.close()
