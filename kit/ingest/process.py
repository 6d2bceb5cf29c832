"""The confined process in which the functions of an `ingest.py` run."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any

from kit.core import (
    END_AT_ONCE,
    IngestError,
    Places,
    ScrubbedPipe,
    Secrets,
    StandardError,
    confinement,
    describe_ending,
    exists,
    guarded,
    short,
)
from kit.mesh import RAW, DataProduct

_INTERRUPTED = 130
_CAUSE = 180  # characters
_LOOK_SECONDS, _END_SECONDS = 0.5, 5


@dataclass(frozen=True)
class Returned:
    """What a function of `ingest.py` returned: a file, or a frame that was written to one, and the time of its delivery."""

    path: str
    is_frame: bool
    delivered: datetime | None


class IngestProcess:
    """The process of the `ingest.py` of a product, which opens the files of `places` only; a context manager.

    It starts at the first call and has a temporary folder until the end. What it prints goes to standard error without
    `secrets`, at most `output_mb` megabytes. An interrupt that ends the block is passed on to it, so that it can clean up.
    """

    def __init__(self, product: DataProduct, places: Places, secrets: Secrets, output_mb: int) -> None:
        self.product = product
        self.places = places
        self._secrets = secrets
        self._output_limit = output_mb * 1_000_000
        self._temp = tempfile.TemporaryDirectory(prefix="kit-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "IngestProcess":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process:
            self._end(self._process, interrupted=error is not None and not isinstance(error, Exception))
        self._temp.cleanup()

    def call(self, source: str, label: str) -> Returned:
        """Call the function of a source; raises `IngestError` when it fails, ends the process or is refused a file."""
        process = self._process or self._start()
        request = {"source": source, "label": label}
        with suppress(OSError):  # it has ended, which the answer shows
            self._channel.sendall(json.dumps(request).encode() + b"\n")
        answer = self._answer(process, source)
        if "problem" in answer:
            raise self._error(answer, source)
        delivered = datetime.fromisoformat(answer["delivered"]) if answer["delivered"] else None
        return Returned(answer["path"], answer["is_frame"], delivered)

    def check_readable(self, label: str, path: Path, source: str) -> None:
        """Raise `IngestError` for a file that `ingest.py` must not read itself."""
        if not self.may_read(path):
            raise IngestError(f"{label}: {self._advice(path, source)}")

    def may_read(self, path: Path) -> bool:
        """Whether `ingest.py` may read a file itself."""
        return path.resolve().is_relative_to(Path(self._temp.name).resolve()) or self.places.allow(path)

    def _start(self) -> subprocess.Popen[bytes]:
        self._channel, theirs = socket.socketpair()
        self._output = ScrubbedPipe(self._secrets, StandardError(), self._output_limit)
        arguments = [str(theirs.fileno()), str(self.product.folder), self.product.name, self._temp.name]
        temp = Path(self._temp.name)
        with theirs, confinement.confined(self.places, temp) as (prefix, descriptors):
            # In a session of its own: an interrupt reaches it once, from here.
            self._process = subprocess.Popen(
                guarded([*prefix, sys.executable, "-m", "kit.ingest.worker", *arguments]), start_new_session=True,
                env=confinement.environment(temp, {}), pass_fds=(theirs.fileno(), *descriptors), stdin=subprocess.DEVNULL,
                stdout=self._output.fileno(), stderr=self._output.fileno(),
            )  # fmt: skip
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], name: str) -> Mapping[str, Any]:
        """The next line from the process; a child of it may hold the socket open, so that its end is looked for as well."""
        received = b""
        while not received.endswith(b"\n"):
            ended = process.poll() is not None
            if select.select([self._channel], [], [], 0 if ended else _LOOK_SECONDS)[0]:
                part = self._channel.recv(1 << 16)
                received += part
                if part:
                    continue
            elif not ended:
                continue
            code = process.wait()
            if code == _INTERRUPTED:
                raise KeyboardInterrupt
            raise IngestError(f"{name}() ended its process: {describe_ending(code)}", self.product.folder / "ingest.py")
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _error(self, answer: Mapping[str, Any], source: str) -> IngestError:
        refused = Path(answer["refused"]) if answer["refused"] else None
        # Secrets go before anything is cut: a part of one is not recognised.
        cause = _brief(self._secrets.scrubbed(answer["cause"]))
        problem = f"{self._secrets.scrubbed(answer['problem'])}{cause and ': '}{cause}"
        file = self.product.folder / "ingest.py"
        if refused and not self.places.allow(refused):
            error = IngestError(f"{source}(): {self._advice(refused, source)}", file)
        else:
            problem += "; it writes in its domain folder and in that of `tempfile`" if refused else ""
            error = IngestError(problem, file if answer.get("in_file") else None)
        error.passing = answer["passing"]
        return error

    def _advice(self, path: Path, source: str) -> str:
        path = Path(os.path.normpath(path))
        contract = self.product.folder / "sources" / f"{source}.odcs.yaml"
        advice = f"declare it in {short(contract)}: customProperties: [{{property: reads, value: [{path.parent}]}}]"
        if not exists(contract):
            draft = f"kit contract draft {self.product.name}.{RAW}.{source} --reads {quote(str(path.parent))} --write"
            advice = f"write its contract with `{draft}`"
        return f"{path} is no place of this source; if it may read there, {advice}"

    def _end(self, process: subprocess.Popen[bytes], *, interrupted: bool) -> None:
        """End the process and its children; one that does not end by itself is killed."""
        if interrupted:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        self._channel.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        with suppress(ProcessLookupError):
            process.send_signal(END_AT_ONCE)
        process.wait()
        self._output.close()


def _brief(cause: str) -> str:
    return f"{cause[:_CAUSE]} …" if len(cause) > _CAUSE else cause
