"""Forked processes: they end as an interpreter does, and are signalled when their parent ends."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.support.limits import HANG

PROGRAM = """
    import atexit, os, sys, threading, time
    from kit.core.forking import end_process

    def work():
        atexit.register(print, "at exit")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        {}

    print("begun")
    sys.stdout.flush()
    child = os.fork()
    if not child:
        end_process(work)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""


@pytest.mark.parametrize(
    ("statement", "code", "error"),
    [
        ("pass", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('wrong')", 1, "wrong\n"),
        ("raise SystemExit", 0, ""),
        ("raise KeyError('x')", 1, "KeyError: 'x'\n"),
        ("raise KeyboardInterrupt", 254, "KeyboardInterrupt\n"),
        ("os.close(1)", 120, None),
    ],
)
def test_it_ends_like_a_program(statement: str, code: int, error: str | None) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(statement)], env=buffered, capture_output=True, text=True,
        timeout=HANG,
    )  # fmt: skip
    assert done.returncode == code
    if error is not None:
        assert done.stdout.splitlines() == ["begun", "thread", "at exit"]
        assert done.stderr.endswith(error)


def test_it_is_signalled_when_its_parent_ends() -> None:
    program = textwrap.dedent("""
        import os, signal, time
        from kit.core.forking import signal_with_parent
        if not os.fork():
            signal_with_parent(signal.SIGTERM)
            signal.signal(signal.SIGTERM, lambda *_: (print("signalled", flush=True), os._exit(0)))
            print("ready", flush=True)
            time.sleep(60)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stdout.readline() == "signalled\n"
