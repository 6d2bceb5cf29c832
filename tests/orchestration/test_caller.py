"""A process that takes over what a command was started with: it cannot tell the difference."""

import json
import os
import pty
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.workers import client, environment, light_worker

REPORT = r"""
def command():
    import json, resource, signal, sys, tempfile
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    report = {
        "argv": sys.argv, "path": sys.path, "variables": dict(os.environ), "folder": os.getcwd(),
        "temp": tempfile.gettempdir(), "umask": os.umask(0), "zone": time.tzname, "processors": sorted(os.sched_getaffinity(0)),
        "limits": [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")],
        "handlers": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "nice": os.nice(0),
        "streams": [
            (s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, s.name, s.mode, s.isatty(), s.fileno())
            for s in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "real streams": sys.stdout is sys.__stdout__, "package": sys.modules["__main__"].__package__,
        "read": sys.stdin.readline(),
        "other": os.read(int(os.environ["OTHER"]), 99).decode() if "OTHER" in os.environ else "",
        "size": os.get_terminal_size(1) if os.isatty(1) else None, "by worker": os.getsid(0) == os.getpid(),
    }
    print(json.dumps(report))
    print("Zoë \udcff", file=sys.stderr)
    os.write(2, b"unbuffered\n")
    sys.exit(7)
"""


def restrict() -> None:
    """Start a command with limits and habits of its own."""
    end_with_parent()
    os.umask(0o027)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (tmp_path / "temp").mkdir()
    yield environment(runtime)


def run(variables: dict[str, str], folder: Path, **options: Any) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(client(REPORT, "x", "--y=ä"), env=variables, cwd=folder, capture_output=True, timeout=HANG, **options)
    return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()


def both(variables: dict[str, str], folder: Path, started_with: dict[str, str], **options: Any) -> list[Any]:
    """Run a command without and with a worker, which has other variables, and return what is the same in both."""
    found = []
    for way in (variables | {"KIT_WORKER": "off"}, variables):
        with light_worker(REPORT, started_with):
            code, report, errors = run(way, folder, **options)
        assert report.pop("by worker") == (way is variables), errors
        report["variables"].pop("KIT_WORKER", None)
        found.append((code, report, errors))
    return found


def test_a_command_finds_no_difference(variables: dict[str, str], tmp_path: Path) -> None:
    own = {"TMPDIR": str(tmp_path / "temp"), "TZ": "Asia/Tokyo", "SECRET": "ä\udcff", "EMPTY": "", "COLUMNS": "77"}
    (tmp_path / "other").write_text("what others left open")
    number = os.open(tmp_path / "other", os.O_RDONLY)
    options: dict[str, Any] = {"preexec_fn": restrict, "input": b"a line\n", "pass_fds": [number]}
    directly, by_worker = both(variables | own | {"OTHER": str(number)}, tmp_path, variables, **options)
    os.close(number)
    assert directly[0] == 7
    assert by_worker == (7, directly[1] | {"other": ""}, directly[2])  # the first one has read the file to its end
    assert (directly[1]["umask"], directly[1]["read"], directly[1]["other"]) == (0o027, "a line\n", "what others left open")


def test_a_command_in_a_terminal_finds_no_difference(variables: dict[str, str], tmp_path: Path) -> None:
    found = []
    for way in (variables | {"KIT_WORKER": "off"}, variables):
        with light_worker(REPORT, variables):
            here, there = pty.openpty()
            process = subprocess.Popen(client(REPORT), env=way, cwd=tmp_path, stdin=there, stdout=there, stderr=subprocess.PIPE)
            os.write(here, b"typed\n")
            _, errors = process.communicate(timeout=HANG)
            report = json.loads(os.read(here, 1 << 16).decode().partition("typed\r\n")[2])
            os.close(here)
            os.close(there)
            assert report.pop("by worker") == (way is variables)
            report["variables"].pop("KIT_WORKER", None)
            found.append((process.returncode, report, errors))
    assert found[0] == found[1]
    assert found[0][1]["streams"][1][2] is True


def test_a_command_without_a_standard_stream_goes_without(variables: dict[str, str], tmp_path: Path) -> None:
    with light_worker(REPORT, variables):
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 0<&-', "sh", *client("def command(): print(sys.stdin)")], env=variables, cwd=tmp_path,
            capture_output=True, text=True, timeout=HANG,
        )  # fmt: skip
    assert done.stdout == "None\n"


def test_a_working_folder_that_is_gone_is_taken_over(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = "def command(): print(os.readlink('/proc/self/cwd'), os.getsid(0) == os.getpid())"
    with light_worker(command, variables):
        done = subprocess.run(
            ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *client(command)], env=variables, cwd=tmp_path / "gone",
            capture_output=True, text=True, timeout=HANG,
        )  # fmt: skip
    assert done.stdout == f"{tmp_path}/gone (deleted) True\n"
