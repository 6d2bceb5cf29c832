"""The reading of a source in the confined process of `ingest.py`: its function, its connector, its batches."""

import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.core import IngestError, KitError, Secrets, confinement, counted, is_failure, why_it_may_pass
from kit.ingest.batches import BatchFiles, as_frame, is_batches, write_frame
from kit.ingest.connector import Connector, State, Stream
from kit.ingest.delivery import Delivery
from kit.ingest.mappings import type_name

_LONGEST = 100_000  # characters of a message
_SHOWN_SECONDS = 5.0
_EXTRAS = {"dlt": "dlt"}
"""Modules that domains may use, and the extras of the kit that install them."""

Ask = Callable[..., Any]
"""Asks the other side: `ask(kind, **values)` returns its answer, None for a kind that has none."""


class Failure(Exception):
    """What is reported of a call that failed; `answer` are the values for `kit.ingest.process`."""

    def __init__(self, problem: str, error: BaseException | None = None, **answer: object) -> None:
        refused = next(filter(None, map(_refused, _causes(error))), None)
        passing = why_it_may_pass(error) if error else ""
        cause = _brief(error) if error and not isinstance(error, KitError) else ""
        self.answer = {"problem": problem, "cause": cause, "passing": passing, "refused": refused and str(refused), **answer}


