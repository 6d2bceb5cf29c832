import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_common.tests import enable_test_caching
from hypothesis import settings

from tests.support.ending import end_with_parent
from tests.support.lab import lab, lab_page, logged_in  # noqa: F401  fixtures
from tests.support.postgres import postgres  # noqa: F401  a fixture
from tests.support.small_mesh import SmallMesh

ROOT = Path(__file__).parents[1]

# A test asks for the worker and for builds at the same time; tests run beside each other already.
os.environ["KIT_WORKER"] = "off"
os.environ["KIT_PARALLEL_BUILDS"] = "1"

# As `kit.dbt.runner.transform` does: many tests run dbt themselves.
enable_test_caching()

# A test run always tries the same examples, `make fuzz` others each time; a failure found there becomes an `@example`.
settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("fuzz", max_examples=2000, database=None, deadline=None, print_blob=True)
settings.load_profile("ci")


def examples(number: int) -> int:
    """Return the number of examples of a slow property, out of a hundred; `make fuzz` multiplies it."""
    return number * settings.default.max_examples // 100


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked `release` unless the marker or their file is named; start modules with slow tests first.

    At the end, all other workers would wait for them.
    """
    if "release" not in config.option.markexpr and not any(".py" in argument for argument in config.args):
        left_out = [item for item in items if item.get_closest_marker("release")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != "test_dev_server.py", item.path not in slow))


def pytest_configure(config: pytest.Config) -> None:
    """End with pytest's main process as one of its workers, and with `make`."""
    if hasattr(config, "workerinput") or "MAKELEVEL" in os.environ:
        end_with_parent()


@pytest.fixture
def hangup() -> Iterator[None]:
    """SIGHUP has its usual meaning; under `nohup make test` it would be ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def small(tmp_path: Path) -> SmallMesh:
    return SmallMesh(tmp_path)


# Runs a command in a network namespace of its own, without loopback; exits with 77 when that is not permitted.
NO_NETWORK = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
"""
