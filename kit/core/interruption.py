"""Requests to end the work of this process: raised once, never lost, and enforced when code does not notice them."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128
_INTERRUPTED = _SIGNALLED + signal.SIGINT
_AGAIN_SECONDS = 0.01


class Interruption:
    """The request to end a piece of work, by SIGINT, SIGTERM or SIGHUP while its block runs.

    The first signal raises `KeyboardInterrupt` in the main thread. Later ones raise nothing, so that they cannot break off
    the clean-up. A library may swallow the exception, so `requested` is to be checked before work that others can see.
    Outside of the main thread no signal arrives. Where a callback swallows the exception, it is raised again. An outer block
    notes what an inner one handles.
    """

    def __init__(self) -> None:
        self.requested = False
        self.code = _INTERRUPTED
        """The exit code of a process that ends by the signal."""
        self._deferred = self._swallowed = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        if _in_main_thread():
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            for number, handler in self._before.items():
                if handler is not signal.SIG_IGN or number != signal.SIGHUP:  # `nohup` protects from SIGHUP
                    signal.signal(number, self._handle)
            self._report = sys.unraisablehook
            sys.unraisablehook = self._notice
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            sys.unraisablehook = self._report

    def ignore(self) -> None:
        """Ignore signals from now on, and after the block too, since this process ends: another one changes no exit code.

        Python gives a signal whose handler is its own its default meaning before it ends, but not one that is ignored.
        """
        self._deferred = True
        self._before = dict.fromkeys(self._before, signal.SIG_IGN)
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def defer(self) -> None:
        """Raise nothing from now on: a signal is only noted in `requested`."""
        self._deferred = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first, self._swallowed = not self.requested or self._swallowed, False
        self.note(number)
        if first and not self._deferred:
            raise KeyboardInterrupt

    def note(self, number: int) -> None:
        """Keep that a signal arrived."""
        if not self.requested:
            self.requested, self.code = True, _SIGNALLED + number
        outer = getattr(self._before.get(signal.Signals(number)), "__self__", None)
        if isinstance(outer, Interruption):
            outer.note(number)

    def _notice(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Send the signal again whose exception Python could not raise, as in a callback of a weak reference."""
        if self.requested and isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._swallowed = True
            # The same one: when the block has ended meanwhile, the process ends by the signal that it was sent.
            threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), self.code - _SIGNALLED)).start()
        else:
            self._report(unraisable)


def interrupt(reason: str) -> None:
    """Send this process SIGINT for a reason, which `interrupt_reason` returns."""
    _reasons.append(reason)
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_reason() -> str:
    """Return why this process interrupted itself, once; empty for a signal from outside."""
    return _reasons.pop() if _reasons else ""


_reasons: list[str] = []


class SignalHandlers:
    """The signal handlers of this process as they are now, to be put back after a library has replaced them."""

    def __init__(self) -> None:
        self._handlers = {number: signal.getsignal(number) for number in _SIGNALS} if _in_main_thread() else {}
        self._wakeup = signal.set_wakeup_fd(-1) if self._handlers else -1
        self.restore()

    def restore(self) -> None:
        """Set the handlers again."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._handlers:
            signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)


@contextmanager
def ended_after_signal(seconds: float = 10, last_words: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """End this process if the block still runs some seconds after SIGINT, SIGTERM or SIGHUP, with 128 and its number.

    Python handles a signal between two of its own instructions, so code in C can hold it up for ever. `last_words` is called
    before the end. Yields the numbers of the signals, which are complete after the block, whatever handlers a library sets.
    For processes that belong to the kit; does nothing outside of the main thread.
    """
    received: list[int] = []
    if not _in_main_thread():
        yield received
        return
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    before = signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            received.extend(number for number in os.read(receiver, 64) if number in _SIGNALS)
            if received and not done.wait(seconds):
                last_words()
                sys.stderr.flush()
                os._exit(_SIGNALLED + received[0])

    thread = threading.Thread(target=watch, name="ended after a signal", daemon=True)
    thread.start()
    try:
        yield received
    finally:
        done.set()
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.write(sender, b"\0")  # ends the thread
        thread.join()
        os.close(sender)
        while late := os.read(receiver, 64):
            received.extend(number for number in late if number in _SIGNALS)
        os.close(receiver)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
