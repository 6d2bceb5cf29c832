"""The confined process in which the functions of an `ingest.py` run."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any

from kit.core import (
    END_AT_ONCE,
    IngestError,
    KitError,
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
from kit.ingest.connector import Environment
from kit.ingest.environments import Environments
from kit.ingest.named_file import NamedFiles
from kit.mesh import RAW, DataProduct

_INTERRUPTED = 130
_CAUSE = 180  # characters
_LOOK_SECONDS, _END_SECONDS = 0.5, 5


@dataclass(frozen=True)
class Returned:
    """What a source delivered: the path of a file of its own, or the files that were made of the rows, in their order.

    `delivered` is the time that it declares, `facts` what a connector or an iterator of increments says of what it read: its
    `kind`, `state`, and the keys of `kit.ingest.increment`.
    """

    paths: tuple[str, ...]
    is_frame: bool
    delivered: datetime | None
    facts: Mapping[str, Any] = field(default_factory=dict)


class IngestProcess:
    """The process of the `ingest.py` of a product, which opens the files of `places` only; a context manager.

    It starts at the first call of a function whose code alone does not name its file, and has a temporary folder until the
    end. What it prints goes to standard error without `secrets`, at most `output_mb` megabytes. An interrupt that ends the
    block is passed on to it, so that it can clean up.
    `environments` makes those that connectors need, in this process, which is not confined; `rows` hears of the rows of a
    source that were read so far. A call may take `timeout_seconds`, without the time in which an environment is made.
    """

    def __init__(
        self,
        product: DataProduct,
        places: Places,
        secrets: Secrets,
        output_mb: int,
        environments: Environments,
        timeout_seconds: float,
    ) -> None:
        self.product = product
        self.places = places
        self.rows: Callable[[str, int], None] = lambda source, rows: None
        self._environments = environments
        self._named = NamedFiles(product.folder)
        self._timeout = timeout_seconds
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

    def call(
        self,
        source: str,
        label: str,
        last: Mapping[str, Any] | None = None,
        check: Callable[[Mapping[str, Any]], None] = lambda facts: None,
        *,
        first_only: bool = False,
    ) -> Returned:
        """Read a source; raises `IngestError` when it fails, ends the process or is refused a file.

        `last` is what `facts` were when the snapshot was published whose data an increment is to be added to. `check` is called
        with the facts of a connector before it reads any row, and may raise `IngestError`. With `first_only` one batch is read.
        """
        if path := self._named.find(source):
            return Returned((path,), is_frame=False, delivered=None)
        call = "preview" if first_only else "read"
        answer = self._ask({"call": call, "source": source, "label": label, "last": last}, source, check)
        delivered = datetime.fromisoformat(answer["delivered"]) if answer["delivered"] else None
        facts = {name: value for name, value in answer.items() if name not in ("paths", "is_frame", "delivered")}
        if name := self._secrets.found_in(json.dumps(facts.get("state"))):
            raise IngestError(f"{label}: its state contains the value of {name}, and would be in the manifest; leave it out")
        return Returned(tuple(answer["paths"]), answer["is_frame"], delivered, facts)

    def discover(self, source: str, label: str, *, check: bool = False) -> Mapping[str, Any]:
        """Return what the connector of a source can read, as JSON values: `streams`, and its own `stream` and `kind`.

        The streams are None for a source without a connector. With `check` the connector checks its access first. Raises
        `IngestError`.
        """
        return self._ask({"call": "check" if check else "discover", "source": source, "label": label}, source)

    def _ask(
        self,
        request: Mapping[str, Any],
        source: str,
        check: Callable[[Mapping[str, Any]], None] = lambda facts: None,
    ) -> Mapping[str, Any]:
        """Send a request and return its answer; questions of the process that come before it are answered."""
        process = self._process or self._start()
        refusal: KitError | None = None
        until = time.monotonic() + self._timeout
        self._send(request)
        while "ask" in (message := self._receive(process, source, until)):
            if message["ask"] == "rows":
                self.rows(source, message["rows"])
                continue
            try:
                reply = ""
                if message["ask"] == "environment":
                    began = time.monotonic()
                    reply = str(self._environments.make(Environment(message["name"], tuple(message["packages"]))))
                    until += time.monotonic() - began
                else:
                    check(message)
                self._send({"reply": reply})
            except KitError as error:
                refusal = error
                self._send({"problem": "refused"})
        if refusal:
            raise refusal
        if "problem" in message:
            raise self._error(message, source)
        return message

    def _send(self, message: Mapping[str, Any]) -> None:
        with suppress(OSError):  # it has ended, which the answer shows
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def check_readable(self, label: str, path: Path, source: str) -> None:
        """Raise `IngestError` for a file that `ingest.py` must not read itself."""
        if not self.may_read(path):
            raise IngestError(f"{label}: {self._advice(path, source)}")

    def may_read(self, path: Path) -> bool:
        """Whether `ingest.py` may read a file itself."""
        return self.is_temporary(path) or self.places.allow(path)

    def is_temporary(self, path: Path) -> bool:
        """Whether a file is in the temporary folder of the process."""
        return path.resolve().is_relative_to(Path(self._temp.name).resolve())

    def _start(self) -> subprocess.Popen[bytes]:
        self._channel, theirs = socket.socketpair()
        self._received = b""
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

    def _receive(self, process: subprocess.Popen[bytes], name: str, until: float) -> Mapping[str, Any]:
        """The next line from the process; a child of it may hold the socket open, so that its end is looked for as well."""
        while b"\n" not in self._received:
            if time.monotonic() > until:
                self._process = None  # the next call starts another one
                process.send_signal(END_AT_ONCE)
                self._end(process, interrupted=False)
                raise IngestError(
                    f"{name}() ran longer than {self._timeout:g} s and was stopped; raise source_timeout_seconds in [tool.kit] "
                    "if it needs more",
                    self.product.folder / "ingest.py",
                )
            ended = process.poll() is not None
            if select.select([self._channel], [], [], 0 if ended else _LOOK_SECONDS)[0]:
                part = self._channel.recv(1 << 16)
                self._received += part
                if part:
                    continue
            elif not ended:
                continue
            code = process.wait()
            if code == _INTERRUPTED:
                raise KeyboardInterrupt
            raise IngestError(f"{name}() ended its process: {describe_ending(code)}", self.product.folder / "ingest.py")
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

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
        folder = "FOLDER" if str(path).startswith(confinement.SHORTENED) else str(path.parent)
        advice = f"declare it in {short(contract)}: customProperties: [{{property: reads, value: [{folder}]}}]"
        if not exists(contract):
            draft = f"kit contract draft {self.product.name}.{RAW}.{source} --reads {quote(folder)} --write"
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
