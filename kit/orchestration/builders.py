"""Builds of several products at the same time: each in a process forked from one that has imported all and run nothing."""

import multiprocessing.connection as connections
import os
import pickle
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

from kit.build import BuildPlan, Outcome, Progress
from kit.core import KitError, describe_ending, end_process, ended_after_signal, interrupt_reason, resources, signal_with_parent
from kit.mesh import DataProduct
from kit.storage import BuildStatus

_END_SECONDS = 0.8  # before the process of the run ends, which waits for its builds
INTERRUPTED = 128 + signal.SIGINT
"""The exit code of a build that was interrupted."""

Send = Callable[..., None]
Job = Callable[[str, BuildPlan | None, Send], object]
"""Builds the product of a name, and sends what is to be known of it: `Builders.events` yields that."""


@dataclass
class Event:
    """What happened in the build of a product: the name of the event and its values; `ended` is the last one."""

    product: DataProduct
    name: str
    values: tuple[Any, ...] = ()


@dataclass
class _Build:
    product: DataProduct
    started: float = field(default_factory=time.perf_counter)


class Builders:
    """Starts builds in processes of their own, at most `limit` at the same time.

    They are forked from a server, which is forked from this process when the block begins: before it works with DuckDB, dbt or
    polars, whose threads a forked process does not have. The server imports what builds need when the first one is started.
    """

    def __init__(self, limit: int, job: Job) -> None:
        self.limit, self._job = limit, job
        self._running: dict[connections.Connection, _Build] = {}

    @contextmanager
    def serving(self) -> "Iterator[Builders]":
        """Fork the server, and end it and all builds at the end of the block."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server = os.fork()
        if not self._server:
            here.close()
            _serve(there, self._job, self.limit)
        there.close()
        self._channel = here
        try:
            yield self
        finally:
            self._interrupt()
            here.close()
            os.waitpid(self._server, 0)

    @property
    def is_full(self) -> bool:
        """Whether no other build may begin now."""
        return len(self._running) >= self.limit

    @property
    def running(self) -> list[DataProduct]:
        """The products whose builds have not ended."""
        return [build.product for build in self._running.values()]

    def start(self, product: DataProduct, planned: BuildPlan | None) -> None:
        """Begin the build of a product."""
        reader, writer = connections.Pipe(duplex=False)
        with writer:
            # The plan may be larger than a message: the process reads it from its own pipe.
            plan_reader, plan_writer = os.pipe()
            with os.fdopen(plan_writer, "wb") as file, os.fdopen(plan_reader):
                self._ask(product.name, [writer.fileno(), plan_reader])
                pickle.dump(planned, file)
        self._running[reader] = _Build(product)

    def events(self) -> Iterator[Event]:
        """Yield what has happened, as soon as something has; the end of each build is among it."""
        for reader in connections.wait(list(self._running)):
            assert isinstance(reader, connections.Connection)
            build = self._running[reader]
            try:
                name, *values = reader.recv()
                yield Event(build.product, name, tuple(values))
            except (EOFError, OSError):
                del self._running[reader]
                reader.close()
                yield Event(build.product, "ended", (self._code_of(build), time.perf_counter() - build.started))

    def _code_of(self, build: _Build) -> int:
        self._ask(f"?{build.product.name}", [])
        return int(self._channel.recv(64) or -signal.SIGKILL)

    def _ask(self, message: str, files: Sequence[int]) -> None:
        try:
            socket.send_fds(self._channel, [message.encode()], files)
        except OSError as error:
            raise KitError("the process that starts builds was ended, and they with it; run again") from error

    def _interrupt(self) -> None:
        """Interrupt all builds and wait for them; they end in order, or are ended."""
        with suppress(OSError):
            self._channel.sendall(b"!")
        while self._running:
            for reader in connections.wait(list(self._running)):
                assert isinstance(reader, connections.Connection)
                with suppress(EOFError, OSError):
                    while True:
                        reader.recv()
                del self._running[reader]
                reader.close()


def builds_at_once(setting: int | None, products: Sequence[DataProduct]) -> int:
    """Return how many builds of these products run at the same time: as many as the setting, or cores and memory, allow."""
    return min(resources.builds_at_once(setting), len(products))


def died(product: DataProduct, code: int, seconds: float) -> Outcome:
    """Return the outcome of a build whose process ended before it returned one."""
    message = f"'{product.name}': the process of its build was ended: {describe_ending(code)}; readers keep what they had"
    return Outcome(product.name, BuildStatus.FAILED, seconds, message=message)


def _serve(channel: socket.socket, job: Job, limit: int) -> NoReturn:
    """Fork a process for each message that names a product; interrupt them all on `!`, answer how one ended on `?`."""
    signal_with_parent(signal.SIGKILL)
    signal.set_wakeup_fd(-1)  # the signals of builds are none of the run's
    os.setsid()  # Ctrl-C in a terminal is for the process of the run, which passes it on
    os.environ[resources.BUILDS_AT_ONCE] = str(limit)
    processes: dict[str, int] = {}
    with ExitStack() as stack:
        stack.callback(os._exit, 0)
        while message := socket.recv_fds(channel, 1 << 12, 2):
            text, files = message[0].decode(), message[1]
            if not text:
                break
            if text == "!":
                for process in processes.values():
                    os.kill(process, signal.SIGINT)
            elif text.startswith("?"):
                channel.sendall(str(os.waitstatus_to_exitcode(os.waitpid(processes.pop(text[1:]), 0)[1])).encode())
            else:
                _warm_up_once()
                if not (process := os.fork()):
                    channel.close()
                    end_process(partial(_build, job, text, *files))
                processes[text] = process
                for file in files:
                    os.close(file)
    os._exit(0)


def _warm_up_once() -> None:
    from kit.orchestration.warm import warm_up

    if not _warm:
        warm_up()
        _warm.append(True)


_warm: list[bool] = []


def _build(job: Job, name: str, results: int, plan: int) -> None:
    """Execute one build in this process, and send what it reports."""
    signal_with_parent(signal.SIGTERM)
    os.setsid()
    with connections.Connection(results, readable=False) as connection, ExitStack() as stack:
        with os.fdopen(plan, "rb") as file:
            planned = pickle.load(file)  # noqa: S301  from the process that this one was forked from

        def send(*event: Any) -> None:
            connection.send(event)

        stack.enter_context(ended_after_signal(_END_SECONDS, lambda: send("interrupted", interrupt_reason())))
        try:
            job(name, planned, send)
        except KeyboardInterrupt as interruption:
            send("interrupted", f"{interruption}")
            raise SystemExit(INTERRUPTED) from None
        except KitError as error:
            send("error", error)


def progress_of(send: Send) -> Progress:
    """Return a listener that sends the steps of a build."""
    return Progress(
        begin=lambda product, step: send("begin", product, step),
        end=lambda product, step, result, seconds: send("end", product, step, result, seconds),
    )
