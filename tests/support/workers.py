"""Workers for tests: with a runtime folder of their own, and one that executes a function instead of `kit run`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.ending import end_with_parent
from tests.support.limits import HANG

ROOT = Path(__file__).parents[2]

WHERE = "def command(): print('worker' if os.getsid(0) == os.getpid() else 'itself')"
"""The body of a command that prints who executes it."""

LIGHT = """
import os, sys, time
from kit.orchestration import handover, worker, worker_place

{}

if sys.argv[1] == "run":
    handover.hand_over("__main__:command")
    command()
    sys.exit()
place, key = worker_place.folder(), worker_place.key()
lock = open(os.path.join(place, key + ".lock"), "a")
import fcntl
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid()))
lock.flush()
worker.Worker(place, key, float(sys.argv[2]), lock).serve()
"""


def environment(runtime: Path, **variables: str) -> dict[str, str]:
    """The environment variables of commands that may use a worker, whose files are in the folder `runtime`."""
    others = {name: value for name, value in os.environ.items() if name not in ("KIT_WORKER", "CI", "PYTHONUNBUFFERED")}
    return others | {"XDG_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(ROOT)} | variables


def client(command: str, *arguments: str) -> list[str]:
    """A program that lets a worker execute `command`, the body of a function of that name, or does so itself."""
    return [sys.executable, "-c", LIGHT.format(command), "run", *arguments]


@contextmanager
def light_worker(command: str, variables: Mapping[str, str], idle_seconds: float = 60) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker that has imported next to nothing."""
    for path in files(variables):  # those of one that was killed
        path.unlink()
    program = [sys.executable, "-c", LIGHT.format(command), "serve", str(idle_seconds)]
    process = subprocess.Popen(program, env=variables, cwd="/", start_new_session=True, preexec_fn=end_with_parent)
    try:
        wait_for(lambda: any(path.suffix == "" and path.stat().st_size for path in files(variables)))
        yield process
    finally:
        process.kill()
        process.wait()


def files(variables: Mapping[str, str]) -> list[Path]:
    """The files of workers: a lock, a socket, and one without an ending that permits to use it."""
    return sorted(Path(variables["XDG_RUNTIME_DIR"], "data-mesh-kit").glob("*"))


def wait_for(condition, seconds: float = HANG) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not after {seconds} seconds"
        time.sleep(0.02)


def python(program: str, folder: Path) -> str:
    """Run a program in a process of its own and return what it prints."""
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True).stdout
