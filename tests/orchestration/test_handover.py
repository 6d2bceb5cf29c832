"""A command and the worker that executes it: signals, endings, and all that lets a command go without."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.core import confinement
from tests.support.ending import heed_hangups
from tests.support.limits import HANG
from tests.support.workers import WHERE, client, environment, files, light_worker, wait_for

SLEEPS = """
def command():
    print(os.getpid(), flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "runtime").mkdir()
    yield environment(tmp_path / "runtime")


def executed_by(variables: dict[str, str], *arguments: str) -> str:
    """Return `worker` or `itself`; nothing else is printed."""
    done = subprocess.run(client(WHERE, *arguments), env=variables, capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0), ("sys.exit(3)", 3), ("sys.exit('x')", 1), ("raise KeyError", 1), ("os.kill(os.getpid(), 9)", -9),
        ("os.kill(os.getpid(), 11)", -11), ("os.kill(os.getpid(), 15)", -15), ("raise KeyboardInterrupt", -2),
    ],
)  # fmt: skip
def test_a_command_ends_as_without_worker(variables: dict[str, str], body: str, code: int) -> None:
    command = f"def command():\n    import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n    {body}"
    with light_worker(command, variables) as worker:
        for way in (variables, variables | {"KIT_WORKER": "off"}):
            assert subprocess.run(client(command), env=way, stderr=subprocess.DEVNULL, timeout=HANG).returncode == code
        assert worker.poll() is None  # it survives the death of a build
        assert subprocess.run(client(command), env=variables, stderr=subprocess.DEVNULL, timeout=HANG).returncode == code


def sleeping(variables: dict[str, str]) -> "tuple[subprocess.Popen[str], psutil.Process]":
    """Start a command that sleeps; return it and the process that executes it."""
    process = subprocess.Popen(client(SLEEPS), env=variables, stdout=subprocess.PIPE, text=True, preexec_fn=heed_hangups)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    assert child.pid != process.pid
    return process, child


def test_signals_go_to_the_process_that_executes(variables: dict[str, str]) -> None:
    with light_worker(SLEEPS, variables):
        process, child = sleeping(variables)
        process.send_signal(signal.SIGTSTP)
        wait_for(lambda: child.status() == psutil.STATUS_STOPPED)
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: child.status() != psutil.STATUS_STOPPED)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=HANG)[0] == "interrupted\n"
        assert process.returncode == 130
        process, child = sleeping(variables)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=HANG)
        assert process.returncode == -signal.SIGHUP


def test_a_command_ends_with_its_client(variables: dict[str, str]) -> None:
    with light_worker(SLEEPS, variables) as worker:
        process, child = sleeping(variables)
        process.kill()
        child.wait(10)
        process.communicate()
        assert worker.poll() is None


