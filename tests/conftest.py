import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dbt_common.tests import enable_test_caching
from hypothesis import settings

from kit.core.locks import lock
from kit.storage.store import Store
from tests.support.lab import lab, lab_page, logged_in  # noqa: F401  fixtures
from tests.support.small_mesh import SmallMesh

ROOT = Path(__file__).parents[1]

# As `kit.dbt.runner.transform` does: many tests run dbt themselves.
enable_test_caching()

# A test run always tries the same examples, `make fuzz` others each time; a failure found there becomes an `@example`.
settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("fuzz", max_examples=2000, database=None, deadline=None, print_blob=True)
settings.load_profile("ci")


def examples(number: int) -> int:
    """Return the number of examples of a slow property, out of a hundred; `make fuzz` multiplies it."""
    return number * settings.default.max_examples // 100


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest module first: at the end, all other workers would wait for it."""
    items.sort(key=lambda item: item.path.name != "test_dev_server.py")


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


def kit(*arguments: str, storage: Path, network: bool = True) -> subprocess.CompletedProcess[str]:
    start = [] if network else [sys.executable, "-c", NO_NETWORK]
    return subprocess.run(
        [*start, sys.executable, "-m", "kit", *arguments], cwd=ROOT, env={**os.environ, "KIT_STORAGE": str(storage)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demo mesh, built without network; once for all workers of a test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    storage, result = folder / "storage", folder / "result.json"
    with lock(folder / ".lock", wait=True):
        if not result.exists():
            result.write_text(json.dumps(vars(kit("run", storage=storage, network=False))))
    return storage, subprocess.CompletedProcess(**json.loads(result.read_text()))


@pytest.fixture(scope="session")
def demo(first_run: tuple[Path, subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo mesh's storage for this worker, without Dagster's home, whose settings contain its own path."""
    built, done = first_run
    if done.returncode == 77:
        with lock(built.parent / ".lock", wait=True):
            done = kit("run", storage=built)
    assert done.returncode == 0, done.stdout + done.stderr
    storage = tmp_path_factory.mktemp("demo") / "storage"
    shutil.copytree(built, storage, ignore=shutil.ignore_patterns("dagster"))
    for folder in (storage / "products").iterdir():
        Store(storage).repair_catalog(folder.name)
    return storage
