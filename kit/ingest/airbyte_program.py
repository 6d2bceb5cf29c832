"""One call of a connector's program by the Airbyte protocol (version 0.2): lines of JSON from its standard output."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kit.core import IngestError, Secrets, why_text_may_pass
from kit.ingest import json_text

_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PASSED_ON_LOWER = ("_proxy", "ca_bundle", "lc_all", "lc_ctype")
_LINES_KEPT = 20
_LONGEST = 400
_BROKEN_PAGE = re.compile(r"Failed to parse JSON data using json library|Cannot decode/parse line")
"""Logs of Airbyte's library after which it goes on without the rows of a page."""
_LOST = re.compile(rb'"type"\s*:\s*"(RECORD|STATE|TRACE)"')
"""A message in a line that is no JSON: cut, in another encoding, or with other output before it or behind it."""
_CONTENT = {"RECORD": ("record", "data"), "STATE": ("state",)}
"""The mappings in a message without which it says nothing."""
_NO_CONNECTION = re.compile(r"HTTPS?ConnectionPool\(host=\\*'([^'\\]+)\\*', port=(\d+)\)")
_REASON = re.compile(r"\[Errno -?\d+\] ([\w ]+)|(Read timed out)|(timed out)|(certificate verify failed)")
_TRANSIENT = "the connector expects the next attempt to succeed"


