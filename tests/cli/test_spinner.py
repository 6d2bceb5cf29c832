import os
import pty
import re
import subprocess
import sys

from tests.support.limits import HANG

CODE = """
import time
from kit.cli.console import console, errors
from kit.cli.reporter import TerminalReporter

reporter = TerminalReporter()
with reporter.progress() as progress:
    progress.begin("shop", "audit")
    time.sleep(0.3)
    errors.print("a reason")
    time.sleep(0.3)
    progress.end("shop", "audit", "3 checks passed", 0.1)
print("done")
"""


def on_a_terminal(code: str) -> str:
    """What a process writes to a terminal of 80 columns, standard error included."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait(HANG)
    return shown.decode()


def lines_of(shown: str) -> list[str]:
    """The lines that stay on the screen: text behind the last return to the start of a line or the last erasure of it."""
    without_colours = re.sub(r"\x1b\[\??[0-9;]*[mhl]", "", shown)
    return [re.split(r"\r|\x1b\[[0-9]*[AKJ]", line)[-1] for line in without_colours.replace("\r\n", "\n").split("\n")]


def test_errors_and_results_are_on_lines_of_their_own_while_a_spinner_is_shown() -> None:
    shown = on_a_terminal(CODE)
    assert "shop: audit" in shown
    lines = lines_of(shown)
    assert "a reason" in lines
    assert "done" in lines
    assert any(line.split() == ["shop", "audit", "3", "checks", "passed", "0.1", "s"] for line in lines)
