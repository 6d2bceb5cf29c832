"""`kit run` in a process that may write little or open few files: one sentence, nothing lost, and the next run recovers."""

import os
import resource
import subprocess
import sys

import pytest

from tests.support.small_mesh import SALES, SmallMesh


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [
        (resource.RLIMIT_FSIZE, 300, "larger than this process may write"),
        (resource.RLIMIT_FSIZE, 60_000, "a database cannot be written"),
        (resource.RLIMIT_NOFILE, 24, "too many open files"),
        (resource.RLIMIT_NOFILE, 60, "too many open files"),
    ],
)
def test_a_run_that_lacks_something_names_it_and_the_next_one_recovers(
    small: SmallMesh, limit: int, value: int, says: str
) -> None:
    version = small.publish("shop")
    small.feed_rows([*SALES, "31,tea,1.00,2024-01-09"])
    done = subprocess.run(
        [sys.executable, "-m", "kit", "run", "shop"], cwd=small.root, env=dict(os.environ), capture_output=True, text=True,
        timeout=300, check=False, preexec_fn=lambda: resource.setrlimit(limit, (value, value)),
    )  # fmt: skip
    assert done.returncode == 1
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    snapshot = small.store.current("shop")
    assert snapshot
    snapshot.check()
    assert snapshot.version == version
    assert small.build("shop").status == "published"
