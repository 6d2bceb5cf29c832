"""A `kit` command that serves until it is interrupted, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.ending import end_with_parent
from tests.support.limits import HANG


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return a process and its children."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


@contextmanager
def serving(root: Path, *command: str, **environment: str) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """Run a command in a mesh on any free port, with its address; ends all its processes afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kit", *command, "--port", "0"], cwd=root, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    members: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        line = next((line.strip() for line in process.stdout if "http://127.0.0.1:" in line), None)
        assert line, process.communicate()[1]
        yield process, line
    finally:
        if process.poll() is None:
            members = family(process)
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=HANG)
        finally:
            for member in members:
                if member.is_running():
                    member.kill()
