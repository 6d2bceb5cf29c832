"""Secrets removed from text on its way out of a process: from what its children print, and from its own streams."""

import codecs
import io
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO

from kit.core.secrets import Secrets
from kit.core.text import visible

CUT = "Output beyond the limit was cut.\n"
"""The end of output that has reached its limit."""

_CHUNK = 1 << 16
_HARMLESS = re.compile("(\x1b\\[[0-9;]*m|\r)")
_IDLE_MILLISECONDS, _END_SECONDS = 100, 2


class Scrubber:
    """Removes secrets from bytes that arrive in parts, and cuts all after `limit` bytes; no part of a secret passes."""

    def __init__(self, secrets: Secrets, limit: int) -> None:
        self._secrets = secrets
        self._left = limit
        self._waiting = b""

    def feed(self, part: bytes) -> bytes:
        """Return what may pass now; an end that may be the beginning of a secret waits for the next part."""
        if self._left < 0:
            return b""
        text = self._waiting + part
        begun = self._secrets.begun_at(text)
        self._waiting = text[begun:]
        return self._cut(self._secrets.scrubbed(text[:begun]))

    def end(self) -> bytes:
        """Return what has waited."""
        rest, self._waiting = self._waiting, b""
        return self._cut(self._secrets.scrubbed(rest))

    def _cut(self, text: bytes) -> bytes:
        left, self._left = self._left, self._left - len(text)
        if left < 0:
            return b""
        return text if self._left >= 0 else text[:left] + CUT.encode()


class ScrubbedPipe:
    """The output of child processes, which goes to `write` without secrets and cut after `limit` bytes.

    Give it to `subprocess` as `stdout` and `stderr`. Nothing that was not scrubbed reaches a disk, even if this process is
    killed.
    """

    def __init__(self, secrets: Secrets, write: Callable[[bytes], object], limit: int) -> None:
        self._reader, self._writer = os.pipe()
        self._scrubber = Scrubber(secrets, limit)
        self._write = write
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._copy, name="output of a child process", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Return the descriptor to write to."""
        return self._writer

    def close(self) -> None:
        """Write all that has arrived; what a child that still runs writes later is lost."""
        if not self._closing.is_set():
            self._closing.set()
            os.close(self._writer)
            self._thread.join()

    def _copy(self) -> None:
        poll, deadline = select.poll(), 0.0
        poll.register(self._reader, select.POLLIN)
        try:
            while not deadline or time.monotonic() < deadline:
                if poll.poll(_IDLE_MILLISECONDS):
                    part = os.read(self._reader, _CHUNK)
                    if not part:
                        break
                    self._pass(self._scrubber.feed(part))
                elif self._closing.is_set():
                    break
                if self._closing.is_set() and not deadline:
                    deadline = time.monotonic() + _END_SECONDS
            self._pass(self._scrubber.end())
        finally:
            os.close(self._reader)

    def _pass(self, text: bytes) -> None:
        if text:
            with suppress(OSError, ValueError):  # a full disk, a closed stream: the child goes on
                self._write(text)


class StandardError:
    """Prints bytes in UTF-8 on standard error, which may be that of a notebook cell; colours are the only commands in it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def __call__(self, text: bytes) -> None:
        """Print the next part."""
        parts = _HARMLESS.split(self._decoder.decode(text))
        sys.stderr.write("".join(part if number % 2 else visible(part) for number, part in enumerate(parts)))
        sys.stderr.flush()


class ScrubbedStream(io.TextIOWrapper):
    """A text stream without secrets; `secrets` may be set later."""

    secrets = Secrets()

    def duplicate(self) -> "ScrubbedStream":
        """Return another stream to the same file, whatever becomes of the descriptor of this one."""
        copy = ScrubbedStream(os.fdopen(os.dup(self.fileno()), "wb"), self.encoding, self.errors)
        copy.secrets = self.secrets
        return copy

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        super().write(self.secrets.scrubbed(text))
        return len(text)


@contextmanager
def scrubbed_streams() -> Iterator[Callable[[Secrets], None]]:
    """Print without secrets, also tracebacks and warnings, from the moment when the yielded function is given them."""
    streams: list[ScrubbedStream] = []

    def scrub(secrets: Secrets) -> None:
        for stream in streams:
            stream.secrets = secrets

    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if wrapped := _scrubbed(getattr(sys, name)):
                stack.callback(setattr, sys, name, getattr(sys, name))
                stack.callback(_release, wrapped)
                streams.append(wrapped)
                setattr(sys, name, wrapped)
        yield scrub


def _scrubbed(stream: TextIO) -> ScrubbedStream | None:
    """Return the stream scrubbed; None for one that is no stream of bytes, as that of a test or a notebook may be."""
    if not isinstance(stream, io.TextIOWrapper):
        return None
    stream.flush()
    settings: dict[str, Any] = {"encoding": stream.encoding, "errors": stream.errors}
    return ScrubbedStream(stream.buffer, **settings, line_buffering=stream.line_buffering, write_through=stream.write_through)


def _release(stream: ScrubbedStream) -> None:
    with suppress(OSError, ValueError):
        stream.flush()
    with suppress(OSError, ValueError):
        stream.detach()
