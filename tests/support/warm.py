"""What a build imports and what dbt parses once in a process, for processes that are forked from one which has it."""

import pytest  # noqa: F401

from kit.orchestration.warm import warm_up

warm_up()
