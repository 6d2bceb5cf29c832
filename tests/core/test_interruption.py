"""Signals while a process works: raised once, noted for ever, enforced against code that does not notice them."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import psutil
import pytest

from kit.core.interruption import Interruption, SignalHandlers, ended_after_signal
from tests.support.ending import heed_hangups
from tests.support.limits import HANG

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_raises_keyboard_interrupt_once(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in HANDLED]
    with Interruption() as interruption:
        assert not interruption.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(number)  # the clean-up goes on
        assert interruption.requested
    assert [signal.getsignal(each) for each in HANDLED] == before


def test_a_deferred_signal_is_only_noted() -> None:
    with Interruption() as interruption:
        interruption.defer()
        signal.raise_signal(signal.SIGTERM)
        assert interruption.requested


def test_nohup_keeps_its_meaning() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert not interruption.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_of_the_main_thread_nothing_changes() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with Interruption(), ended_after_signal():
            SignalHandlers().restore()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_handlers_come_back_after_a_library_replaced_them() -> None:
    with Interruption() as interruption:
        handlers = SignalHandlers()
        for number in HANDLED:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        handlers.restore()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert interruption.requested


def test_an_outer_block_notes_what_an_inner_one_handles() -> None:
    with Interruption() as outer:
        with pytest.raises(KeyboardInterrupt), Interruption() as inner:
            signal.raise_signal(signal.SIGTERM)
        assert (inner.code, outer.code, outer.requested) == (143, 143, True)
        signal.raise_signal(signal.SIGINT)  # the clean-up goes on
        assert outer.code == 143
    with Interruption() as other, contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert other.code == 130


def test_an_interrupt_that_a_callback_swallows_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    class Item:
        pass

    item = Item()
    reference = weakref.ref(item, lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        del item
        assert reference() is None
        time.sleep(5)
    assert interruption.code == 143
    assert capsys.readouterr().err == ""


LEAVES = """
    import signal, sys, time, weakref
    from kit.core.interruption import Interruption
    class Item:
        pass
    item = Item()
    reference = weakref.ref(item, lambda _: signal.raise_signal(int(sys.argv[1])))
    try:
        with Interruption():
            del item
    except KeyboardInterrupt:
        sys.exit("it was raised in the block")
    time.sleep(60)
"""


@pytest.mark.parametrize("number", HANDLED)
def test_a_process_ends_by_the_signal_that_a_callback_swallowed_at_the_end_of_the_block(number: signal.Signals) -> None:
    program = [sys.executable, "-c", textwrap.dedent(LEAVES), str(int(number))]
    done = subprocess.run(program, capture_output=True, text=True, timeout=HANG, preexec_fn=heed_hangups)
    assert (done.returncode, "in the block" in done.stderr) == (-number, False)


SWALLOWS = """
    import sys, time
    from kit.core.interruption import Interruption, ended_after_signal
    with ended_after_signal(float(sys.argv[1]), lambda: print("last words", flush=True)), Interruption():
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            time.sleep(float(sys.argv[2]))
    print("ended in order", flush=True)
"""


@pytest.mark.parametrize(
    ("limit", "clean_up", "code", "said"), [("0.5", "60", 143, ["last words"]), ("20", "0.2", 0, ["ended in order"])]
)
def test_a_process_that_goes_on_is_ended(limit: str, clean_up: str, code: int, said: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SWALLOWS), limit, clean_up], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=HANG)
    assert (process.returncode, out.splitlines()) == (code, said)
    assert time.monotonic() - started < 15


def test_without_a_signal_nothing_is_left_of_it() -> None:
    files = _open_files()
    before = threading.active_count()
    for _ in range(3):
        with ended_after_signal():
            pass
    assert threading.active_count() == before
    assert signal.set_wakeup_fd(-1) == -1
    assert _open_files() == files


def _open_files() -> int:
    return psutil.Process().num_fds()


def test_the_signals_are_known_after_the_block_whatever_handlers_a_library_sets() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt), ended_after_signal() as received:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
