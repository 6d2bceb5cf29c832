"""`kit.run()` in a process of its own, which the worker executes where it runs; the caller hears what happens there.

A notebook's kernel has threads of DuckDB and polars, so that it cannot be forked for builds itself.
"""

import fcntl
import multiprocessing.connection as connections
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from threading import Lock
from typing import Any

from kit.build import Outcome, Progress
from kit.core import KitError
from kit.mesh import Context
from kit.orchestration import worker_place
from kit.orchestration.run import RunReporter, RunResult, run

CALL = "KIT_RUN_CALL"
"""Environment variable of a `kit run` that `run_apart` started: the number of the connection to its caller."""

_HIGH = 200  # a process that takes over descriptors must not use the number itself
_END_SECONDS = 5
_INTERRUPTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROGRAM = (
    "import sys; sys.path[0] = sys.argv[1]; sys.argv[:] = ['kit', 'run']; "
    "from kit.core import signal_with_parent; signal_with_parent(15); from kit.__main__ import main; main()"
)


def run_apart(context: Context, reporter: RunReporter, **arguments: Any) -> RunResult:
    """Call `run` with these arguments in another process, and the `reporter` in this one.

    Products that do not depend on each other are built at the same time. Raises what `run` raises, and `KitError` when the
    process ends without a result.
    """
    here, there = connections.Pipe()
    with here:
        with there:
            number = fcntl.fcntl(there.fileno(), fcntl.F_DUPFD_CLOEXEC, _HIGH)
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, worker_place.ROOT], stdin=subprocess.DEVNULL, pass_fds=[number],
                env={**os.environ, CALL: str(number)},
            )  # fmt: skip
        finally:
            os.close(number)
        try:
            here.send(arguments)
            return _result(here, context, reporter)
        except (EOFError, OSError):
            code = process.wait()
            if -code in _INTERRUPTED or code - 128 in _INTERRUPTED:
                raise KeyboardInterrupt from None
            raise KitError(f"the process of the run ended with {code}, without a result; readers keep what they had") from None
        except KitError:  # the run itself has ended by it
            raise
        except BaseException:
            _interrupt(process)
            raise
        finally:
            process.wait()


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """End a process as Ctrl-C does, and at last without asking."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def called() -> connections.Connection | None:
    """Return the connection to the caller of this process; None when a person typed the command."""
    number = os.environ.pop(CALL, "")
    if not number:
        return None
    os.set_inheritable(int(number), False)
    return connections.Connection(int(number))


def answer(caller: connections.Connection) -> Context:
    """Execute the run that the caller asks for and send what happens, then the result; returns what was built from."""
    arguments: Mapping[str, Any] = caller.recv()
    context = Context.load()
    try:
        result = run(context, **arguments, reporter=_Sender(caller), at_once=True)
    except KitError as error:
        caller.send(("error", error))
    else:
        caller.send(("result", result))
    return context


class _Sender(RunReporter):
    """Sends the events of a run to the process that called for it."""

    def __init__(self, caller: connections.Connection) -> None:
        self._caller, self._lock, self._numbers = caller, Lock(), count()

    def _send(self, *event: Any) -> None:
        with self._lock:
            self._caller.send(event)

    def started(self, products: Any) -> None:
        self._send("started", [product.name for product in products])

    def joined(self, products: Any) -> None:
        self._send("joined", list(products))

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        number = next(self._numbers)
        self._send("open", number)
        try:
            yield Progress(begin=partial(self._send, "begin", number), end=partial(self._send, "end", number))
        finally:
            self._send("close", number)

    def finished(self, outcome: Outcome) -> None:
        self._send("finished", outcome)

    def warned(self, text: str) -> None:
        self._send("warned", text)


def _result(events: connections.Connection, context: Context, reporter: RunReporter) -> RunResult:
    """Tell the reporter what arrives until the result does; raises the error that arrives in its place."""
    builds: dict[int, tuple[ExitStack, Progress]] = {}
    with ExitStack() as all_builds:
        while True:
            name, *values = events.recv()
            if name == "result":
                result: RunResult = values[0]
                return result
            if name == "error":
                raise values[0]
            if name == "open":
                stack = all_builds.enter_context(ExitStack())
                builds[values[0]] = stack, stack.enter_context(reporter.progress())
            elif name == "close":
                builds.pop(values[0])[0].close()
            elif name in ("begin", "end"):
                getattr(builds[values[0]][1], name)(*values[1:])
            elif name == "started":
                reporter.started([context.mesh.product(product) for product in values[0]])
            else:
                getattr(reporter, name)(*values)
