"""The worker as the benchmark uses it: one for this environment, started before what is measured."""

WITHOUT = {"KIT_WORKER": "off"}
WITH = {"KIT_WORKER": "on"}


def helpers() -> list[int]:
    """Return the process of the worker, which works for the commands that are measured."""
    return []
