import dagster as dg
import pytest

from kit.orchestration.instance import ENDED, executing, home, instance
from kit.orchestration.run_launcher import MeshRunLauncher
from tests.support.small_mesh import SmallMesh


def started(opened: dg.DagsterInstance) -> dg.DagsterRun:
    """A run that no code server executes."""
    run = opened.create_run_for_job(dg.Definitions(assets=[dg.asset(lambda: 1, name="a")]).resolve_job_def("__ASSET_JOB"))
    opened.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    return run


def status(opened: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = opened.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_of_a_command_is_asked_to_end_and_one_whose_process_is_gone_has_ended(small: SmallMesh) -> None:
    with instance(small.config) as opened:
        launcher = opened.run_launcher
        assert isinstance(launcher, MeshRunLauncher)
        running, dead = started(opened), started(opened)
        with executing(small.config, running.run_id):
            assert launcher.terminate(running.run_id)
            assert status(opened, running) == dg.DagsterRunStatus.CANCELING
        assert launcher.terminate(dead.run_id)
        assert status(opened, dead) == dg.DagsterRunStatus.CANCELED
        assert ENDED in [entry.message for entry in opened.all_logs(dead.run_id)]
        assert not launcher.terminate(dead.run_id)
        assert not launcher.terminate("no-such-run")


@pytest.mark.parametrize("module", ["kit.orchestration.run_launcher", "dagster"])
def test_a_home_of_an_earlier_kit_gets_the_launcher_and_that_of_a_team_stays(small: SmallMesh, module: str) -> None:
    with instance(small.config):
        pass
    settings = home(small.config) / "dagster.yaml"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("run_launcher")]
    theirs = [f"run_launcher: {{module: {module}, class: DefaultRunLauncher}}"] if module == "dagster" else []
    settings.write_text("\n".join([*lines, *theirs]))
    with instance(small.config) as opened:
        assert isinstance(opened.run_launcher, MeshRunLauncher) is (module != "dagster")
    assert settings.read_text().count("run_launcher:") == 1
