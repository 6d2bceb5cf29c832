"""The run launcher of the mesh: Dagster's own, which also ends the runs that a command executes in its own process."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from kit.orchestration.dagster_internals import cancel_run, is_launched
from kit.orchestration.instance import ENDED, is_executed
from kit.orchestration.run_origin import RunOrigin

if TYPE_CHECKING:
    from kit.orchestration.dagster_internals import LaunchRunContext


class MeshRunLauncher(dg.DefaultRunLauncher):
    """Launches runs in the code server. Dagster asks it to end any run, also one of `kit run`, which has no code server."""

    def launch_run(self, context: "LaunchRunContext") -> None:
        """Launch a run; one that repeats the run of a command has got its tags, but it was started here."""
        run = context.dagster_run
        if started_again := RunOrigin("Dagster", f"re-execution of {run.parent_run_id}").again(run.tags):
            self._instance.add_run_tags(run.run_id, started_again)
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """End a run, and return whether it will end: the process of a command looks every second whether it has to."""
        instance = self._instance
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished or is_launched(run):
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        if is_executed(Path(instance.root_directory), run_id):
            instance.report_run_canceling(run, "Its command was asked to end.")
        else:
            cancel_run(instance, run, ENDED)
        return True
