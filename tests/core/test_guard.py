import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kit.core.processes import END_AT_ONCE, guarded

ORPHANS = """\
import os, subprocess, sys, time
def go(path):
    if os.fork() == 0:  # as daemons do: orphaned, in a session of its own, without an environment
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sh", ["sh", "-c", f"echo $$ > {path}.part; mv {path}.part {path}; exec sleep 600"], {})
        os._exit(0)
    while not os.path.exists(path):
        time.sleep(0.01)
go(sys.argv[1])
"""


def ended(process: int) -> bool:
    """Whether a process ends within a few seconds."""
    try:
        psutil.Process(process).wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def started(folder: Path, then: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A guarded program that has started a daemon and then runs some code, with the daemon's id."""
    process = subprocess.Popen(guarded([sys.executable, "-c", ORPHANS + then, str(folder / "daemon")]))
    while not (folder / "daemon").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process, int((folder / "daemon").read_text())


@pytest.mark.parametrize(
    ("code", "exits_with"),
    [("pass", 0), ("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", -9), ("os.kill(os.getpid(), 11)", -signal.SIGSEGV)],
)
def test_daemons_end_with_the_command_whose_code_is_passed_on(tmp_path: Path, code: str, exits_with: int) -> None:
    process, daemon = started(tmp_path, code)
    assert process.wait(10) == exits_with
    assert not psutil.pid_exists(daemon)


def test_a_command_that_ignores_signals_ends_at_once_with_all_its_processes(tmp_path: Path) -> None:
    ignore = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 10, 12, 15)]; time.sleep(600)"
    process, daemon = started(tmp_path, ignore)
    process.send_signal(END_AT_ONCE)
    assert process.wait(10) == -signal.SIGKILL
    assert not psutil.pid_exists(daemon)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    wait = f"import signal; signal.signal({number}, lambda *_: sys.exit(5)); open(sys.argv[1] + '.ready', 'w'); time.sleep(600)"
    process, _ = started(tmp_path, wait)
    while not (tmp_path / "daemon.ready").exists():
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(10) == 5


def test_everything_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHANS + "time.sleep(600)", str(tmp_path / "daemon")]
    start = (
        "import subprocess, time; from kit.core.processes import guarded; "
        f"print(subprocess.Popen(guarded({command})).pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        guard = int(starter.stdout.readline())
        while not (tmp_path / "daemon").exists():
            time.sleep(0.01)
        starter.kill()
    assert (ended(guard), ended(int((tmp_path / "daemon").read_text()))) == (True, True)


def test_a_command_inherits_the_descriptors_meant_for_it() -> None:
    receiver, sender = os.pipe()
    command = [sys.executable, "-c", f"import os; os.write({sender}, b'here')"]
    subprocess.run(guarded(command), pass_fds=[sender], check=True)
    assert os.read(receiver, 10) == b"here"
    os.close(receiver)
    os.close(sender)


def test_a_command_that_does_not_exist_is_named() -> None:
    done = subprocess.run(guarded(["/nowhere/tool"]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, "/nowhere/tool: No such file or directory\n")