class Extraction:
    """One call of a source: what its function returned, read into files of `folder`. `ask` reaches the other side."""

    def __init__(self, module: ModuleType, request: Mapping[str, Any], folder: Path, ask: Ask) -> None:
        self.source, self.label = request["source"], request["label"]
        self.last: Mapping[str, Any] | None = request.get("last")
        self.folder, self.ask = folder / self.source, ask
        self.returned = self._returned(module)
        self.delivered: datetime | None = None
        if isinstance(self.returned, Delivery):
            self.delivered = self.run(self.returned.time, self.label)
            self.returned = self.returned.data
        if isinstance(self.returned, Connector):
            _give(self.returned, "folder", Path(getattr(module, "__file__", None) or "").parent)

    def answer(self, call: str) -> Mapping[str, Any]:
        """Return the result of a call: `read`, `preview` (the first batch only), `check` or `discover`."""
        if isinstance(self.returned, Connector):
            return self._with_connector(self.returned, call)
        if call in ("check", "discover"):
            return {"streams": None}
        if isinstance(self.returned, str | os.PathLike):
            return self._read([os.fspath(self.returned)], made=False)
        if frame := as_frame(self.returned):
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "frame.parquet"
            self.run(write_frame, self.label, frame[0], path, failing=f"{self.label}: the frame cannot be written")
            return self._read([str(path)])
        if is_batches(self.returned):
            if type(self.returned).__name__ == "DltSource":
                raise Failure(f"{self.label}: returned a dlt source; return one of its resources, source.resources['NAME']")
            return self._batches(iter(self.returned), first_only=call != "read")
        raise Failure(
            f"{self.label}: returned {type_name(self.returned)}; "
            "return a path, a polars frame, an iterator of mappings or frames, or a connector"
        )

    def run(self, function: Callable[..., Any], *arguments: Any, failing: str = "") -> Any:
        """Call a function of the domain; its error becomes a `Failure`."""
        try:
            return function(*arguments)
        except KitError as error:
            raise Failure(str(error), error) from None
        except BaseException as error:
            if not is_failure(error):
                raise
            raise Failure(failing or f"{self.source}() failed", error, in_file=not failing) from None

    def _returned(self, module: ModuleType) -> Any:
        function = getattr(module, self.source, None)
        if not callable(function):
            raise Failure(
                f"has no function '{self.source}'; write one that returns a path, a frame, an iterator or a connector",
                in_file=True,
            )
        self.has_state = "state" in _parameters(function)
        if not self.has_state:
            return self.run(function)
        if self.last and self.last["declared"]:  # the state is that of a connector
            self.last = None
        return self.run(function, self.last and self.last["state"])

    def _read(self, paths: list[str], *, made: bool = True, **more: Any) -> Mapping[str, Any]:
        return {"paths": paths, "is_frame": made, "delivered": self.delivered and self.delivered.isoformat(), **more}

    def _batches(self, batches: Iterator[Any], *, first_only: bool = False) -> dict[str, Any]:
        """Write batches; the answer has the last `State` among them."""
        files, state, shown = BatchFiles(self.label, self.folder, self._count), None, 0

        def take() -> None:
            nonlocal state, shown
            for batch in batches:
                if isinstance(batch, State):
                    state = self._state(batch)
                    continue
                files.add(batch)
                shown += 1
                if first_only and (files.rows or shown >= 100):
                    break

        self._next_count = time.monotonic() + _SHOWN_SECONDS
        self.run(take)
        paths = [str(path) for path in files.close()]
        more: dict[str, Any] = {"kind": "python"}
        if self.has_state and state is not None:
            more |= {"state": state, "declared": "", "is_increment": self.last is not None}
        return {**self._read(paths), **more}

    def _state(self, state: State) -> Mapping[str, Any]:
        """Return the value of a state; raises `IngestError` for one that the next read would get as another one."""
        with suppress(TypeError, ValueError, RecursionError):
            if isinstance(state.value, Mapping) and json.loads(json.dumps(state.value, allow_nan=False)) == state.value:
                return state.value
        raise IngestError(
            f"{self.label}: its State is no JSON; write a mapping of texts, numbers, booleans, lists and mappings, "
            "such as State({'at': moment.isoformat()})"
        )

    def _count(self, rows: int) -> None:
        if time.monotonic() >= self._next_count:
            self._next_count = time.monotonic() + _SHOWN_SECONDS
            print(f"{self.label}: {counted(rows, 'row')} so far", file=sys.stderr)  # noqa: T201
            self.ask("rows", rows=rows)

    def _with_connector(self, connector: Connector, call: str) -> Mapping[str, Any]:
        """Call a method of a connector; a read whose failure may pass is repeated after a wait, other calls are not."""
        secrets = Secrets({name: value for name in connector.secrets() if len(value := os.environ.get(name, "")) > 0})
        label = f"{self.label} ({connector.kind or type(connector).__name__}{connector.stream and ' '}{connector.stream})"
        waits = list(connector.retry_seconds) if call == "read" else []
        while True:
            try:
                self.run(connector.check_declared)
                if needed := self.run(connector.requires):
                    made = self.ask("environment", name=needed.name, packages=list(needed.packages))
                    _give(connector, "environment", Path(made))
                return self._of_connector(connector, call)
            except Failure as failure:
                answer = secrets.scrubbed(failure.answer)
                problem = str(answer["problem"]).removeprefix(f"{self.label}: ").removeprefix(f"{self.source}() failed")
                parts = [problem.removeprefix(": "), answer["cause"]] if problem else [answer["cause"]]
                failure.answer = answer | {
                    "problem": f"{label}: {': '.join(filter(None, parts))}",
                    "cause": "",
                    "in_file": False,
                }
                if not answer["passing"] or not waits:
                    raise failure from None
            seconds = waits.pop(0)
            print(f"{label}: tried again in {seconds:g} s, because {answer['passing']}", file=sys.stderr)  # noqa: T201
            time.sleep(seconds)

    def _of_connector(self, connector: Connector, call: str) -> Mapping[str, Any]:
        kind = connector.kind or type(connector).__name__
        if call == "check":
            self.run(connector.check)
        if call in ("check", "discover"):
            streams: Iterable[Stream] = self.run(lambda: list(connector.discover()))
            own = self.run(connector.describe) or next((item for item in streams if item.name == connector.stream), None)
            return {"streams": [item.to_json() for item in streams], "stream": own and own.to_json(), "kind": kind}
        stream = self.run(connector.describe)
        facts: dict[str, Any] = {
            "kind": kind,
            "cursor": connector.cursor,
            "deleted": connector.deleted,
            "reads_each_row_once": connector.reads_each_row_once,
            "declared": self.run(connector.digest),
            "stream": stream and stream.to_json(),
        }
        last = self.last if self.last and self.last.get("declared") == facts["declared"] else None
        self.has_state = True
        if call == "preview":
            return {**self._batches(self.run(connector.preview), first_only=True), **facts, "is_increment": False}
        self.ask("stream", **facts)
        read = self._batches(self.run(connector.read, last["state"] if last else None))
        return {**read, **facts, "is_increment": last is not None}


def _give(connector: Connector, name: str, value: Path) -> None:
    """Set an attribute of a connector, which may be a frozen dataclass."""
    object.__setattr__(connector, name, value)


def _parameters(function: Callable[..., Any]) -> Iterable[str]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def missing_extra(error: BaseException) -> str:
    """Return how to install a module that an import did not find, if an extra of the kit has it."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    extra = _EXTRAS.get((name or "").partition(".")[0])
    return f"install it with `pip install 'data-mesh-kit[{extra}]'`" if extra else ""


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and those that were handled when it was raised."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _refused(error: BaseException) -> Path | None:
    """The path of the file that was not to be opened, if an error reports that."""
    if isinstance(error, PermissionError) and (path := error.filename2 or error.filename):
        return Path(os.fsdecode(path)).absolute() if isinstance(path, str | bytes) else None
    return confinement.refused_path(str(error), Path.cwd())


def _brief(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:_LONGEST]}".removesuffix(": ")
