"""What goes on after a kill of the process that started it: nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.dev_server import dev_server
from tests.support.ending import end_with_parent
from tests.support.files import write
from tests.support.limits import HANG
from tests.support.orchestration import declare
from tests.support.small_mesh import SmallMesh

INGEST = """
import os, time
def sales():
    with open("domains/shop/begun", "w") as file:
        file.write(f"{os.getpid()}.")
    time.sleep(600)
"""


def begun(small: SmallMesh, process: "subprocess.Popen[str]") -> psutil.Process:
    """The process of the source, once it has begun."""
    path = small.domains / "shop/begun"
    while not path.exists() or not path.read_text().endswith("."):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    return psutil.Process(int(path.read_text().rstrip(".")))


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that still run after some seconds."""
    return psutil.wait_procs(processes, timeout=HANG)[1]


@pytest.mark.slow
def test_a_command_that_a_killed_test_had_started_ends_with_all_its_processes(small: SmallMesh) -> None:
    write(small.domains / "shop/ingest.py", INGEST)
    code = (
        "import os, sys; from pathlib import Path; from tests.support.small_mesh import SmallMesh\n"
        "small = SmallMesh.__new__(SmallMesh); small.root = Path(sys.argv[1]); small.kit('run')"
    )
    test = subprocess.Popen(
        [sys.executable, "-c", code, str(small.root)], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    source = begun(small, test)
    family = psutil.Process(test.pid).children(recursive=True)
    test.kill()
    test.communicate()
    assert alive([*family, source]) == []


@pytest.mark.heavy
def test_the_workers_of_a_killed_dev_server_end(small: SmallMesh) -> None:
    for name in ("shop", "plan"):
        declare(small, name, "schedule", "0 0 29 2 1")
    write(small.domains / "shop/ingest.py", INGEST)
    with dev_server(small.root) as server:
        server.launch("shop.sales")
        source, family = begun(small, server.process), server.family()
        assert [process for process in family if "tail" in process.name()]  # Dagster's mirrors of the logs of the step
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.communicate()
        assert alive([*family, source]) == []
