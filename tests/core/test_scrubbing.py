import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kit.core.scrubbing import CUT, ScrubbedPipe, Scrubber, scrubbed_streams
from kit.core.secrets import Secrets
from tests.support.limits import HANG

VALUE = "hunter2/hunter2'x"
SECRETS = Secrets({"API_TOKEN": VALUE, "LONG_TOKEN": "hunter2/and more"})


@pytest.mark.parametrize("size", range(1, 40))
def test_a_secret_in_parts_is_recognised(size: int) -> None:
    text = f"a {VALUE}{VALUE} hunter2 é hunter2/and more, hunter2/h".encode()
    scrubber = Scrubber(SECRETS, 1000)
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    passed = b"".join([*map(scrubber.feed, parts), scrubber.end()])
    assert passed.decode() == "a [API_TOKEN][API_TOKEN] hunter2 é [LONG_TOKEN], hunter2/h"


def test_text_that_begins_no_secret_passes_at_once() -> None:
    assert Scrubber(SECRETS, 1000).feed(b"working on it ") == b"working on it "


def test_output_is_cut_once_and_in_linear_time() -> None:
    scrubber, passed = Scrubber(SECRETS, 3), b""
    started = time.perf_counter()
    for _ in range(1000):
        passed += scrubber.feed(b"h" * 65_536)
    assert passed.decode() + scrubber.end().decode() == f"hhh{CUT}"
    assert time.perf_counter() - started < 5
    assert Scrubber(SECRETS, 0).end() == b""


def test_children_print_without_secrets_and_without_waiting_for_their_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"import os, subprocess; os.write(1, {VALUE[:9]!r}.encode()); os.write(1, {VALUE[9:]!r}.encode())"
    code += f"; subprocess.Popen(['sh', '-c', 'echo \"$0\" >&2; sleep 60', {VALUE!r}])"
    with log.open("wb", buffering=0) as file:
        pipe = ScrubbedPipe(SECRETS, file.write, 1000)
        child = subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, start_new_session=True)
        child.wait(20)
        deadline = time.monotonic() + HANG
        while log.read_text().count("[API_TOKEN]") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        started = time.monotonic()
        pipe.close()
        pipe.close()
    os.killpg(child.pid, 9)
    assert time.monotonic() - started < 5
    assert log.read_text() == "[API_TOKEN][API_TOKEN]\n"
    assert "output of a child process" not in [thread.name for thread in threading.enumerate()]


def test_a_child_goes_on_when_its_output_cannot_be_written() -> None:
    def full(text: bytes) -> None:
        raise OSError(28, "No space left on device")

    pipe = ScrubbedPipe(SECRETS, full, 10_000_000)
    assert subprocess.run([sys.executable, "-c", "print('x' * 1_000_000)"], stdout=pipe, timeout=HANG).returncode == 0
    pipe.close()


def test_the_streams_of_a_process_are_scrubbed_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    with scrubbed_streams() as scrub:
        print("before ä")
        scrub(SECRETS)
        print("within", VALUE)
    assert sys.stdout is stream
    print("after")
    stream.flush()
    assert buffer.getvalue() == b"before \\xe4\nwithin [API_TOKEN]\nafter\n"


def test_a_traceback_has_no_secret() -> None:
    code = f"""
from kit.core import Secrets, scrubbed_streams
with scrubbed_streams() as scrub:
    scrub(Secrets({{'API_TOKEN': {VALUE!r}}}))
    import traceback
    try: raise ValueError({VALUE!r})
    except ValueError: traceback.print_exc()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.endswith("ValueError: [API_TOKEN]\n")
