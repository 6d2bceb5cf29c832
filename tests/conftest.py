import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import lab, lab_page, logged_in  # noqa: F401  fixtures
from tests.small_mesh import SmallMesh

ROOT = Path(__file__).parents[1]


@pytest.fixture
def small(tmp_path: Path) -> SmallMesh:
    return SmallMesh(tmp_path)


# What `kit run` starts in: a network namespace of its own with loopback down, so that nothing can be reached.
NO_NETWORK = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-m", "kit.cli", *sys.argv[1:]])
"""


def kit(*arguments: str, storage: Path, network: bool = True) -> subprocess.CompletedProcess[str]:
    start = ["-m", "kit.cli"] if network else ["-c", NO_NETWORK]
    return subprocess.run(
        [sys.executable, *start, *arguments], cwd=ROOT, env={**os.environ, "KIT_STORAGE": str(storage)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demo mesh, built from nothing with the network cut off."""
    storage = tmp_path_factory.mktemp("demo") / "storage"
    done = kit("run", storage=storage, network=False)
    return storage, done


@pytest.fixture(scope="session")
def demo(first_run: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    storage, done = first_run
    if done.returncode == 77:  # the kernel gives this user no network namespace
        done = kit("run", storage=storage)
    assert done.returncode == 0, done.stdout + done.stderr
    return storage
