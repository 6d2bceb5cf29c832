"""The worker as the benchmark uses it: one for this environment, started before what is measured."""

import time

from kit.orchestration import worker

WITH = {"KIT_WORKER": "on", "CI": ""}
WITHOUT = {"KIT_WORKER": "off"}
_START_SECONDS = 120


def helpers() -> list[int]:
    """Return the process of the worker, which works for the commands that are measured; it is started when none runs."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        match worker.running():
            case process, True:
                return [process]
            case None:
                worker.start()
            case _:
                time.sleep(0.2)
    raise RuntimeError("the worker cannot be started here")