class Program:
    """A program of the Airbyte protocol: its `command`, its configuration, and the longest time of one call in seconds.

    `options` are files of its own.
    The configuration and other inputs are files of a private folder for the duration of a call. Of this environment it sees
    paths, proxies and certificates only. `secrets` never appear in what it prints here, nor in an error.
    """

    def __init__(
        self,
        command: Sequence[str],
        config: Mapping[str, Any],
        secrets: Secrets,
        timeout_seconds: float,
        options: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self.command, self.config, self.secrets, self.timeout_seconds = command, config, secrets, timeout_seconds
        self.options = options

    def messages(self, call: str, **files: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the messages of a call, such as `read`, with these inputs by their options; logs and traces are read here.

        Raises `IngestError` with the reason that the program gives when it fails; its `passing` is set when the program says
        that the next attempt may succeed. The program ends with the iterator.
        """
        with tempfile.TemporaryDirectory(prefix="airbyte-") as folder, self._started(call, files, Path(folder)) as started:
            yield from started

    @contextmanager
    def _started(self, call: str, files: Mapping[str, Any], folder: Path) -> Iterator[Iterator[Mapping[str, Any]]]:
        command = [*self.command, call]
        inputs = {} if call == "spec" else {"config": self.config, **files}
        for option, value in inputs.items():
            path = folder / f"{option}.json"
            path.touch(0o600)
            path.write_text(json.dumps(value))
            command += [f"--{option}", str(path)]
        for option, path in self.options.items():
            command += [f"--{option}", str(path)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=_environment(),
            # On Linux the guard around this process finds the group by its parents, elsewhere by the group of this one.
            process_group=0 if sys.platform == "linux" else None,
        )  # fmt: skip
        ended = threading.Event()
        timer = threading.Timer(self.timeout_seconds, _end, [process, ended])
        timer.daemon = True
        timer.start()
        lines: deque[str] = deque(maxlen=_LINES_KEPT)
        errors = threading.Thread(target=self._keep, args=(process.stderr, lines), daemon=True)
        errors.start()
        try:
            yield self._read(process, lines, errors, ended)
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()

    def _read(
        self, process: subprocess.Popen[bytes], lines: deque[str], errors: threading.Thread, ended: threading.Event
    ) -> Iterator[Mapping[str, Any]]:
        failure: IngestError | None = None
        incomplete = False
        for line in process.stdout or ():
            message = _message(line)
            if message is None:
                if found := _LOST.search(line):
                    raise IngestError(f"a line of its output has a {found[1].decode()} and is no JSON, and would be lost")
                lines.append(self._kept(line))
                continue
            kind = message["type"]
            if kind == "LOG":
                failure = failure or self._log(message.get("log") or {}, lines)
            elif kind == "TRACE":
                trace = message.get("trace") or {}
                failure = failure or self._failure(trace)
                incomplete = incomplete or (trace.get("stream_status") or {}).get("status") == "INCOMPLETE"
            else:
                yield message
        code = process.wait()
        if ended.is_set():
            raise IngestError(f"it did not end within {self.timeout_seconds:g} s; raise timeout_seconds=… or read less at once")
        if failure:
            raise failure
        if code or incomplete:
            errors.join(1)
            said = next((text for text in reversed(lines) if text), "it gave no reason")
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}" if code else "its stream is incomplete"
            ending = IngestError(f"it failed ({how}): {self._short(said)}")
            ending.passing = why_text_may_pass(said)
            raise ending

    def _failure(self, trace: Mapping[str, Any]) -> IngestError | None:
        """The error of a trace, which is the sentence that its authors wrote for users."""
        if trace.get("type") != "ERROR":
            return None
        error = trace.get("error") or {}
        message, internal = str(error.get("message") or ""), str(error.get("internal_message") or "")
        # The sentence of the protocol's library for errors that nobody has described.
        if (not message or "Something went wrong" in message) and internal:
            message = internal
        failure = IngestError(self._short(message or "it gave no reason"))
        is_transient = error.get("failure_type") == "transient_error"
        failure.passing = _TRANSIENT if is_transient else why_text_may_pass(f"{message} {internal}")
        return failure

    def _log(self, log: Mapping[str, Any], lines: "deque[str]") -> IngestError | None:
        """Keep an error for the reason of a failure, and print a warning; return the failure that only a log shows."""
        text = str(log.get("message") or "")
        if _BROKEN_PAGE.match(text):
            failure = IngestError("a page of the answer is no JSON, and its rows are missing")
            failure.passing = "a page of the answer was broken"
            return failure
        if log.get("level") in ("FATAL", "ERROR"):
            lines.append(text.partition("\n")[0])
        elif log.get("level") == "WARN":
            print(self._short(text), file=sys.stderr)  # noqa: T201
        return None

    def _keep(self, stream: Any, lines: "deque[str]") -> None:
        with suppress(ValueError, OSError):  # it was closed
            for line in stream:
                lines.append(self._kept(line))

    def _kept(self, line: bytes) -> str:
        """A line as the reason of a failure; secrets go before anything is cut, and a line may have megabytes."""
        return str(self.secrets.scrubbed(line.decode(errors="replace").strip()))[: 2 * _LONGEST]

    def _short(self, text: str) -> str:
        """One line of a text without secrets, which go before anything is cut."""
        line = " ".join(self.secrets.scrubbed(in_brief(text)).split()).rstrip(".")
        return f"{line[:_LONGEST]} …" if len(line) > _LONGEST else line


def in_brief(text: str) -> str:
    """Return the text of an error; of one about a connection only the server and the reason, without the address."""
    server, reason = _NO_CONNECTION.search(text), _REASON.findall(text)
    if not server or not reason:
        return text
    return f"{server[1]}:{server[2]} cannot be read: {''.join(reason[-1]).strip()}"


def _message(line: bytes) -> Mapping[str, Any] | None:
    """The message in a line; None for any other text, which some programs print."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        message = json_text.loads(line)
        # Numbers of other messages go back to the program, which has floats.
        message = message if isinstance(message, dict) and message.get("type") == "RECORD" else json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return None
    content: Any = message
    for name in _CONTENT.get(message["type"], ()):
        content = content.get(name)
        if not isinstance(content, dict):
            raise IngestError(f"a {message['type']} of its output has no '{name}', or one that is no object")
    return message


def _environment() -> dict[str, str]:
    """The variables that programs need to find files and hosts; none of them is a secret of this mesh."""
    return {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.lower().endswith(_PASSED_ON_LOWER)}


def _end(process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    ended.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and the processes of its group."""
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "linux":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
