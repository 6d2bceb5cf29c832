"""One Dagster run in its process: whether it was ended from outside, which then interrupts the process."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dagster as dg

from kit.core import Config, interrupt
from kit.orchestration.instance import hold_run_lock

_POLL_SECONDS = 1


class RunWatch:
    """Looks whether a run of this process was terminated, deleted or lost its code server.

    Dagster itself sends a worker one interrupt, which code may swallow, and none to a run of `kit run`.
    """

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance = instance
        self._run_id = run_id

    def canceled(self) -> bool:
        """Return whether nothing may be published any more."""
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            return True
        run = self._instance.get_run_by_id(self._run_id)
        return run is None or run.is_finished or run.status == dg.DagsterRunStatus.CANCELING

    @contextmanager
    def interrupting(self, config: Config) -> Iterator[None]:
        """Send this process an interrupt when the run is ended from outside while the block runs."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_POLL_SECONDS):
                with suppress(Exception):  # the database is busy or the disk is full: the next look may tell
                    if self.canceled():
                        interrupt("ended in Dagster")
                        return

        thread = threading.Thread(target=watch, name="run watch", daemon=True)
        thread.start()
        with hold_run_lock(config, self._run_id):
            try:
                yield
            finally:
                done.set()
                thread.join()
