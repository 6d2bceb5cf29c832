"""Configurations of expectations, which Great Expectations asks for some 80 times for each expectation that it validates."""

from collections.abc import Callable
from copy import copy, deepcopy
from enum import Enum
from threading import local
from typing import Any

_PLAIN = (str, int, float, Enum, type(None))


def remember_configurations() -> None:
    """Let all validations of this process write down the configuration of an expectation once, as long as it stays the same.

    Great Expectations writes all fields of the expectation into a new configuration whenever it reads one argument: a third
    of its time for a small table. `tests/quality/test_configurations.py` checks this against the installed version.
    """
    from great_expectations.expectations.expectation import Expectation

    Expectation.configuration = property(_remembering(Expectation.configuration.fget))


def _remembering(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    last = local()  # one expectation is asked for again and again before it is the turn of the next one

    def configuration(expectation: Any) -> Any:
        if getattr(last, "expectation", None) is not expectation or last.fields != expectation.__dict__:
            last.expectation, last.fields = expectation, _copy(expectation.__dict__)
            last.configuration = write(expectation)
        # Its own one for each caller, which may change it.
        own = copy(last.configuration)
        own._kwargs, own.meta = _copy(own._kwargs), _copy(own.meta)
        return own

    return configuration


def _copy(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, _PLAIN) else deepcopy(value) for name, value in values.items()}