def test_a_command_ends_with_its_worker_and_says_so(variables: dict[str, str]) -> None:
    with light_worker(SLEEPS, variables) as worker:
        process = subprocess.Popen(
            client(SLEEPS), env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        worker.kill()
        assert process.communicate(timeout=HANG)[1] == (
            "error: the worker process was ended, and this run with it; run again, or with --no-worker\n"
        )
        assert process.returncode == 1


def test_commands_at_once(variables: dict[str, str]) -> None:
    with light_worker(SLEEPS, variables):
        (first, _), (second, _) = sleeping(variables), sleeping(variables)
        first.send_signal(signal.SIGINT)
        assert first.communicate(timeout=HANG)[0] == "interrupted\n"
        assert second.poll() is None
        second.send_signal(signal.SIGINT)
        assert second.communicate(timeout=HANG)[0] == "interrupted\n"


def test_the_worker_may_be_switched_off(variables: dict[str, str]) -> None:
    with light_worker(WHERE, variables):
        assert executed_by(variables) == "worker"
        assert executed_by(variables, "--no-worker") == "itself"
        for switch in ({"KIT_WORKER": "off"}, {"CI": "true"}):
            assert executed_by(variables | switch) == "itself"


def test_what_a_worker_cannot_give_a_command_does_without(variables: dict[str, str]) -> None:
    with light_worker(WHERE, variables):
        assert executed_by(variables | {"PYTHONHASHSEED": "1"}) == "itself"
        assert executed_by(variables | {"POLARS_MAX_THREADS": "1"}) == "itself"
        limited = ["sh", "-c", 'ulimit -n 500; exec "$@"', "sh", *client(WHERE)]
        assert subprocess.run(limited, env=variables, capture_output=True, text=True).stdout == "itself\n"
        nice = ["nice", "-n", "5", *client(WHERE)]
        assert subprocess.run(nice, env=variables, capture_output=True, text=True).stdout == "itself\n"


def test_broken_files_of_a_worker_do_no_harm(variables: dict[str, str]) -> None:
    with light_worker(WHERE, variables):
        permit, *_ = files(variables)
        token = permit.read_bytes()
        for content in (b"", b"x" * 32, token[:-1], token + b"more"):
            permit.write_bytes(content)
            assert executed_by(variables) == "itself"
        permit.write_bytes(token)
        assert executed_by(variables) == "worker"
    assert executed_by(variables) == "itself"  # the socket of one that was killed
    folder = permit.parent
    for path in folder.iterdir():
        path.unlink()
    folder.chmod(0o755)
    assert executed_by(variables) == "itself"
    folder.rmdir()
    folder.write_text("")
    assert executed_by(variables) == "itself"


@pytest.mark.parametrize("answer", ["", "time.sleep(60)", "connection.sendall(b'1234')"])
def test_a_worker_that_does_not_answer_is_not_waited_for(variables: dict[str, str], answer: str) -> None:
    with light_worker(WHERE, variables) as worker:
        worker.kill()
        worker.wait()
        _, _, address = files(variables)
        address.unlink()
        program = (
            "import socket, sys, time\nwith socket.socket(socket.AF_UNIX) as there:\n"
            f" there.bind({str(address)!r}); there.listen(); print(flush=True)\n"
            f" connection, _ = there.accept()\n {answer or 'pass'}"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            started = time.monotonic()
            assert executed_by(variables) == "itself"
            assert time.monotonic() - started < 20
            other.kill()


def test_code_of_domains_may_not_use_the_worker(variables: dict[str, str], tmp_path: Path) -> None:
    """It can open the socket, but not the file with the permission."""

    (tmp_path / "own").mkdir()
    with light_worker(WHERE, variables), confinement.confined(confinement.Places(), tmp_path / "own") as (command, kept):
        done = subprocess.run(
            [*command, *client(WHERE)], env=variables, cwd=tmp_path / "own", pass_fds=kept, capture_output=True, text=True
        )
    assert done.stdout == "itself\n", done.stderr


def test_the_key_for_masking_is_hidden_in_the_client_too(variables: dict[str, str]) -> None:
    def is_hidden(process: int) -> bool:
        try:
            return b"a-very-secret-key" not in Path(f"/proc/{process}/environ").read_bytes()
        except PermissionError:  # as it is for all but root
            return True

    with light_worker(SLEEPS, variables):
        process, child = sleeping(variables | {"KIT_MASK_KEY": "a-very-secret-key"})
        wait_for(lambda: is_hidden(process.pid))
        assert is_hidden(child.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HANG)


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    variables = environment(folder)
    with light_worker(WHERE, variables):
        assert executed_by(variables) == "worker"


def test_only_its_user_may_connect(variables: dict[str, str]) -> None:
    with light_worker(WHERE, variables):
        permit, _, address = files(variables)
        assert [path.stat().st_mode & 0o077 for path in (permit, address, permit.parent)] == [0] * 3
        if os.geteuid() == 0:
            program = f"import os, socket; os.setuid(65534); socket.socket(socket.AF_UNIX).connect({str(address)!r})"
            assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 1
