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

# dbt parses its own five hundred macros anew for each project, half of a small build; its own tests do without, too.
enable_test_caching()

# A test run always tries the same examples, `make fuzz` others each time; what that finds becomes an `@example`.
settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("fuzz", max_examples=2000, database=None, deadline=None, print_blob=True)
settings.load_profile("ci")


def examples(number: int) -> int:
    """How many examples a slow property is tried with, of the hundred that others are; in `make fuzz` as many times more."""
    return number * settings.default.max_examples // 100


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the module that takes longest: begun last, all the other workers would wait for it in the end."""
    items.sort(key=lambda item: item.path.name != "test_dev.py")


@pytest.fixture
def small(tmp_path: Path) -> SmallMesh:
    return SmallMesh(tmp_path)


# Runs a command in a network namespace of its own with loopback down, so that nothing can be reached. 77: not allowed to.
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
    """The demo mesh, built from nothing with the network cut off; once for all the workers of a test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    storage, told = folder / "storage", folder / "told.json"
    with lock(folder / ".lock", wait=True):
        if not told.exists():
            told.write_text(json.dumps(vars(kit("run", storage=storage, network=False))))
    return storage, subprocess.CompletedProcess(**json.loads(told.read_text()))


@pytest.fixture(scope="session")
def demo(first_run: tuple[Path, subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of the demo mesh, for this worker alone; without Dagster's home, whose settings name its own folder."""
    built, done = first_run
    if done.returncode == 77:
        with lock(built.parent / ".lock", wait=True):
            done = kit("run", storage=built)
    assert done.returncode == 0, done.stdout + done.stderr
    storage = tmp_path_factory.mktemp("demo") / "storage"
    shutil.copytree(built, storage, ignore=shutil.ignore_patterns("dagster"))
    for folder in (storage / "products").iterdir():
        Store(storage).repair_catalogs(folder.name)
    return storage
