"""Builds of several products at the same time, and checks before them: each in a process forked from one that ran nothing."""

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

Check = Callable[[str, Send], object]
"""Asks whether the product of a name is due, which lands its sources, and sends what is to be known of it."""

_CHECK, _END, _INTERRUPT = "=", "?", "!"
"""The first character of a message to the server that is no build of the product whose name it is."""


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
    """Starts builds and checks in processes of their own, at most `limit` at the same time.

    They are forked from a server, which is forked from this process when the block begins: before it works with DuckDB, dbt or
    polars, whose threads a forked process does not have. The server imports what builds need when the first one is started; a
    check needs little of that.
    """

    def __init__(self, limit: int, job: Job, check: Check) -> None:
        self.limit, self._job, self._check = limit, job, check
        self._running: dict[connections.Connection, _Build] = {}

    @contextmanager
    def serving(self) -> "Iterator[Builders]":
        """Fork the server, and end it and all builds at the end of the block."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server = os.fork()
        if not self._server:
            here.close()
            _serve(there, self._job, self._check, self.limit)
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
        with self._started(product) as writer:
            # The plan may be larger than a message: the process reads it from its own pipe.
            plan_reader, plan_writer = os.pipe()
            with os.fdopen(plan_writer, "wb") as file, os.fdopen(plan_reader):
                self._ask(product.name, [writer.fileno(), plan_reader])
                pickle.dump(planned, file)

    def check(self, product: DataProduct) -> None:
        """Begin to ask whether a product is due."""
        with self._started(product) as writer:
            self._ask(_CHECK + product.name, [writer.fileno()])

    @contextmanager
    def _started(self, product: DataProduct) -> Iterator[connections.Connection]:
        """Yield the end of a pipe on which a new process sends its events."""
        reader, writer = connections.Pipe(duplex=False)
        with writer:
            yield writer
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
        self._ask(_END + build.product.name, [])
        return int(self._channel.recv(64) or -signal.SIGKILL)

    def _ask(self, message: str, files: Sequence[int]) -> None:
        try:
            socket.send_fds(self._channel, [message.encode()], files)
        except OSError as error:
            raise KitError("the process that starts builds was ended, and they with it; run again") from error

    def _interrupt(self) -> None:
        """Interrupt all builds and wait for them; they end in order, or are ended."""
        with suppress(OSError):
            self._channel.sendall(_INTERRUPT.encode())
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


def _serve(channel: socket.socket, job: Job, check: Check, limit: int) -> NoReturn:
    """Fork a process for each message that names a product; interrupt them all, or answer how one ended, on other messages."""
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
            if text == _INTERRUPT:
                for process in processes.values():
                    os.kill(process, signal.SIGINT)
            elif text.startswith(_END):
                channel.sendall(str(os.waitstatus_to_exitcode(os.waitpid(processes.pop(text[1:]), 0)[1])).encode())
            else:
                name = text.removeprefix(_CHECK)
                if name == text:
                    _warm_up_once()
                if not (process := os.fork()):
                    channel.close()
                    end_process(partial(_build, job, name, *files) if name == text else partial(_ask, check, name, *files))
                processes[name] = process
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
    with os.fdopen(plan, "rb") as file:
        planned = pickle.load(file)  # noqa: S301  from the process that this one was forked from
    _execute(partial(job, name, planned), results)


def _ask(check: Check, name: str, results: int) -> None:
    """Execute one check in this process, and send what it reports."""
    _execute(partial(check, name), results)


def _execute(work: Callable[[Send], object], results: int) -> None:
    signal_with_parent(signal.SIGTERM)
    os.setsid()
    with connections.Connection(results, readable=False) as connection, ExitStack() as stack:

        def send(*event: Any) -> None:
            connection.send(event)

        def interrupted(reason: str = "") -> None:
            if reason := reason or interrupt_reason():
                send("interrupted", reason)

        stack.enter_context(ended_after_signal(_END_SECONDS, interrupted))
        try:
            work(send)
        except KeyboardInterrupt as interruption:
            interrupted(f"{interruption}")
            raise SystemExit(INTERRUPTED) from None
        except KitError as error:
            send("error", error)


def progress_of(send: Send) -> Progress:
    """Return a listener that sends the steps of a build."""
    return Progress(
        begin=lambda product, step: send("begin", product, step),
        end=lambda product, step, result, seconds: send("end", product, step, result, seconds),
    )
